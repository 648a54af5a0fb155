"""The figures that are targets, one metric against another: entropy or spread of the training sets against log GS.

Pure drawing: a ``metrics_table.Table`` in, a matplotlib Figure out. Use inside ``selfloop.style.style()``.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from selfloop.errors import UserError
from selfloop.metric_words import words
from selfloop.metrics_table import Panel, Table
from selfloop.panels import layout, log_ticks, plain_numbers, title
from selfloop.statistics import Correlation, pearson
from selfloop.style import WIDTH, count, line_style

_MOST_ACROSS = 4


class Against(NamedTuple):
    """Two metrics of a training set; a log axis also means that r is of the logarithm."""

    x: str
    y: str
    log_x: bool
    log_y: bool
    name_x: str  # at the axis; the unit follows
    name_y: str
    in_words: str  # what r is between


AGAINST = {
    # figure 4 of arXiv 2509.16499
    "entropy_gs": Against(
        "entropy_train", "gs", False, True, "entropy of the training set", "GS", "entropy and log GS"
    ),
    "trace_gs": Against("trace_cov_train", "gs", True, True, "training set", "GS", "log trace and log GS"),
}


class Points(NamedTuple):
    """Two metrics of the same training sets, in the order of the table: arrays of one length."""

    arm: list[str]
    seed: list[int]
    generation: list[int]
    x: np.ndarray  # float64
    y: np.ndarray  # float64
    counted: np.ndarray  # bool: of training sets of the most common size, and so part of r
    n: int | None  # that size

    def chains(self) -> list[tuple[str, int]]:
        """Return the chain of each point, as (arm, seed)."""
        return list(zip(self.arm, self.seed, strict=True))


def paired(table: Table, x: Panel, y: Panel, how: Against) -> Points:
    """Return the points where both metrics are defined (and positive on a log axis), each once.

    A generation that an arm shares with the main chain stands in metrics.csv for both, with the same numbers: it is one
    point, of the first arm. Entropies compare only at equal N, so points of another N than most have are not counted.
    """
    other = {(row.arm, row.seed, row.generation): row.value for row in table.panels[y]}
    found = {}
    for row in table.panels[x]:
        value = other.get((row.arm, row.seed, row.generation), np.nan)
        low_x, low_y = 0.0 if how.log_x else -np.inf, 0.0 if how.log_y else -np.inf
        if low_x < row.value < np.inf and low_y < value < np.inf:
            found.setdefault((row.seed, row.generation, row.value, value), row)
    sizes = [row.n for row in found.values()]
    n = max(sizes, key=sizes.count, default=None)
    return Points(
        [row.arm for row in found.values()],
        [row.seed for row in found.values()],
        [row.generation for row in found.values()],
        np.array([key[2] for key in found]),
        np.array([key[3] for key in found]),
        np.array([size == n for size in sizes], dtype=bool),
        n,
    )


def correlation(points: Points, how: Against) -> Correlation:
    """Return Pearson's r of the counted points, of the logarithm where the axis is one; chains are resampled whole."""
    x, y = points.x[points.counted], points.y[points.counted]
    chains = [chain for chain, kept in zip(points.chains(), points.counted, strict=True) if kept]
    return pearson(np.log(x) if how.log_x else x, np.log(y) if how.log_y else y, chains)


def one_against_another(table: Table, figure: str):
    """Draw the two metrics of ``figure`` against each other, a panel per feature space, with r and its interval."""
    how = AGAINST[figure]
    pairs = [(x, y) for x in table.panels_of(how.x) for y in table.panels_of(how.y) if x.space == y.space]
    found = [paired(table, x, y, how) for x, y in pairs]
    if not pairs:
        raise UserError(f"figure {figure}: no feature space has both {how.x} and {how.y}")
    across = min(_MOST_ACROSS, len(pairs))
    size = (min(WIDTH, 5.5) if across == 1 else max(WIDTH / across, 3.4), 3.4)
    made, axes = layout(len(pairs), across, size, _handles(table), _note(how, found), lines=False)
    for ax, (x, y), points in zip(axes, pairs, found, strict=True):
        _draw(ax, table, x, y, points, how)
    return made


def _draw(ax, table: Table, x: Panel, y: Panel, points: Points, how: Against) -> None:
    for position, arm in enumerate(table.arms):
        look, mine = line_style(position), np.array([name == arm for name in points.arm], dtype=bool)
        for rows, face in ((mine & points.counted, look.color), (mine & ~points.counted, "white")):
            ax.plot(points.x[rows], points.y[rows], look.marker, color=look.color, markerfacecolor=face, alpha=0.8,
                    markeredgewidth=0.7, zorder=3 - 0.01 * position)  # fmt: skip
    ax.grid(True, axis="both")
    log_x, log_y = how.log_x and len(points.x) > 0, how.log_y and len(points.y) > 0
    ax.set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    for axis, log, values in ((ax.xaxis, log_x, points.x), (ax.yaxis, log_y, points.y)):
        if log:
            log_ticks(axis, values)
        else:
            axis.set_major_formatter(plain_numbers())
    small = f"space: {x.space}, N = {count(points.n)}" if points.n is not None else f"space: {x.space}"
    title(ax, _in_words(correlation(points, how)), small)
    ax.set_xlabel(_axis(x, how.name_x, how.log_x))
    ax.set_ylabel(_axis(y, how.name_y, how.log_y))


def _axis(panel: Panel, name: str, log: bool) -> str:
    unit = words(panel.metric).unit.format(distance={"l2": "L2", "mse": "MSE"}.get(panel.distance, panel.distance))
    return f"{name}, {unit}{' (log axis)' if log else ''}"


def _in_words(found: Correlation) -> str:
    if not np.isfinite(found.r):
        return "r is not defined"
    low, high = found.bootstrap if np.isfinite(found.bootstrap[0]) else found.fisher
    return f"r = {found.r:.3f} (95 %: {low:.3f} to {high:.3f}), {count(found.n)} points"


def _note(how: Against, found: Sequence[Points]) -> str:
    chains = max(len(set(points.chains())) for points in found)
    interval = (f"bootstrap over {chains} chains" if chains > 1
                else "Fisher's, which takes the generations of one chain as independent")  # fmt: skip
    lines = ["A point is a generation of a chain, one that arms share drawn once.",
             f"r: Pearson's, between {how.in_words}; interval: {interval}."]  # fmt: skip
    left_out = max(int((~points.counted).sum()) for points in found)
    if left_out:
        lines.append(f"Hollow: {count(left_out)} points of another N, not part of r.")
    return "\n".join(lines)


def _handles(table: Table) -> list:
    from matplotlib.lines import Line2D

    looks = {arm: line_style(position) for position, arm in enumerate(table.arms)}
    return [Line2D([], [], linestyle="", marker=look.marker, color=look.color, markeredgewidth=0.7, label=arm)
            for arm, look in looks.items()]  # fmt: skip
