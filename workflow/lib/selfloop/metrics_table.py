"""metrics.csv as a table of panels: a metric in one feature space, by arm, generation and seed."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from selfloop.errors import UserError

COLUMNS = ("arm", "seed", "generation", "metric", "value", "n", "n_reference", "space", "distance")


class Row(NamedTuple):
    """One row of metrics.csv; ``space`` and ``distance`` are "" where the metric has none."""

    arm: str
    seed: int
    generation: int
    metric: str
    value: float  # NaN where the metric is not defined
    n: int | None
    n_reference: int | None
    space: str
    distance: str


class Panel(NamedTuple):
    """What one panel of a figure shows; ``space`` and ``distance`` are "" where the metric has none."""

    metric: str
    space: str
    distance: str


class Series(NamedTuple):
    """One metric of one arm: equally long arrays over its generations."""

    generation: np.ndarray  # int64 G, ascending
    mean: np.ndarray  # float64 G, over the seeds that have a value; NaN where none has
    error: np.ndarray  # float64 G, standard error of that mean (ddof = 1); NaN for fewer than two seeds


class Table(NamedTuple):
    """The rows of metrics.csv by panel, and the number of seeds of each arm; both in the order of their first row."""

    panels: dict[Panel, list[Row]]
    arms: dict[str, int]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Table":
        """Group rows; the panels of one feature space stand together."""
        found: dict[Panel, list[Row]] = {}
        seeds: dict[str, set[int]] = {}
        for row in rows:
            found.setdefault(Panel(row.metric, row.space, row.distance), []).append(row)
            seeds.setdefault(row.arm, set()).add(row.seed)
        spaces = list(dict.fromkeys(panel.space for panel in found))
        ordered = sorted(found, key=lambda panel: spaces.index(panel.space))
        return cls({panel: found[panel] for panel in ordered}, {arm: len(s) for arm, s in seeds.items()})

    def generations(self) -> tuple[int, int]:
        """Return the first and the last generation of the table."""
        found = {row.generation for rows in self.panels.values() for row in rows}
        return min(found), max(found)

    def values(self, panel: Panel) -> np.ndarray:
        """Return the values of one panel: float64, NaN where undefined."""
        return np.array([row.value for row in self.panels[panel]])

    def panels_of(self, metric: str) -> list[Panel]:
        """Return the panels of one metric, one for each feature space; UserError where the table has none."""
        mine = [panel for panel in self.panels if panel.metric == metric]
        if not mine:
            known = ", ".join(dict.fromkeys(panel.metric for panel in self.panels))
            raise UserError(f"no metric '{metric}' in the table (has: {known})")
        return mine

    def series(self, panel: Panel) -> dict[str, Series]:
        """Return arm -> Series for every arm of the table, in its order (so that line styles agree between panels)."""
        return self._series(self.panels[panel])

    def ratio(self, panel: Panel, baseline: Panel) -> dict[str, Series]:
        """Return arm -> Series of ``panel`` divided by ``baseline``, seed by seed, before the mean over seeds.

        Generations of a seed that lack one of the two, or where the baseline is 0, are left out.
        """
        under = {(row.arm, row.seed, row.generation): row.value for row in self.panels[baseline]}
        over = [(row, under.get((row.arm, row.seed, row.generation), 0)) for row in self.panels[panel]]
        return self._series([row._replace(value=row.value / value) for row, value in over if value])

    def _series(self, rows: Sequence[Row]) -> dict[str, Series]:
        values: dict[str, dict[int, list[float]]] = {arm: {} for arm in self.arms}
        for row in rows:
            values[row.arm].setdefault(row.generation, []).append(row.value)
        return {arm: _over_seeds(by_generation) for arm, by_generation in values.items()}


def _over_seeds(by_generation: dict[int, list[float]]) -> Series:
    generation = np.array(sorted(by_generation), dtype=np.int64)
    mean, error = np.full(len(generation), np.nan), np.full(len(generation), np.nan)
    for position, g in enumerate(generation):
        found = np.array([value for value in by_generation[int(g)] if not np.isnan(value)])
        if len(found):
            mean[position] = found.mean()
        if len(found) > 1:
            error[position] = found.std(ddof=1) / np.sqrt(len(found))
    return Series(generation, mean, error)


def read_metrics(path: str | Path) -> list[Row]:
    """Read metrics.csv; an empty value becomes NaN. UserError on other columns, on what is no number, or on no rows."""
    try:
        with open(path, newline="", encoding="utf-8") as handle:
            reader = csv.DictReader(handle)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise UserError(f"{path}: the columns are {reader.fieldnames}, not {list(COLUMNS)}")
            rows = [_row(raw, f"{path}, line {reader.line_num}") for raw in reader]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    if not rows:
        raise UserError(f"{path}: no rows, nothing to draw")
    return rows


def _row(raw: dict[str, str], where: str) -> Row:
    try:
        value = float(raw["value"]) if raw["value"] else np.nan
        n, n_reference = (int(raw[name]) if raw[name] else None for name in ("n", "n_reference"))
        seed, generation = int(raw["seed"]), int(raw["generation"])
        return Row(raw["arm"], seed, generation, raw["metric"], value, n, n_reference, raw["space"], raw["distance"])
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: not a row of metrics.csv ({error})") from None
