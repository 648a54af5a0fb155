"""Data sets and weights from the network, each once: `snakemake --cores 1 fetch_<name>`.

A run of its own on a machine with a network. No file of it is an input or an output of a rule: nothing else ever asks
for a download, and what was put there by hand is checked and kept.

OUTPUTS
    resources/<name>/                the published files, whole (fetch.folder)
"""

for name in SOURCES:

    rule:
        name:
            f"fetch_{name}"
        log:
            f"results/logs/fetch_{name}.log",
        localrule: True
        conda:
            "../../envs/analysis.yaml"
        params:
            name=name,
            folder=CHAINS[0].config["fetch"]["folder"],
            mirror=["--mirror", CHAINS[0].config["fetch"]["mirror"]] if CHAINS[0].config["fetch"]["mirror"] else [],
        shell:
            f"python {SCRIPTS}/fetch.py"
            " --name {params.name} --folder {params.folder:q} {params.mirror:q} 2>&1 | tee {log:q}"
