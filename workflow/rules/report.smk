"""What the chains come to: one table of metrics, curves for all arms, pictures of each chain's images.

INPUTS
    metrics.json of every generation of every chain; samples and training sets
OUTPUTS
    results/metrics.csv                      arm, seed, generation, metric, value, n, n_reference, space, distance
    results/summary.{csv,html}               means over seeds, differences from the control arm
    results/figures/curves.{png,svg}         every metric, all arms
    results/figures/curves/<metric>.*        one figure a metric
    <chain>/figures/grid_g{g}.png            samples of one generation
    <chain>/figures/evolution.{png,svg,pdf}  the same rows in every generation
    <chain>/figures/nearest_g{g}.*           samples beside their nearest training image (first and last generation)
    <chain>/figures/moments.{png,svg}        instead of the three above where samples are no images
"""


rule collect:
    input:
        [link.metrics(g) for link in CHAINS for g in range(1, link.generations + 1)],
    output:
        report(
            "results/metrics.csv",
            caption="../report/metrics.rst",
            category="Metrics",
            labels={"figure": "all numbers (CSV file)"},
        ),
    log:
        "results/logs/collect.log",
    benchmark:
        "results/benchmarks/collect.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **CHAINS[0].config["resources"]["select"],
    params:
        chains=json.dumps(chain_rows()),
    shell:
        f"python {SCRIPTS}/collect.py" " --chains {params.chains:q} --output {output:q} 2>&1 | tee {log:q}"


rule summarize:
    input:
        "results/metrics.csv",
    output:
        table=report(
            "results/summary.csv",
            caption="../report/summary.rst",
            category="Metrics",
            labels={"figure": "all means and differences (CSV file)"},
        ),
        page=report(
            "results/summary.html",
            caption="../report/summary_page.rst",
            category="Metrics",
            labels={"figure": "all metrics of the last generation"},
        ),
    log:
        "results/logs/summarize.log",
    benchmark:
        "results/benchmarks/summarize.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **CHAINS[0].config["resources"]["select"],
    params:
        control=CHAINS[0].config["report"]["control"],
    shell:
        f"python {SCRIPTS}/summarize.py"
        " --metrics {input:q} --control {params.control:q} --output {output.table:q} --page {output.page:q}"
        " 2>&1 | tee {log:q}"


rule plot_curves:
    input:
        "results/metrics.csv",
    output:
        png="results/figures/curves.png",
        svg=report(
            "results/figures/curves.svg",
            caption="../report/curves.rst",
            category="Metrics",
            labels={"figure": "all metrics"},
        ),
        folder=report(
            directory("results/figures/curves"),
            patterns=["{metric}.svg"],
            caption="../report/curve.rst",
            category="Metrics",
            labels={"figure": "{metric}"},
        ),
    log:
        "results/logs/plot_curves.log",
    benchmark:
        "results/benchmarks/plot_curves.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **CHAINS[0].config["resources"]["select"],
    shell:
        f"python {SCRIPTS}/plot_curves.py"
        " --metrics {input:q} --overview {output.png:q} {output.svg:q}"
        " --folder {output.folder:q} 2>&1 | tee {log:q}"


for link, g in GRIDS:

    rule:
        name:
            f"plot_grid_g{g}{link.suffix}"
        input:
            link.samples(g),
        output:
            report(
                f"{link.folder}/figures/grid_g{g}.png",
                caption="../report/grid.rst",
                category="Samples",
                subcategory=link.name,
                labels={"figure": generation_label(link, g)},
            ),
        log:
            f"{link.folder}/gen{g}/logs/plot_grid.log",
        benchmark:
            f"{link.folder}/gen{g}/benchmarks/plot_grid.tsv"
        conda:
            "../../envs/analysis.yaml"
        resources:
            **CHAINS[0].config["resources"]["select"],
        params:
            images=link.config["report"]["images"],
            title=f"{link.name}, generation {g}" if g else f"{link.name}, real training images",
        shell:
            f"python {SCRIPTS}/plot_grid.py"
            " --samples {input:q} --images {params.images} --title {params.title:q}"
            " --output {output:q} 2>&1 | tee {log:q}"


for link in PICTURED:
    shown = spread(link.generations)[1:]

    rule:
        name:
            f"sample_tracked{link.suffix}"
        input:
            plugin=link.config["generator"]["plugin"],
            models=[link.model(g) for g in shown],
        output:
            samples=[f"{link.folder}/figures/tracked/gen{g}.npy" for g in shown],
            tables=[f"{link.folder}/figures/tracked/gen{g}.parquet" for g in shown],
        log:
            f"{link.folder}/logs/sample_tracked.log",
        benchmark:
            f"{link.folder}/benchmarks/sample_tracked.tsv"
        conda:
            "../../envs/cpu.yaml"
        threads: link.config["threads"]["sample"]
        resources:
            **link.config["resources"]["sample"],
        params:
            settings=json.dumps(link.config["sampling"]["params"]),
            rows=link.config["report"]["rows"],
            seed=link.seed,
            threads=link.config["threads"]["sample"],
            machine=machine(link, "device", "precision", "deterministic"),
            version=RESULTS_VERSION["sample"],
        shell:
            f"python {SCRIPTS}/sample_tracked.py"
            " --generator {input.plugin:q} --params {params.settings:q} --models {input.models:q}"
            " --rows {params.rows} --seed {params.seed} --threads {params.threads} {params.machine}"
            " --results-version {params.version} --outputs {output.samples:q} 2>&1 | tee {log:q}"

    rule:
        name:
            f"plot_evolution{link.suffix}"
        input:
            samples=[link.samples(0)] + [f"{link.folder}/figures/tracked/gen{g}.npy" for g in shown],
            tables=[f"{link.folder}/figures/tracked/gen{g}.parquet" for g in shown],
        output:
            png=report(
                f"{link.folder}/figures/evolution.png",
                caption="../report/evolution.rst",
                category="Samples",
                subcategory=link.name,
                labels={"figure": "across the generations"},
            ),
            svg=f"{link.folder}/figures/evolution.svg",
            pdf=f"{link.folder}/figures/evolution.pdf",
        log:
            f"{link.folder}/logs/plot_evolution.log",
        benchmark:
            f"{link.folder}/benchmarks/plot_evolution.tsv"
        conda:
            "../../envs/analysis.yaml"
        resources:
            **CHAINS[0].config["resources"]["select"],
        params:
            generations=[0] + shown,
            rows=link.config["report"]["rows"],
            title=f"{link.name}: samples across the generations",
        shell:
            f"python {SCRIPTS}/plot_evolution.py"
            " --samples {input.samples:q} --generations {params.generations}"
            " --rows {params.rows} --title {params.title:q} --output {output:q} 2>&1 | tee {log:q}"


for link, g in NEAREST:

    rule:
        name:
            f"plot_nearest_g{g}{link.suffix}"
        input:
            samples=link.samples(g),
            training_set=link.training_set(g),
            training_samples=[link.samples(k) for k in link.trained_on(g)]
            + [link.fresh_samples(g)] * (link.fresh and g > 1),
        output:
            png=report(
                f"{link.folder}/figures/nearest_g{g}.png",
                caption="../report/nearest.rst",
                category="Nearest training images",
                subcategory=link.name,
                labels={"figure": generation_label(link, g)},
            ),
            svg=f"{link.folder}/figures/nearest_g{g}.svg",
            pdf=f"{link.folder}/figures/nearest_g{g}.pdf",
        log:
            f"{link.folder}/gen{g}/logs/plot_nearest.log",
        benchmark:
            f"{link.folder}/gen{g}/benchmarks/plot_nearest.tsv"
        conda:
            "../../envs/analysis.yaml"
        resources:
            **CHAINS[0].config["resources"]["select"],
        params:
            n=link.evaluated,
            pairs=link.config["report"]["pairs"],
            title=f"{link.name}, generation {g}: samples and their nearest training images",
        shell:
            f"python {SCRIPTS}/plot_nearest.py"
            " --samples {input.samples:q} --n {params.n}"
            " --training-set {input.training_set:q} --training-samples {input.training_samples:q}"
            " --pairs {params.pairs} --title {params.title:q} --output {output:q} 2>&1 | tee {log:q}"


for link in MOMENTS:

    rule:
        name:
            f"plot_moments{link.suffix}"
        input:
            samples=[link.samples(g) for g in range(link.generations + 1)],
            tables=[link.samples_table(g) for g in range(link.generations + 1)],
        output:
            png=f"{link.folder}/figures/moments.png",
            svg=report(
                f"{link.folder}/figures/moments.svg",
                caption="../report/moments.rst",
                category="Samples",
                subcategory=link.name,
                labels={"figure": "mean and variance"},
            ),
        log:
            f"{link.folder}/logs/plot_moments.log",
        benchmark:
            f"{link.folder}/benchmarks/plot_moments.tsv"
        conda:
            "../../envs/analysis.yaml"
        resources:
            **CHAINS[0].config["resources"]["select"],
        params:
            generations=list(range(link.generations + 1)),
        shell:
            f"python {SCRIPTS}/plot_moments.py"
            " --samples {input.samples:q} --generations {params.generations}"
            " --output {output.png:q} {output.svg:q} 2>&1 | tee {log:q}"
