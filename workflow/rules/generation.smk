"""The loop: train -> sample -> embed -> select -> evaluate, as literal rules `train_g3`, `train_g3_<arm>`, ...

INPUTS
    results/gen0/, results/heldout/, results/embedders/     (data.smk)
OUTPUTS of generation g, in results/gen{g}/ or results/<arm>/gen{g}/
    model/                      weights.safetensors, model.json
    samples/                    part-0000.npy, part-0000.parquet
    embeddings/<space>/         part-0000.parquet
    selection.parquet           one row per candidate; with it gen{g+1}/training_set.parquet
    fid.json, metrics.json
"""

for link, g in jobs("train"):

    rule:
        name:
            f"train_g{g}{link.suffix}"
        input:
            plugin=link.config["generator"]["plugin"],
            training_set=link.training_set(g),
            samples=[link.samples(k) for k in link.trained_on(g)] + [link.fresh_samples(g)] * (link.fresh and g > 1),
        output:
            weights=f"{link.folder}/gen{g}/model/weights.safetensors",
            record=f"{link.folder}/gen{g}/model/model.json",
        log:
            text=f"{link.folder}/gen{g}/logs/train.log",
            loss=f"{link.folder}/gen{g}/logs/loss.tsv",
            throughput=f"{link.folder}/gen{g}/benchmarks/train.json",
        benchmark:
            f"{link.folder}/gen{g}/benchmarks/train.tsv"
        priority: 10
        conda:
            "../../envs/cpu.yaml"
        threads: link.config["threads"]["train"] * link.config["train_processes"]
        resources:
            **link.config["resources"]["train"],
        params:
            settings=json.dumps(link.config["generator"]["params"]),
            generation=g,
            seed=link.seed,
            threads=link.config["threads"]["train"],
            processes=link.config["train_processes"],
            machine=machine(link, "device", "precision", "compile", "deterministic"),
            version=RESULTS_VERSION["train"],
        shell:
            f"python {SCRIPTS}/train.py"
            " --generator {input.plugin:q} --params {params.settings:q}"
            " --training-set {input.training_set:q} --samples {input.samples:q} --generation {params.generation}"
            " --seed {params.seed} --processes {params.processes} --threads {params.threads} {params.machine}"
            " --results-version {params.version}"
            " --loss {log.loss:q} --throughput {log.throughput:q} --output {output.weights:q} 2>&1 | tee {log.text:q}"


# Sampling and embedding: one job, or (shards > 1) one job a shard and one that joins them under the promised name.
for link, g in jobs("sample"):
    shards = link.config["sampling"]["shards"]
    part = "part-0000" if shards == 1 else "shards/part-{shard}"

    rule:
        name:
            f"sample_g{g}{link.suffix}" + ("" if shards == 1 else "_shard")
        input:
            plugin=link.config["generator"]["plugin"],
            weights=link.model(g),
        output:
            samples=(
                f"{link.folder}/gen{g}/samples/{part}.npy"
                if shards == 1
                else temp(f"{link.folder}/gen{g}/samples/{part}.npy")
            ),
            table=(
                f"{link.folder}/gen{g}/samples/{part}.parquet"
                if shards == 1
                else temp(f"{link.folder}/gen{g}/samples/{part}.parquet")
            ),
        log:
            text=f"{link.folder}/gen{g}/logs/sample/{part}.log",
            throughput=f"{link.folder}/gen{g}/benchmarks/sample/{part}.json",
        benchmark:
            f"{link.folder}/gen{g}/benchmarks/sample/{part}.tsv"
        priority: 10
        conda:
            "../../envs/cpu.yaml"
        threads: link.config["threads"]["sample"]
        resources:
            **link.config["resources"]["sample"],
        params:
            settings=json.dumps(link.config["sampling"]["params"]),
            labels=link.config["sampling"]["labels"],
            n=link.sampled,
            shard="0" if shards == 1 else "{shard}",
            shards=shards,
            batch_size=link.config["sampling"]["batch_size"],
            generation=g,
            seed=link.seed,
            threads=link.config["threads"]["sample"],
            machine=machine(link, "device", "precision", "compile", "deterministic"),
            version=RESULTS_VERSION["sample"],
        shell:
            f"python {SCRIPTS}/sample.py"
            " --generator {input.plugin:q} --params {params.settings:q}"
            " --model {input.weights:q} --labels {params.labels} --n {params.n} --shard {params.shard} --shards {params.shards}"
            " --batch-size {params.batch_size} --generation {params.generation} --seed {params.seed}"
            " --threads {params.threads} {params.machine} --results-version {params.version}"
            " --throughput {log.throughput:q} --output {output.samples:q} 2>&1 | tee {log.text:q}"

    if shards > 1:

        rule:
            name:
                f"sample_g{g}{link.suffix}"
            input:
                samples=[f"{link.folder}/gen{g}/samples/shards/part-{k:04d}.npy" for k in range(shards)],
                tables=[f"{link.folder}/gen{g}/samples/shards/part-{k:04d}.parquet" for k in range(shards)],
            output:
                samples=f"{link.folder}/gen{g}/samples/part-0000.npy",
                table=f"{link.folder}/gen{g}/samples/part-0000.parquet",
            log:
                f"{link.folder}/gen{g}/logs/sample/gather.log",
            benchmark:
                f"{link.folder}/gen{g}/benchmarks/sample/gather.tsv"
            priority: 10
            conda:
                "../../envs/analysis.yaml"
            resources:
                **link.config["resources"]["select"],
            shell:
                f"python {SCRIPTS}/gather.py"
                " --shards {input.samples:q} --output {output.samples:q} 2>&1 | tee {log:q}"


for link, g in jobs("embed"):
    shards = link.config["embedder"]["shards"] if g > 0 else 1
    part = "part-0000" if shards == 1 else "shards/part-{shard}"

    rule:
        name:
            f"embed_g{g}{link.suffix}" + ("" if shards == 1 else "_shard")
        input:
            samples=link.samples(g),
            table=link.samples_table(g),
            plugins=embedder_files(link),
        output:
            [
                path if shards == 1 else temp(path)
                for path in [f"{link.folder}/gen{g}/embeddings/{space}/{part}.parquet" for space in link.spaces]
            ],
        log:
            text=f"{link.folder}/gen{g}/logs/embed/{part}.log",
            throughput=f"{link.folder}/gen{g}/benchmarks/embed/{part}.json",
        benchmark:
            f"{link.folder}/gen{g}/benchmarks/embed/{part}.tsv"
        priority: 10
        group:
            group(link, g)
        conda:
            "../../envs/cpu.yaml"
        threads: link.config["threads"]["embed"]
        resources:
            **link.config["resources"]["embed"],
        params:
            spaces=space_options(link, f"{link.folder}/gen{g}/embeddings/%s/{part}.parquet".__mod__),
            generation=g,
            shard="0" if shards == 1 else "{shard}",
            shards=shards,
            batch_size=link.config["embedder"]["batch_size"],
            threads=link.config["threads"]["embed"],
            machine=machine(link, "device", "deterministic"),
            version=RESULTS_VERSION["embed"],
        shell:
            f"python {SCRIPTS}/embed.py"
            " --space {params.spaces:q} --samples {input.samples:q}"
            " --generation {params.generation} --shard {params.shard} --shards {params.shards}"
            " --batch-size {params.batch_size} --threads {params.threads} {params.machine}"
            " --results-version {params.version} --throughput {log.throughput:q} 2>&1 | tee {log.text:q}"

    if shards > 1:

        rule:
            name:
                f"embed_g{g}{link.suffix}"
            input:
                [
                    f"{link.folder}/gen{g}/embeddings/{space}/shards/part-{k:04d}.parquet"
                    for space in link.spaces
                    for k in range(shards)
                ],
            output:
                [f"{link.folder}/gen{g}/embeddings/{space}/part-0000.parquet" for space in link.spaces],
            log:
                f"{link.folder}/gen{g}/logs/embed/gather.log",
            benchmark:
                f"{link.folder}/gen{g}/benchmarks/embed/gather.tsv"
            priority: 10
            group:
                group(link, g)
            conda:
                "../../envs/analysis.yaml"
            resources:
                **link.config["resources"]["select"],
            shell:
                f"python {SCRIPTS}/gather.py" " --shards {input:q} --output {output:q} 2>&1 | tee {log:q}"


# The first training set is all of generation 0; no rule chooses it.
for link, g in jobs("select"):
    training_set = link.config["training_set"]
    selection = link.config["selection"]

    rule:
        name:
            f"select_g{g}{link.suffix}"
        input:
            selector=selection["script"] if g > 0 else [],
            pool=[link.embeddings(selection["space"], k) for k in (link.pool(g) if g > 0 else [0])],
            reference=(
                [link.heldout_embeddings(selection["space"])]
                if selection["reference"] == "heldout"
                else [link.embeddings(selection["space"], 0)]
            )
            * (g > 0),
            previous=[link.training_set(g)] if training_set["paradigm"] == "accumulate" and g > 0 else [],
            real=[link.embeddings(selection["space"], 0)] * (link.real > 0 and not link.fresh and g > 0),
            fresh=[link.fresh_embeddings(selection["space"], g + 1)] * (link.fresh and g > 0),
        output:
            training_set=f"{link.folder}/gen{g + 1}/training_set.parquet",
            selection=[f"{link.folder}/gen{g}/selection.parquet"] * (g > 0),
        log:
            text=f"{link.folder}/gen{g}/logs/select.log",
            throughput=f"{link.folder}/gen{g}/benchmarks/select.json",
        benchmark:
            f"{link.folder}/gen{g}/benchmarks/select.tsv"
        priority: 10
        group:
            group(link, g)
        conda:
            "../../envs/analysis.yaml"
        threads: link.config["threads"]["select"]
        resources:
            **link.config["resources"]["select"],
        params:
            options=selection_options(link, g) if g > 0 else "",
            settings=json.dumps(selection["params"] if g > 0 else {}),
            n=("all" if training_set["size"] == "pool" else link.size - link.real) if g > 0 else "all",
            generation=g,
            seed=link.seed,
            threads=link.config["threads"]["select"],
            version=RESULTS_VERSION["select"],
        shell:
            f"python {SCRIPTS}/select.py"
            " --pool {input.pool:q} --params {params.settings:q} {params.options} --n {params.n}"
            " --generation {params.generation} --seed {params.seed} --threads {params.threads}"
            " --results-version {params.version} --throughput {log.throughput:q}"
            " --output {output.training_set:q} 2>&1 | tee {log.text:q}"


for link, g in jobs("evaluate"):
    evaluate = link.config["evaluate"]
    spaces = list(dict.fromkeys(evaluate["distribution"] + evaluate["neighbours"]))

    rule:
        name:
            f"evaluate_g{g}{link.suffix}"
        input:
            training_set=link.training_set(g),
            samples=[link.embeddings(space, g) for space in spaces],
            real=[link.embeddings(space, 0) for space in spaces],
            heldout=[link.heldout_embeddings(space) for space in spaces],
            pool=[link.embeddings(space, k) for k in link.trained_on(g) for space in spaces]
            + [link.fresh_embeddings(space, g) for space in spaces] * (link.fresh and g > 1),
            # Not read: whoever asks for gen10/fid.json gets the curve that leads to it. (Not `ancient`: Snakemake then
            # overlooks a change of this job's own params whenever an earlier job runs.)
            earlier=[link.fid(g - 1)] if g > 1 else [],
        output:
            fid=f"{link.folder}/gen{g}/fid.json",
            metrics=f"{link.folder}/gen{g}/metrics.json",
            histograms=f"{link.folder}/gen{g}/histograms.json",
        log:
            text=f"{link.folder}/gen{g}/logs/evaluate.log",
            throughput=f"{link.folder}/gen{g}/benchmarks/evaluate.json",
        benchmark:
            f"{link.folder}/gen{g}/benchmarks/evaluate.tsv"
        group:
            group(link, g)
        conda:
            "../../envs/cpu.yaml"
        threads: link.config["threads"]["evaluate"]
        resources:
            **link.config["resources"]["evaluate"],
        params:
            files=evaluation_files(link, g, spaces),
            n=link.evaluated,
            generation=g,
            reference=evaluate["reference"],
            distribution=evaluate["distribution"],
            neighbours=evaluate["neighbours"],
            kid=f"--kid-subsets {evaluate['kid_subsets']} --kid-subset-size {evaluate['kid_subset_size'] or 'auto'}",
            k=f"--k {evaluate['k']} --coverage-k {evaluate['coverage_k']}",
            gs_distance=evaluate["gs_distance"],
            near=json.dumps(evaluate["near_duplicate_threshold"]),
            seed=link.seed,
            threads=link.config["threads"]["evaluate"],
            version=RESULTS_VERSION["evaluate"],
        shell:
            f"python {SCRIPTS}/evaluate.py"
            " --training-set {input.training_set:q} {params.files}"
            " --generation {params.generation} --n {params.n} --reference {params.reference}"
            " --distribution {params.distribution:q} --neighbours {params.neighbours:q} {params.kid} {params.k}"
            " --gs-distance {params.gs_distance} --near-duplicate-threshold {params.near:q} --seed {params.seed}"
            " --threads {params.threads} --results-version {params.version} --throughput {log.throughput:q}"
            " --fid {output.fid:q} --metrics {output.metrics:q} --histograms {output.histograms:q}"
            " 2>&1 | tee {log.text:q}"
