"""Curves over the generations: every metric of metrics.csv for all arms, and the moments of closed-form families.

Pure drawing: a ``metrics_table.Table`` or arrays in, a matplotlib Figure out. Use inside ``selfloop.style.style()``.
"""

import textwrap

import numpy as np

from selfloop.errors import UserError
from selfloop.metric_words import LOGARITHMIC, SHARES, words
from selfloop.metrics_table import Panel, Row, Series, Table
from selfloop.style import INK, MUTED, WIDTH, count, line_style

_ACROSS = 4  # panels in a row of the overview
_LEFT, _RIGHT, _HEAD, _FOOT = 0.72, 0.12, 0.46, 0.32  # inches of a panel around its axes
_ENTRY, _LINE = 2.2, 0.19  # inches of an entry of the legend, wide and high
_SAME = 1e-6  # relative; what cannot be told apart in a figure
_LOG_SPAN = 20.0  # a LOGARITHMIC metric gets a log axis when its largest value is this many times its smallest


def overview(table: Table):
    """Draw every metric as one small panel, all arms in each; minor and dull ones are left out, dull ones named.

    Dull: 0 everywhere, or the same as another metric (the entropy of the distinct items without duplicates).
    """
    why = {panel: _dull(table, panel) for panel in table.panels if not words(panel.metric).minor}
    shown = [panel for panel, reason in why.items() if not reason]
    if not shown:
        raise UserError("every metric of the table is 0 or a copy of another: nothing to draw")
    handles = _legend_handles(table, any(_baseline(table, panel) for panel in shown))
    note = _not_drawn(why)
    figure, axes = _figure(len(shown), _ACROSS, (3.0, 1.85), table.generations(), handles, note)
    for ax, panel in zip(axes, shown, strict=True):
        draw_panel(ax, table, panel)
    return figure


def _not_drawn(why: dict[Panel, str]) -> str:
    names: dict[str, dict[str, None]] = {}
    for panel, reason in why.items():
        if reason:
            names.setdefault(reason, {})[f"{panel.metric} ({panel.space})" if panel.space else panel.metric] = None
    lines = [f"Not drawn, {reason}: {', '.join(found)}" for reason, found in names.items()]
    return "\n".join(textwrap.fill(line, 150, subsequent_indent="    ") for line in lines)


def one_metric(table: Table, metric: str):
    """Draw one metric, a panel per feature space; where it means something, the ratio to its baseline below."""
    mine = [panel for panel in table.panels if panel.metric == metric]
    if not mine:
        known = ", ".join(dict.fromkeys(panel.metric for panel in table.panels))
        raise UserError(f"no metric '{metric}' in the table (has: {known})")
    ratios = [panel for panel in mine if _baseline(table, panel) and words(metric).ratio]
    handles = _legend_handles(table, any(_baseline(table, panel) for panel in mine))
    size = (max(WIDTH / len(mine), 3.0), 2.9)
    figure, axes = _figure(len(mine) + len(ratios), len(mine), size, table.generations(), handles)
    for ax, panel in zip(axes, mine, strict=False):
        draw_panel(ax, table, panel)
    for ax, panel in zip(axes[len(mine) :], ratios, strict=True):
        _draw_ratio(ax, table, panel)
    return figure


def draw_panel(ax, table: Table, panel: Panel) -> None:
    """Draw the curves of one panel: a line per arm, a band of one standard error, a thin line for the baseline."""
    about, baseline = words(panel.metric), _baseline(table, panel)
    for position, curve in enumerate(table.series(panel).values()):
        _draw_curve(ax, curve, position)
    for position, curve in enumerate(table.series(baseline).values() if baseline else ()):
        look, order = line_style(position), 2.5 - 0.01 * position
        ax.plot(curve.generation, curve.mean, color=look.color, linestyle=look.linestyle, linewidth=0.8, zorder=order)
    _title(ax, about.title, _second_line(panel, table.panels[panel]))
    ax.set_ylabel(about.unit.format(distance={"l2": "L2", "mse": "MSE"}.get(panel.distance, panel.distance)))
    _scale(ax, panel.metric, np.concatenate([table.values(key) for key in (panel, baseline) if key]))


def _draw_curve(ax, curve: Series, position: int) -> None:
    look, order = line_style(position), 3 - 0.01 * position  # the main chain on top where arms coincide
    every = max(1, len(curve.generation) // 12)
    ax.plot(curve.generation, curve.mean, markevery=every, markeredgewidth=0, zorder=order, **look._asdict())
    if np.isfinite(curve.error).any():
        low, high = curve.mean - curve.error, curve.mean + curve.error
        ax.fill_between(curve.generation, low, high, color=look.color, alpha=0.18, linewidth=0)


def _draw_ratio(ax, table: Table, panel: Panel) -> None:
    for position, curve in enumerate(table.ratio(panel, _baseline(table, panel)).values()):
        _draw_curve(ax, curve, position)
    ax.axhline(1, color=MUTED, linewidth=0.8)
    _title(ax, "Relative to held-out real images", "1: as far as unseen real images are, 0: copies")
    ax.set_ylabel(f"{panel.metric} / {words(panel.metric).baseline}")


def _scale(ax, metric: str, values: np.ndarray) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    values = values[np.isfinite(values)]
    if metric in SHARES:
        ax.set_ylim(*((-0.02, 1.02) if SHARES[metric] else (0, max(0.1, 1.08 * values.max(initial=0)))))
    elif metric in LOGARITHMIC and len(values) and values.min() > 0 and values.max() > _LOG_SPAN * values.min():
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if values.max() < 200 * values.min() else (1,)))
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))


def moments(generation: np.ndarray, mean: np.ndarray, variance: np.ndarray):
    """Draw mean and variance of closed-form samples over generations: int G, float G x R x d (R replicates).

    Dimensions are averaged; the line is the mean over replicates, the dark band one standard error of it, the light
    band the middle 90 % of the replicates.
    """
    from matplotlib.patches import Patch

    replicates = mean.shape[1]
    bands = [("standard error of the mean", 0.3), ("5 to 95 % of the replicates", 0.1)] if replicates > 1 else []
    handles = [Patch(color=INK, alpha=alpha, linewidth=0, label=label) for label, alpha in bands]
    figure, axes = _figure(2, 2, (WIDTH / 2, 2.6), (generation.min(), generation.max()), handles)
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
        _title(ax, f"{name} of the samples", f"mean of {count(replicates)} replicates" if bands else "")
        ax.set_ylabel(f"units of the data{unit}")
    return figure


def _figure(n: int, across: int, panel: tuple[float, float], generations: tuple[int, int], handles: list, note=""):
    """Return a Figure and ``n`` axes of ``panel`` (width, height) inches, in reading order, between legend and note.

    Places are computed here, not by a layout engine: panels are equally large in every figure, and drawing is quick.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    down, columns = -(-n // across), max(1, int(across * panel[0] / _ENTRY))
    header = 0.12 + _LINE * -(-len(handles) // columns)
    footer = 0.2 + _LINE * len(note.splitlines())
    width, height = across * panel[0], header + down * panel[1] + footer
    figure = Figure(figsize=(width, height))
    if handles:
        figure.legend(handles=handles, loc="upper left", ncols=columns, borderpad=0.8)
    figure.text(_LEFT / width, 0.1 / height, note, size=7.5, color=MUTED, va="bottom", linespacing=1.5)
    apart, axes = 0.04 * max(1, generations[1] - generations[0]), []
    for position in range(n):
        row, column = divmod(position, across)
        left, bottom = column * panel[0] + _LEFT, height - header - (row + 1) * panel[1] + _FOOT
        size = (panel[0] - _LEFT - _RIGHT) / width, (panel[1] - _HEAD - _FOOT) / height
        ax = figure.add_axes((left / width, bottom / height, *size))
        ax.set_xlim(generations[0] - apart, generations[1] + apart)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        ax.set_xlabel("generation" if position + across >= n else "")
        axes.append(ax)
    return figure, axes


def _title(ax, title: str, second_line: str) -> None:
    height = ax.figure.get_figheight() * ax.get_position().height  # inches
    ax.set_title(title, y=1 + 0.22 / height, pad=0)
    ax.text(0, 1 + 0.07 / height, second_line, transform=ax.transAxes, size=7, color=MUTED)


def _legend_handles(table: Table, baseline: bool) -> list:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list = [
        Line2D([], [], markeredgewidth=0, label=f"{arm} ({_seeds(n)})", **line_style(position)._asdict())
        for position, (arm, n) in enumerate(table.arms.items())
    ]
    if baseline:
        handles.append(Line2D([], [], color=MUTED, linewidth=0.8, label="thin: real images instead"))
    if max(table.arms.values()) > 1:
        handles.append(Patch(color=MUTED, alpha=0.3, linewidth=0, label="band: standard error"))
    return handles


def _seeds(n: int) -> str:
    return "1 seed" if n == 1 else f"mean of {n} seeds"


def _baseline(table: Table, panel: Panel) -> Panel | None:
    wanted = panel._replace(metric=words(panel.metric).baseline)
    return wanted if wanted in table.panels else None


def _dull(table: Table, panel: Panel) -> str:
    twin = panel._replace(metric=words(panel.metric).twin)
    mine = table.values(panel)
    other = table.values(twin) if twin in table.panels else np.empty(0)
    if mine.shape == other.shape and np.allclose(mine, other, rtol=_SAME, equal_nan=True):
        return f"as {twin.metric}"
    return "" if np.any(mine) else "0 everywhere"


def _second_line(panel: Panel, rows: list[Row]) -> str:
    n, reference = _range([row.n for row in rows]), _range([row.n_reference for row in rows])
    counts = f"n = {n}" + (f" against {reference}" if reference else "") if n else ""
    return ", ".join(filter(None, (f"space: {panel.space}" if panel.space else "", counts)))


def _range(counts: list[int | None]) -> str:
    known = [n for n in counts if n is not None]
    if not known:
        return ""
    return count(min(known)) if min(known) == max(known) else f"{count(min(known))} to {count(max(known))}"
