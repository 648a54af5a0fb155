"""The curves of arXiv 2509.16499, and which arm of a run each of them can stand beside.

A curve of the paper is drawn beside an arm only where everything that it depends on and that the config says agrees:
paradigm, rule, N, pool, decay, feature space of the selection, guidance, reference, and the metric's own feature space
and distance. Training hyperparameters are not compared: `report.paper` is for configs that have the paper's.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np

from selfloop.errors import UserError
from selfloop.metrics_table import Panel, Series
from selfloop.style import count

CONDITIONS = ("paradigm", "rule", "n", "pool_factor", "alpha", "selection_space", "guidance_scale", "reference")
COLUMNS = ("setting", *CONDITIONS, "metric", "space", "distance", "generation", "value", "precision", "source")
SPACES = ("inception_paper", "dinov2", "pixels")  # by plug-in, whatever a config calls the space
_RULES = {"keep_all": "none", "random": "none", "stratified": "none", "greedy": "greedy",
          "threshold_decay": "threshold_decay"}  # fmt: skip
_ALPHA = 0.95  # threshold_decay.py's own default


class Curve(NamedTuple):
    """One curve of the paper. A condition is text, "" where the curve does not depend on it."""

    setting: str
    conditions: Mapping[str, str]
    panel: Panel  # space as in SPACES
    points: Series
    precision: str
    source: str


def describe(config: Mapping) -> dict:
    """Return what of a chain's settings decides which curves of the paper it compares with: conditions and spaces.

    ``config`` is resolved, as in results/config.resolved.yaml. The rule of a script that the paper does not have, and
    the paradigm of one with a share of real data, are named so that nothing agrees with them.
    """
    training_set, selection = config["training_set"], config["selection"]
    plugins = {name: PurePath(space["plugin"]).stem for name, space in config["embedder"]["spaces"].items()}
    rule = _RULES.get(_shipped(selection["script"]), "another")
    alpha = selection["params"].get("alpha", _ALPHA)
    return {
        "paradigm": training_set["paradigm"] if training_set["real_fraction"] == 0 else "mixed",
        "rule": "all" if training_set["size"] == "pool" else rule,
        "n": str(training_set["n"]),
        "pool_factor": f"{config['sampling']['pool_factor']:g}",
        "alpha": f"{alpha:g}" if isinstance(alpha, (int, float)) else str(alpha),
        "selection_space": plugins[selection["space"]],
        "guidance_scale": _guidance(config),
        "reference": config["evaluate"]["reference"],
        "spaces": {name: plugin for name, plugin in plugins.items() if plugin in SPACES},
    }


def _guidance(config: Mapping) -> str:
    """Return w of a class-conditional model (ddpm.py), "none" of an unconditional one."""
    if config["generator"]["params"].get("num_classes") is None:
        return "none"
    params = config["sampling"]["params"]
    constant = params.get("guidance_schedule", "constant") == "constant"
    return f"{params.get('guidance_scale', 1.0):g}" if constant else "scheduled"


def _shipped(script: str) -> str:
    """Return the name of a shipped rule, "" for a script from elsewhere."""
    path = PurePath(script)
    return path.stem if path.parts[-3:-1] == ("plugins", "selectors") else ""


def read_curves(path: str | Path, settings: Sequence[str]) -> list[Curve]:
    """Read the curves of ``settings`` (the column `setting`); UserError on a setting that has none, or a wrong row."""
    rows: dict[tuple, list[dict]] = {}
    with open(path, newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise UserError(f"{path}: the columns are {reader.fieldnames}, not {list(COLUMNS)}")
        for row in reader:
            rows.setdefault(tuple(row[name] for name in COLUMNS[: COLUMNS.index("generation")]), []).append(row)
    known = list(dict.fromkeys(key[0] for key in rows))
    for setting in settings:
        if setting not in known:
            raise UserError(f"the paper has no setting '{setting}' (known: {', '.join(known)})")
    return [_curve(points, path) for key, points in rows.items() if key[0] in settings]


def _curve(rows: Sequence[Mapping], path) -> Curve:
    first = rows[0]
    try:
        values = {int(row["generation"]): float(row["value"]) for row in rows}
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    panel = Panel(first["metric"], first["space"], first["distance"])
    generation = np.arange(min(values), max(values) + 1)  # a gap where the paper has no value: nothing is interpolated
    value = np.array([values.get(int(g), np.nan) for g in generation])
    points = Series(generation, value, np.full(len(value), np.nan))
    return Curve(first["setting"], {name: first[name] for name in CONDITIONS}, panel, points, first["precision"],
                 first["source"])  # fmt: skip


def agrees(curve: Curve, arm: Mapping) -> bool:
    """Whether everything that ``curve`` depends on is so in an arm (see `describe`)."""
    return all(arm[name] == wanted for name, wanted in curve.conditions.items() if wanted)


class Overlay(NamedTuple):
    """The curves of the paper that were asked for, and what each arm of a table is (see `describe`)."""

    curves: Sequence[Curve] = ()
    arms: Mapping[str, Mapping] = {}

    def beside(self, panel: Panel) -> dict[str, list[Curve]]:
        """Return arm -> curves that may be drawn in ``panel``, each beside the first arm that it agrees with."""
        found: dict[str, list[Curve]] = {}
        for curve in self.curves:
            for name, arm in self.arms.items():
                space = arm["spaces"].get(panel.space, "") if panel.space else ""
                if curve.panel == panel._replace(space=space) and agrees(curve, arm):
                    found.setdefault(name, []).append(curve)
                    break
        return found

    def note(self, metric: str, drawn: Sequence[Curve]) -> str:
        """Return the lines that say where the ``drawn`` curves come from, or why a figure of ``metric`` has none."""
        told = dict.fromkeys((curve.setting, curve.precision, curve.source) for curve in drawn)
        if told or not self.curves:
            return "\n".join(f"Paper, {setting}: {source}; {precision}" for setting, precision, source in told)
        settings = ", ".join(dict.fromkeys(curve.setting for curve in self.curves))
        mine = [curve for curve in self.curves if curve.panel.metric == metric]
        if not mine:
            return f"No curve of the paper here: there is none of this metric ({settings})."
        spaces = ", ".join(dict.fromkeys(f"space {c.panel.space}" if c.panel.space else "no space" for c in mine))
        sizes = ", ".join(dict.fromkeys(count(int(c.conditions["n"])) for c in mine))
        return (f"No curve of the paper here: no arm agrees with one in space, paradigm, rule, N and pool ({settings}: "
                f"{spaces}, N = {sizes}).")  # fmt: skip
