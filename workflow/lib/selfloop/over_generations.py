"""The figures that are targets, over the generations: a row of panels for each metric, a panel for each feature space.

Pure drawing: a ``metrics_table.Table`` in, a matplotlib Figure out. Use inside ``selfloop.style.style()``.
"""

from collections.abc import Mapping, Sequence

from selfloop.errors import UserError
from selfloop.metric_words import words
from selfloop.metrics_table import Table
from selfloop.panels import baseline_of, draw_panel, draw_ratio, generation_axes, layout, legend_handles
from selfloop.paper import Curve, Overlay
from selfloop.style import WIDTH

# Figure -> its metrics, a row of panels for each.
OVER_GENERATIONS = {
    "fd": ("fd",),
    "gs": ("gs",),
    "entropy": ("entropy_train", "entropy_samples"),
    "real_share": ("real_share",),
}
_MOST_ACROSS = 4


def over_generations(
    table: Table, figure: str, overlay: Overlay | None = None, labels: Mapping[str, str] | None = None
):
    """Draw the metrics of ``figure`` over the generations; GS also relative to its baseline.

    ``overlay`` are curves of the paper; ``labels`` feature space -> name of the y axis of the first metric.
    """
    first, last = table.generations()
    if first == last:
        raise UserError(f"figure {figure}: there is only generation {last}, no curve over the generations")
    overlay, metrics = overlay or Overlay(), OVER_GENERATIONS[figure]
    drawn = [panel for metric in metrics for panel in table.panels_of(metric)]
    ratios = [panel for panel in drawn if words(panel.metric).ratio and baseline_of(table, panel)]
    paper = {panel: overlay.beside(panel) for panel in drawn}
    curves = [curve for arms in paper.values() for found in arms.values() for curve in found]
    across = min(_MOST_ACROSS, len(table.panels_of(metrics[0])))
    handles = legend_handles(
        table,
        any(baseline_of(table, panel) for panel in drawn),
        _faint(curves),
    )
    size = (WIDTH if across == 1 else max(WIDTH / across, 3.0), 2.9)
    made, axes = layout(len(drawn) + len(ratios), across, size, handles, overlay.note(metrics[0], curves))
    generation_axes(axes, across, (first, last))
    for ax, panel in zip(axes, drawn, strict=False):
        label = (labels or {}).get(panel.space, "") if panel.metric == metrics[0] else ""
        also = {arm: [curve.points for curve in found] for arm, found in paper[panel].items()}
        draw_panel(ax, table, panel, label, also)
    for ax, panel in zip(axes[len(drawn) :], ratios, strict=True):
        draw_ratio(ax, table, panel)
    return made


def _faint(curves: Sequence[Curve]) -> str:
    spaces = " and ".join(dict.fromkeys(curve.panel.space for curve in curves))
    return f"pale, hollow: the paper{f' (space {spaces} only)' if spaces else ''}" if curves else ""
