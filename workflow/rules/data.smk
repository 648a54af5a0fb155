"""Real data and what is made from it once: generation 0, held-out items, fresh items, fitted embedders.

INPUTS
    the dataset and embedder plug-ins of the config
OUTPUTS
    results/gen0/samples/            the real training items, D_1
    results/heldout/                 held-out real items and their embeddings; in no pool
    results/<arm>/gen{g}/real/       real items drawn anew for D_g (training_set.real_source: fresh)
    results/embedders/<space>/       the state of an embedder that is fitted
"""

for link, g in jobs("data"):

    rule:
        name:
            f"sample_g0{link.suffix}"
        input:
            plugin=link.config["dataset"]["plugin"],
        output:
            samples=f"{link.folder}/gen0/samples/part-0000.npy",
            table=f"{link.folder}/gen0/samples/part-0000.parquet",
        log:
            f"{link.folder}/gen0/logs/sample.log",
        benchmark:
            f"{link.folder}/gen0/benchmarks/sample.tsv"
        conda:
            "../../envs/analysis.yaml"
        threads: link.config["threads"]["data"]
        resources:
            **link.config["resources"]["data"],
        params:
            settings=json.dumps(link.config["dataset"]["params"]),
            heldout=option("heldout", link.config["dataset"]["heldout"]),
            heldout_seed=link.config["dataset"]["seed"],
            n=link.size,
            balanced="--balanced" if link.config["training_set"]["balanced"] else "",
            seed=link.seed,
            version=RESULTS_VERSION["data"],
        shell:
            f"python {SCRIPTS}/data.py"
            " --part train --dataset {input.plugin:q} --params {params.settings:q}"
            " {params.heldout} --heldout-seed {params.heldout_seed} --n {params.n} {params.balanced} --seed {params.seed}"
            " --results-version {params.version} --output {output.samples:q} 2>&1 | tee {log:q}"


for link, g in jobs("heldout"):

    rule:
        name:
            f"sample_heldout{link.suffix}"
        input:
            plugin=link.config["dataset"]["plugin"],
        output:
            samples=f"{link.folder}/heldout/samples/part-0000.npy",
            table=f"{link.folder}/heldout/samples/part-0000.parquet",
        log:
            f"{link.folder}/heldout/logs/sample.log",
        benchmark:
            f"{link.folder}/heldout/benchmarks/sample.tsv"
        conda:
            "../../envs/analysis.yaml"
        threads: link.config["threads"]["data"]
        resources:
            **link.config["resources"]["data"],
        params:
            settings=json.dumps(link.config["dataset"]["params"]),
            heldout=option("heldout", link.config["dataset"]["heldout"]),
            heldout_seed=link.config["dataset"]["seed"],
            version=RESULTS_VERSION["data"],
        shell:
            f"python {SCRIPTS}/data.py"
            " --part heldout --dataset {input.plugin:q} --params {params.settings:q}"
            " {params.heldout} --heldout-seed {params.heldout_seed}"
            " --results-version {params.version} --output {output.samples:q} 2>&1 | tee {log:q}"


for link, g in jobs("fresh"):

    rule:
        name:
            f"sample_fresh_g{g}{link.suffix}"
        input:
            plugin=link.config["dataset"]["plugin"],
        output:
            samples=f"{link.folder}/gen{g}/real/samples/part-0000.npy",
            table=f"{link.folder}/gen{g}/real/samples/part-0000.parquet",
        log:
            f"{link.folder}/gen{g}/logs/sample_fresh.log",
        benchmark:
            f"{link.folder}/gen{g}/benchmarks/sample_fresh.tsv"
        conda:
            "../../envs/analysis.yaml"
        threads: link.config["threads"]["data"]
        resources:
            **link.config["resources"]["data"],
        params:
            settings=json.dumps(link.config["dataset"]["params"]),
            heldout=option("heldout", link.config["dataset"]["heldout"]),
            heldout_seed=link.config["dataset"]["seed"],
            n=link.real,
            balanced="--balanced" if link.config["training_set"]["balanced"] else "",
            generation=g,
            seed=link.seed,
            version=RESULTS_VERSION["data"],
        shell:
            f"python {SCRIPTS}/data.py"
            " --part fresh --dataset {input.plugin:q} --params {params.settings:q}"
            " {params.heldout} --heldout-seed {params.heldout_seed} --n {params.n} {params.balanced} --seed {params.seed}"
            " --generation {params.generation}"
            " --results-version {params.version} --output {output.samples:q} 2>&1 | tee {log:q}"


for link, space in jobs("train_embedder"):

    rule:
        name:
            f"train_embedder_{space}{link.suffix}"
        input:
            plugin=link.spaces[space]["plugin"],
            samples=link.embedder_source.samples(0),
            table=link.embedder_source.samples_table(0),
        output:
            weights=f"{link.folder}/embedders/{space}/weights.safetensors",
            record=f"{link.folder}/embedders/{space}/model.json",
        log:
            text=f"{link.folder}/embedders/{space}/logs/train_embedder.log",
            throughput=f"{link.folder}/embedders/{space}/benchmarks/train_embedder.json",
        benchmark:
            f"{link.folder}/embedders/{space}/benchmarks/train_embedder.tsv"
        conda:
            "../../envs/cpu.yaml"
        threads: link.config["threads"]["train_embedder"]
        resources:
            **link.config["resources"]["train_embedder"],
        params:
            settings=json.dumps(link.spaces[space]["params"]),
            space=space,
            seed=link.config["embedder"]["seed"],
            threads=link.config["threads"]["train_embedder"],
            machine=machine(link, "device", "deterministic"),
            version=RESULTS_VERSION["train_embedder"],
        shell:
            f"python {SCRIPTS}/train_embedder.py"
            " --embedder {input.plugin:q} --params {params.settings:q}"
            " --space {params.space} --samples {input.samples:q} --seed {params.seed} --threads {params.threads}"
            " {params.machine} --results-version {params.version} --throughput {log.throughput:q}"
            " --output {output.weights:q} 2>&1 | tee {log.text:q}"


for link, g in jobs("embed_heldout"):

    rule:
        name:
            f"embed_heldout{link.suffix}"
        input:
            samples=link.heldout(),
            plugins=embedder_files(link),
        output:
            [f"{link.folder}/heldout/embeddings/{space}/part-0000.parquet" for space in link.spaces],
        log:
            text=f"{link.folder}/heldout/logs/embed.log",
            throughput=f"{link.folder}/heldout/benchmarks/embed.json",
        benchmark:
            f"{link.folder}/heldout/benchmarks/embed.tsv"
        conda:
            "../../envs/cpu.yaml"
        threads: link.config["threads"]["embed"]
        resources:
            **link.config["resources"]["embed"],
        params:
            spaces=space_options(link, link.heldout_embeddings),
            batch_size=link.config["embedder"]["batch_size"],
            threads=link.config["threads"]["embed"],
            machine=machine(link, "device", "deterministic"),
            version=RESULTS_VERSION["embed"],
        shell:
            f"python {SCRIPTS}/embed.py"
            " --space {params.spaces:q} --samples {input.samples:q} --generation 0"
            " --batch-size {params.batch_size} --threads {params.threads} {params.machine}"
            " --results-version {params.version} --throughput {log.throughput:q} 2>&1 | tee {log.text:q}"


for link, g in jobs("embed_fresh"):

    rule:
        name:
            f"embed_fresh_g{g}{link.suffix}"
        input:
            samples=link.fresh_samples(g),
            plugins=embedder_files(link),
        output:
            [f"{link.folder}/gen{g}/real/embeddings/{space}/part-0000.parquet" for space in link.spaces],
        log:
            text=f"{link.folder}/gen{g}/logs/embed_fresh.log",
            throughput=f"{link.folder}/gen{g}/benchmarks/embed_fresh.json",
        benchmark:
            f"{link.folder}/gen{g}/benchmarks/embed_fresh.tsv"
        conda:
            "../../envs/cpu.yaml"
        threads: link.config["threads"]["embed"]
        resources:
            **link.config["resources"]["embed"],
        params:
            spaces=space_options(link, lambda space, link=link, g=g: link.fresh_embeddings(space, g)),
            batch_size=link.config["embedder"]["batch_size"],
            threads=link.config["threads"]["embed"],
            machine=machine(link, "device", "deterministic"),
            version=RESULTS_VERSION["embed"],
        shell:
            f"python {SCRIPTS}/embed.py"
            " --space {params.spaces:q} --samples {input.samples:q} --generation 0"
            " --batch-size {params.batch_size} --threads {params.threads} {params.machine}"
            " --results-version {params.version} --throughput {log.throughput:q} 2>&1 | tee {log.text:q}"
