"""The figures that are targets: one rule each, `figure_<name>`, with results/figures/<name>.{png,svg,pdf}.

INPUTS
    results/metrics.csv; for `pca` embeddings of the first seed
OUTPUTS
    fd             Frechet distance over the generations, all arms (figure 6 of arXiv 2509.16499)
    gs             generalization score, with its held-out baseline
    entropy        entropy of training sets and samples (figures 5 and 7)
    entropy_gs     entropy against log GS, with Pearson's r (figure 4)
    trace_gs       trace of covariance against GS
    real_share     share of real items in the training sets
    pca            samples on the principal components of the real data (appendix D.4)

`figures` is all of them and the pictures of report.smk. A figure for which the config gives no data is not in it (a line
at the start of a run says why); asked for by name, it draws what there is or says in one line what is missing.
"""

for figure in [name for name in FIGURE_NAMES if name != "pca"]:

    rule:
        name:
            f"figure_{figure}"
        input:
            metrics="results/metrics.csv",
            fid=[CHAINS[0].fid(CHAINS[0].generations)] * (figure == "fd"),
            paper=[PAPER_CURVES] * (figure in WITH_PAPER),
        output:
            png=f"results/figures/{figure}.png",
            svg=report(
                f"results/figures/{figure}.svg",
                caption=f"../report/{figure}.rst",
                category="Figures",
                labels={"figure": figure},
            ),
            pdf=f"results/figures/{figure}.pdf",
        log:
            f"results/logs/figure_{figure}.log",
        benchmark:
            f"results/benchmarks/figure_{figure}.tsv"
        conda:
            "../../envs/analysis.yaml"
        resources:
            **CHAINS[0].config["resources"]["select"],
        params:
            figure=figure,
            options=figure_options(figure),
        shell:
            f"python {SCRIPTS}/plot_figure.py"
            " --figure {params.figure} --metrics {input.metrics:q} {params.options}"
            " --output {output:q} 2>&1 | tee {log:q}"


rule figure_pca:
    input:
        sorted({path for row in pca_rows() for path in (row["real"], *row["generations"].values())}),
    output:
        png="results/figures/pca.png",
        svg=report(
            "results/figures/pca.svg",
            caption="../report/pca.rst",
            category="Figures",
            labels={"figure": "pca"},
        ),
        pdf="results/figures/pca.pdf",
    log:
        "results/logs/figure_pca.log",
    benchmark:
        "results/benchmarks/figure_pca.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **CHAINS[0].config["resources"]["select"],
    params:
        chains=json.dumps(pca_rows()),
        space=CHAINS[0].config["selection"]["space"],
        seed=CHAINS[0].seed,
        threads=CHAINS[0].config["threads"]["select"],
    shell:
        f"python {SCRIPTS}/plot_pca.py"
        " --chains {params.chains:q} --space {params.space} --seed {params.seed} --threads {params.threads}"
        " --output {output:q} 2>&1 | tee {log:q}"


localrules:
    figures,


rule figures:
    input:
        FIGURES,
