"""All the Python of the workflow: the config checked, the chains planned, and what the rules are bound to.

Rules are made by module-level loops. What a loop variable holds is bound in `input`, `output`, `log` and `params`;
a loop variable in `shell:` text would be its last value in every rule.
"""

import gc
import json
import os
import re
import shlex
import sys
from pathlib import Path

import yaml

# Rules and jobs live to the end: looking for garbage among them takes a tenth of the time that it takes to load them.
gc.set_threshold(100_000, 20, 100)

HOME = Path(str(workflow.current_basedir)).parent  # the folder workflow/
sys.path.insert(0, str(HOME / "lib"))

from selfloop.config import count_items, merge, read_yaml, resolve
from selfloop.errors import UserError
from selfloop.figure_plan import NAMES as FIGURE_NAMES, spread_generations, why_not
from selfloop.hardware import detect
from selfloop.paper import describe
from selfloop.plan import chains
from selfloop.sources import SOURCES
from selfloop.versions import RESULTS_VERSION

SCRIPTS = os.path.relpath(HOME / "scripts")
# A fetch is a run of its own: it has no other rules, and does not ask for the data that it is there to bring.
FETCHING = any(word.partition(":")[0] in {f"fetch_{name}" for name in SOURCES} for word in sys.argv[1:])


def find(path):
    """Return a plug-in's path relative to the working folder: looked for there, then beside the workflow; else None."""
    for base in (Path(), HOME.parent):
        if (base / path).exists():
            return Path(path) if Path(path).is_absolute() else Path(os.path.relpath(base / path))
    return None


try:
    for path in workflow.configfiles:  # which Snakemake has read, without a word about keys that stand twice
        if Path(path).suffix in (".yaml", ".yml"):
            read_yaml(path)
    overrides = workflow.config_settings.overwrite_config
    whole = IN_A_MODULE_WITH_CONFIG or workflow.config_settings.replace_workflow_config
    if overrides and DEFAULTS.is_file() and not whole:
        # Snakemake has merged --configfile already, but kept the params of a plug-in that it replaces.
        config = merge(read_yaml(DEFAULTS), overrides)
    RESOLVED = resolve(
        config,
        schema=yaml.load(
            (HOME / "schemas/config.schema.yaml").read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        ),
        find=find,
        count_items=None if FETCHING else count_items,
        hardware=detect(),
        source=", ".join(map(os.path.relpath, workflow.configfiles)) or "the config",
    )
except UserError as error:
    print(error, file=sys.stderr)
    sys.exit(2)

CHAINS = chains(RESOLVED.chains)
STAGES = {
    "data": lambda link: [0],
    "heldout": lambda link: [0],
    "embed_heldout": lambda link: [0],
    "fresh": lambda link: range(2, link.generations + 1) if link.fresh else [],
    "embed_fresh": lambda link: range(2, link.generations + 1) if link.fresh else [],
    "train_embedder": lambda link: [name for name, space in link.spaces.items() if space["fitted"]],
    "train": lambda link: range(1, link.generations + 1),
    "sample": lambda link: range(1, link.generations + 1),
    "embed": lambda link: range(link.generations + 1),
    "select": lambda link: range(link.generations),
    "evaluate": lambda link: range(1, link.generations + 1),
}


def jobs(stage):
    """Return (link, generation) of every rule of a stage; for `train_embedder` the second is the feature space."""
    return [(link, g) for link in CHAINS for g in STAGES[stage](link) if link.owns(stage, g)]


def machine(link, *names):
    """Return the options that say on what and how a stage computes."""
    values = {name: link.config[name] for name in names}
    return " ".join(
        f"--{name}" if value is True else f"--{name} {value}" for name, value in values.items() if value is not False
    )


def option(name, value):
    """Return `--name value`, or nothing where the value is None."""
    return "" if value is None else f"--{name} {value}"


def space_options(link, space_path):
    """Return the `--space` options of an embed stage; `space_path` gives the output of a space by its name."""
    return [
        json.dumps(
            {
                "name": name,
                "plugin": space["plugin"],
                "params": space["params"],
                "state": link.embedder(name) if space["fitted"] else None,
                "output": space_path(name),
            }
        )
        for name, space in link.spaces.items()
    ]


def selection_options(link, g):
    """Return the options of select_g{g} that depend on the paradigm, as shell text."""
    space, training_set = link.config["selection"]["space"], link.config["training_set"]
    heldout = link.config["selection"]["reference"] == "heldout"
    options = {
        "selector": link.config["selection"]["script"],
        "reference": link.heldout_embeddings(space) if heldout else link.embeddings(space, 0),
        "paradigm": training_set["paradigm"],
        "previous": link.training_set(g) if training_set["paradigm"] == "accumulate" else None,
        "real": link.embeddings(space, 0) if link.real and not link.fresh else None,
        "real-n": link.real or None,
        "fresh": link.fresh_embeddings(space, g + 1) if link.fresh else None,
        "selection": f"{link.folder}/gen{g}/selection.parquet",
    }
    return " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in options.items() if value is not None)


def evaluation_files(link, g, spaces):
    """Return the `SPACE=FILE` options of evaluate_g{g} as shell text."""
    fresh = link.fresh and g > 1
    files = {
        "samples": [(space, link.embeddings(space, g)) for space in spaces],
        "real": [(space, link.embeddings(space, 0)) for space in spaces],
        "heldout": [(space, link.heldout_embeddings(space)) for space in spaces],
        "pool": [(space, link.embeddings(space, k)) for k in link.trained_on(g) for space in spaces]
        + [(space, link.fresh_embeddings(space, g)) for space in spaces if fresh],
    }
    return " ".join(
        f"--{name}-embeddings " + " ".join(shlex.quote(f"{space}={path}") for space, path in pairs)
        for name, pairs in files.items()
    )


def embedder_files(link):
    """Return the plug-in files and fitted states that an embed stage reads."""
    fitted = [link.embedder(name) for name, space in link.spaces.items() if space["fitted"]]
    return [space["plugin"] for space in link.spaces.values()] + fitted


def group(link, g):
    """Return the group that joins embed, select and evaluate of a generation into one cluster job, if asked for."""
    return f"finish_g{g}{link.suffix}" if link.config["group_jobs"] else None


def makes_images(link):
    """Whether a chain's samples are images; those of a closed-form family (its plug-in says so) are numbers."""
    text = Path(link.config["generator"]["plugin"]).read_text(encoding="utf-8")
    return re.search(r'^FAMILY = "closed_form"', text, re.MULTILINE) is None


def spread(last, most=11):
    """Return at most `most` generations from 0 to `last`, evenly spread, with 0, 1 and the last one."""
    if last < most:
        return list(range(last + 1))
    return [0] + [1 + round(k * (last - 1) / (most - 2)) for k in range(most - 1)]


def chain_rows():
    """Return the `--chains` of collect.py: one entry for each run of generations whose files lie side by side."""
    rows = []
    for link in CHAINS:
        for g in range(1, link.generations + 1):
            path = re.sub(r"gen\d+(?=/metrics\.json$)", "gen*", link.metrics(g))
            if rows and rows[-1]["path"] == path and (rows[-1]["arm"], rows[-1]["seed"]) == (link.arm, link.seed):
                rows[-1]["generation"][1] = g
            else:
                rows.append({"arm": link.arm, "seed": link.seed, "generation": [g, g], "path": path})
    return rows


def runs(path, generations):
    """Return `path(g)` of ascending generations as {"2-10": "results/greedy/gen*/..."}, one entry a run alike."""
    found = []
    for g in generations:
        pattern = re.sub(rf"(?<=/gen){g}(?=[/.])", "*", path(g))
        if found and found[-1][2] == pattern and found[-1][1] == g - 1:
            found[-1][1] = g
        else:
            found.append([g, g, pattern])
    return {f"{first}-{last}": pattern for first, last, pattern in found}


def arm_differences(arm):
    """Return what sets an arm apart, as `key: value` in the words of the config; nothing for the main chain."""

    def flat(prefix, value):
        if not isinstance(value, dict) or not value:
            return [f"{prefix}: {value if isinstance(value, str) else json.dumps(value)}"]
        return [text for key, child in value.items() for text in flat(f"{prefix}.{key}" if prefix else key, child)]

    return "; ".join(flat("", (config.get("arms") or {}).get(arm) or {})) if arm != "main" else ""


def generation_label(link, g):
    """Return what a generation is called in the report, which sorts its entries as text: blanks before short numbers."""
    return f"generation {str(g).rjust(len(str(link.generations)))}"


def in_report(path, most, **entry):
    """Return `path`, put into the report if it is there and has at most `most` bytes (a report is one file)."""
    return report(path, **entry) if Path(path).exists() and Path(path).stat().st_size <= most else path


def tracked(link, g):
    """Return the path of the samples of the same seeds that sample_tracked makes."""
    return f"{link.folder}/figures/tracked/gen{g}.npy"


def explorer_chain(link):
    """Return the entry of a chain in the `--chains` of explorer.py."""
    pictured = spread(link.generations) if link in PICTURED else []
    all_of_them = range(link.generations + 1) if pictured else []
    return {
        "arm": link.arm,
        "seed": link.seed,
        "about": arm_differences(link.arm),
        "evaluated": link.evaluated,
        "pictured": pictured,
        "samples": runs(link.samples, all_of_them),
        "training_set": runs(link.training_set, pictured[1:]),
        "fresh": runs(link.fresh_samples, [g for g in pictured if g > 1]) if link.fresh else {},
        "tracked": runs(lambda g: tracked(link, g), pictured[1:]),
    }


def explorer_files(link):
    """Return the files of images and training sets that explorer.py reads of a chain."""
    shown = spread(link.generations)
    generations = sorted({0, *shown, *(k for g in shown[1:] for k in link.trained_on(g))})
    return (
        [path(g) for g in generations for path in (link.samples, link.samples_table)]
        + [link.training_set(g) for g in shown[1:]]
        + [link.fresh_samples(g) for g in shown[2:] if link.fresh]
        + [tracked(link, g) for g in shown[1:]]
    )


def figure_options(figure):
    """Return the options of a named figure that depend on the config, as shell text."""
    options = []
    if figure == "fd":
        options += ["--fid", CHAINS[0].fid(CHAINS[0].generations)]
        options += ["--fid-space", CHAINS[0].config["evaluate"]["distribution"][0]]
    if figure in WITH_PAPER:
        arms = {link.arm: describe(link.config) for link in CHAINS if link.seed == CHAINS[0].seed}
        options += ["--paper", *PAPER, "--paper-curves", PAPER_CURVES, "--arms", json.dumps(arms)]
    return shlex.join(options)


def pca_rows():
    """Return the `--chains` of plot_pca.py: the chains of the first seed that have the main chain's selection space."""
    space = CHAINS[0].config["selection"]["space"]
    shown = spread_generations(max(link.generations for link in CHAINS))
    return [
        {
            "arm": link.arm,
            "n": link.evaluated,
            "real": link.embeddings(space, 0),
            "generations": {g: link.embeddings(space, g) for g in shown if g <= link.generations},
        }
        for link in CHAINS
        if link.seed == CHAINS[0].seed and space in link.spaces
    ]


PICTURED = [link for link in CHAINS if makes_images(link)]
MOMENTS = [link for link in CHAINS if not makes_images(link)]
GRIDS = [(link, g) for link in PICTURED for g in spread(link.generations) if link.owns("sample" if g else "data", g)]
NEAREST = [(link, g) for link in PICTURED for g in sorted({1, link.generations}) if link.owns("evaluate", g)]
ENDINGS = ("png", "svg", "pdf")
FIGURES = [
    "results/figures/curves.png",
    *(f"{link.folder}/figures/grid_g{g}.png" for link, g in GRIDS),
    *(f"{link.folder}/figures/nearest_g{g}.{ending}" for link, g in NEAREST for ending in ENDINGS),
    *(f"{link.folder}/figures/evolution.{ending}" for link in PICTURED for ending in ENDINGS),
    *(f"{link.folder}/figures/moments.png" for link in MOMENTS),
]
PAPER = CHAINS[0].config["report"]["paper"]
PAPER_CURVES = os.path.relpath(HOME / "resources/paper_2509.16499.csv")
WITH_PAPER = ("fd", "gs", "entropy", "real_share") if PAPER else ()
SETTINGS = [link.config for link in CHAINS]
NOT_DRAWN = {name: why_not(name, SETTINGS, bool(PICTURED), len(jobs("evaluate"))) for name in FIGURE_NAMES}
FIGURES += [f"results/figures/{name}.{ending}" for name in FIGURE_NAMES if not NOT_DRAWN[name] for ending in ENDINGS]


wildcard_constraints:
    shard=r"\d{4}",


onstart:
    Path("results").mkdir(exist_ok=True)
    record = [{"arm": link.arm, "seed": link.seed, "folder": link.folder, "config": link.config} for link in CHAINS]
    Path("results/config.resolved.yaml").write_text(yaml.safe_dump(record, sort_keys=False, allow_unicode=True))
    for name, reason in NOT_DRAWN.items():
        if reason:
            print(f"figure_{name} is not part of this run: {reason}", file=sys.stderr)
