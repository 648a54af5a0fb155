"""Curves over the generations: every metric of metrics.csv for all arms, and the moments of closed-form families.

Pure drawing: a ``metrics_table.Table`` or arrays in, a matplotlib Figure out. Use inside ``selfloop.style.style()``.
"""

import numpy as np

from selfloop.errors import UserError
from selfloop.metric_words import words
from selfloop.metrics_table import Panel, Table
from selfloop.panels import baseline_of, draw_panel, draw_ratio, generation_axes, layout, legend_handles, title
from selfloop.style import INK, WIDTH, count, line_style

_ACROSS = 4  # panels in a row of the overview
_SAME = 1e-6  # relative; what cannot be told apart in a figure


def overview(table: Table):
    """Draw every metric as one small panel, all arms in each; minor and dull ones are left out, dull ones named.

    Dull: 0 everywhere, or the same as another metric (the entropy of the distinct items without duplicates).
    """
    why = {panel: _dull(table, panel) for panel in table.panels if not words(panel.metric).minor}
    shown = [panel for panel, reason in why.items() if not reason]
    if not shown:
        raise UserError("every metric of the table is 0 or a copy of another: nothing to draw")
    handles = legend_handles(table, any(baseline_of(table, panel) for panel in shown))
    figure, axes = layout(len(shown), _ACROSS, (3.0, 1.85), handles, _not_drawn(why))
    generation_axes(axes, _ACROSS, table.generations())
    for ax, panel in zip(axes, shown, strict=True):
        draw_panel(ax, table, panel)
    return figure


def _not_drawn(why: dict[Panel, str]) -> str:
    names: dict[str, dict[str, None]] = {}
    for panel, reason in why.items():
        if reason:
            names.setdefault(reason, {})[f"{panel.metric} ({panel.space})" if panel.space else panel.metric] = None
    return "\n".join(f"Not drawn, {reason}: {', '.join(found)}" for reason, found in names.items())


def one_metric(table: Table, metric: str):
    """Draw one metric, a panel per feature space; where it means something, the ratio to its baseline below."""
    mine = table.panels_of(metric)
    ratios = [panel for panel in mine if baseline_of(table, panel) and words(metric).ratio]
    handles = legend_handles(table, any(baseline_of(table, panel) for panel in mine))
    size = (max(WIDTH / len(mine), 3.0), 2.9)
    figure, axes = layout(len(mine) + len(ratios), len(mine), size, handles)
    generation_axes(axes, len(mine), table.generations())
    for ax, panel in zip(axes, mine, strict=False):
        draw_panel(ax, table, panel)
    for ax, panel in zip(axes[len(mine) :], ratios, strict=True):
        draw_ratio(ax, table, panel)
    return figure


def moments(generation: np.ndarray, mean: np.ndarray, variance: np.ndarray):
    """Draw mean and variance of closed-form samples over generations: int G, float G x R x d (R replicates).

    Dimensions are averaged; the line is the mean over replicates, the dark band one standard error of it, the light
    band the middle 90 % of the replicates.
    """
    from matplotlib.patches import Patch

    replicates = mean.shape[1]
    bands = [("standard error of the mean", 0.3), ("5 to 95 % of the replicates", 0.1)] if replicates > 1 else []
    handles = [Patch(color=INK, alpha=alpha, linewidth=0, label=label) for label, alpha in bands]
    figure, axes = layout(2, 2, (WIDTH / 2, 2.6), handles)
    generation_axes(axes, 2, (generation.min(), generation.max()))
    for ax, values, name, unit in zip(axes, (mean, variance), ("Mean", "Variance"), ("", ", squared"), strict=True):
        values = values.mean(axis=2)
        average = values.mean(axis=1)
        if bands:
            error = values.std(axis=1, ddof=1) / np.sqrt(replicates)
            ax.fill_between(generation, average - error, average + error, color=INK, alpha=0.3, linewidth=0)
            low, high = np.quantile(values, (0.05, 0.95), axis=1)
            ax.fill_between(generation, low, high, color=INK, alpha=0.1, linewidth=0)
        every = max(1, len(generation) // 12)
        ax.plot(generation, average, markevery=every, markeredgewidth=0, **line_style(0)._asdict())
        title(ax, f"{name} of the samples", f"mean of {count(replicates)} replicates" if bands else "")
        ax.set_ylabel(f"units of the data{unit}")
    return figure


def _dull(table: Table, panel: Panel) -> str:
    twin = panel._replace(metric=words(panel.metric).twin)
    mine = table.values(panel)
    other = table.values(twin) if twin in table.panels else np.empty(0)
    if mine.shape == other.shape and np.allclose(mine, other, rtol=_SAME, equal_nan=True):
        return f"as {twin.metric}"
    return "" if np.any(mine) else "0 everywhere"
