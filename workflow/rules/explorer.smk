"""One page to look at a run: results/explorer.html, opened by a double click.

INPUTS
    results/metrics.csv; samples, training sets and tracked samples of the pictured generations of every chain
    workflow/resources/explorer: the page without its data
OUTPUTS
    results/explorer.html    one file, of at most report.explorer_mb
"""


rule explorer:
    input:
        metrics="results/metrics.csv",
        page=sorted(map(os.path.relpath, (HOME / "resources/explorer").iterdir())),
        images=sorted({path for link in PICTURED for path in explorer_files(link)}),
    output:
        in_report(
            "results/explorer.html",
            2_000_000,
            caption="../report/explorer.rst",
            category="Explorer",
            labels={"figure": "samples, curves, numbers"},
        ),
    log:
        "results/logs/explorer.log",
    benchmark:
        "results/benchmarks/explorer.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: CHAINS[0].config["threads"]["select"]
    resources:
        **CHAINS[0].config["resources"]["select"],
    params:
        chains=json.dumps([explorer_chain(link) for link in CHAINS]),
        rows=CHAINS[0].config["report"]["rows"],
        images=CHAINS[0].config["report"]["images"],
        pairs=CHAINS[0].config["report"]["pairs"],
        limit=CHAINS[0].config["report"]["explorer_mb"],
        threads=CHAINS[0].config["threads"]["select"],
    shell:
        f"python {SCRIPTS}/explorer.py"
        " --metrics {input.metrics:q} --chains {params.chains:q}"
        " --rows {params.rows} --images {params.images} --pairs {params.pairs}"
        " --limit-mb {params.limit} --threads {params.threads}"
        " --page {input.page:q} --output {output:q} 2>&1 | tee {log:q}"
