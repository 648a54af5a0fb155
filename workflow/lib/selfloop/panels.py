"""Panels: where axes, legend and notes stand in a figure, and how one metric of a table is drawn in one of them.

Places are computed here, not by a layout engine: panels are equally large in every figure, and drawing is quick.
"""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from selfloop.metric_words import LOGARITHMIC, SHARES, words
from selfloop.metrics_table import Panel, Row, Series, Table
from selfloop.style import MUTED, count, line_style

_LEFT, _RIGHT, _HEAD, _FOOT = 0.78, 0.16, 0.46, 0.32  # inches of a panel around its axes
_LETTER, _HANDLE, _LINE = 0.062, 0.65, 0.19  # inches: of a letter and of the sample of a legend, of a line of text
_NOTE_LETTER = 0.0575  # inches of a letter of a note
_LOG_SPAN = 20.0  # a LOGARITHMIC metric gets a log axis when its largest value is this many times its smallest


def layout(n: int, across: int, panel: tuple[float, float], handles: Sequence, note: str = "", lines: bool = True):
    """Return a Figure and ``n`` axes of ``panel`` (width, height) inches, in reading order, between legend and note.

    The lines of ``note`` are wrapped to the width of the figure. ``lines`` says whether the legend shows lines, long
    enough for their dashes, or markers.
    """
    from matplotlib.figure import Figure

    width, down = across * panel[0], -(-n // across)
    note = wrapped(note, width)
    entry = _HANDLE + _LETTER * max((len(handle.get_label()) for handle in handles), default=0)
    columns = max(1, int((width - 0.2) / entry))
    header = 0.12 + _LINE * -(-len(handles) // columns)
    footer = 0.2 + _LINE * len(note.splitlines())
    height = header + down * panel[1] + footer
    figure = Figure(figsize=(width, height))
    if handles:
        figure.legend(
            handles=handles, loc="upper left", ncols=columns, borderpad=0.8, handlelength=None if lines else 1
        )
    figure.text(0.14 / width, 0.1 / height, note, size=7.5, color=MUTED, va="bottom", linespacing=1.5)
    axes = []
    for position in range(n):
        row, column = divmod(position, across)
        left, bottom = column * panel[0] + _LEFT, height - header - (row + 1) * panel[1] + _FOOT
        size = (panel[0] - _LEFT - _RIGHT) / width, (panel[1] - _HEAD - _FOOT) / height
        axes.append(figure.add_axes((left / width, bottom / height, *size)))
    return figure, axes


def wrapped(note: str, width: float) -> str:
    """Return ``note`` with its lines broken so that they fit a figure of ``width`` inches."""
    letters = int((width - 0.3) / _NOTE_LETTER)
    return "\n".join(textwrap.fill(line, letters, subsequent_indent="    ") for line in note.splitlines())


def generation_axes(axes: Sequence, across: int, generations: tuple[int, int]) -> None:
    """Give all ``axes`` the same axis of generations, named under the lowest of each column."""
    from matplotlib.ticker import MaxNLocator

    apart = 0.04 * max(1, generations[1] - generations[0])
    for position, ax in enumerate(axes):
        ax.set_xlim(generations[0] - apart, generations[1] + apart)
        inches = ax.figure.get_figwidth() * ax.get_position().width
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=max(4, int(inches / 0.35))))
        ax.set_xlabel("generation" if position + across >= len(axes) else "")


def draw_panel(
    ax, table: Table, panel: Panel, label: str = "", also: Mapping[str, Sequence[Series]] | None = None
) -> None:
    """Draw the curves of one panel: a line per arm, a band of one standard error, a thin line for the baseline.

    ``label`` replaces the name of the y axis. ``also`` are curves of others by arm, drawn faint and hollow.
    """
    about, baseline = words(panel.metric), baseline_of(table, panel)
    for position, curve in enumerate(table.series(panel).values()):
        draw_curve(ax, curve, position)
    for position, curve in enumerate(table.series(baseline).values() if baseline else ()):
        look, order = line_style(position), 2.5 - 0.01 * position
        ax.plot(curve.generation, curve.mean, color=look.color, linestyle=look.linestyle, linewidth=0.8, zorder=order)
    values = [table.values(key) for key in (panel, baseline) if key]
    for position, arm in enumerate(table.arms):
        for curve in (also or {}).get(arm, ()):
            draw_faint(ax, curve, position)
            values.append(curve.mean)
    title(ax, about.title, second_line(panel, table.panels[panel]))
    ax.set_ylabel(label or about.unit.format(distance={"l2": "L2", "mse": "MSE"}.get(panel.distance, panel.distance)))
    scale(ax, panel.metric, np.concatenate(values))


def draw_curve(ax, curve: Series, position: int) -> None:
    """Draw one arm: ``position`` is its place in the table, which chooses colour, dash and marker."""
    look, order = line_style(position), 3 - 0.01 * position  # the main chain on top where arms coincide
    every = max(1, len(curve.generation) // 12)
    ax.plot(curve.generation, curve.mean, markevery=every, markeredgewidth=0, zorder=order, **look._asdict())
    if np.isfinite(curve.error).any():
        low, high = curve.mean - curve.error, curve.mean + curve.error
        ax.fill_between(curve.generation, low, high, color=look.color, alpha=0.18, linewidth=0)


def draw_faint(ax, curve: Series, position: int) -> None:
    """Draw what others found for the arm at ``position``: its dash and marker, thin, pale and hollow."""
    look = line_style(position)._asdict()
    ax.plot(curve.generation, curve.mean, linewidth=0.7, alpha=0.55, zorder=2, markerfacecolor="white",
            markeredgewidth=0.7, markersize=4.6, **look)  # fmt: skip


def draw_ratio(ax, table: Table, panel: Panel) -> None:
    """Draw a metric divided by its baseline of real images."""
    baseline = baseline_of(table, panel)
    for position, curve in enumerate(table.ratio(panel, baseline).values()):
        draw_curve(ax, curve, position)
    ax.axhline(1, color=MUTED, linewidth=0.8)
    title(ax, "Relative to held-out real images", "1: as far as unseen real images are, 0: copies")
    ax.set_ylabel(f"{panel.metric} / {baseline.metric}")


def scale(ax, metric: str, values: np.ndarray) -> None:
    """Choose limits, linear or log axis and plain numbers for the y axis of ``metric``; ``values`` float[] drawn."""
    values = values[np.isfinite(values)]
    if metric in SHARES:
        ax.set_ylim(*((-0.02, 1.02) if SHARES[metric] else (0, max(0.1, 1.08 * values.max(initial=0)))))
    elif metric in LOGARITHMIC and len(values) and values.min() > 0 and values.max() > _LOG_SPAN * values.min():
        ax.set_yscale("log")
        log_ticks(ax.yaxis, values)
        return
    ax.yaxis.set_major_formatter(plain_numbers())


def log_ticks(axis, values: np.ndarray) -> None:
    """Label a log axis of ``values`` > 0 with plain numbers: the fewer powers of ten they span, the more between."""
    from matplotlib.ticker import LogLocator, NullFormatter

    span = values.max() / values.min()
    between = range(1, 10) if span < 3 else (1, 2, 3, 5, 7) if span < 10 else (1, 2, 5) if span < 200 else (1,)
    axis.set_major_locator(LogLocator(subs=between))
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(plain_numbers())


def plain_numbers():
    """Return a tick formatter: 0.5, 20, 1,500."""
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: f"{value:,.6g}")


def title(ax, text: str, small: str = "") -> None:
    """Write the title of a panel, and a small second line under it."""
    height = ax.figure.get_figheight() * ax.get_position().height  # inches
    ax.set_title(text, y=1 + 0.22 / height, pad=0)
    ax.text(0, 1 + 0.07 / height, small, transform=ax.transAxes, size=7, color=MUTED)


def legend_handles(table: Table, baseline: bool, faint: str = "") -> list:
    """Return the entries of a legend: every arm, the thin line of real images, the band, the ``faint`` curves."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list = [
        Line2D([], [], markeredgewidth=0, label=f"{arm} ({seeds(n)})", **line_style(position)._asdict())
        for position, (arm, n) in enumerate(table.arms.items())
    ]
    if baseline:
        handles.append(Line2D([], [], color=MUTED, linewidth=0.8, label="thin: real images instead"))
    if max(table.arms.values()) > 1:
        handles.append(Patch(color=MUTED, alpha=0.3, linewidth=0, label="band: ± standard error"))
    if faint:
        handles.append(Line2D([], [], color=MUTED, linewidth=0.7, alpha=0.55, marker="o", markerfacecolor="white",
                              markeredgewidth=0.7, label=faint))  # fmt: skip
    return handles


def seeds(n: int) -> str:
    """Return what an arm's curve is of."""
    return "1 seed" if n == 1 else f"mean of {n} seeds"


def baseline_of(table: Table, panel: Panel) -> Panel | None:
    """Return the panel of real images that ``panel`` is read against, if the table has it."""
    wanted = panel._replace(metric=words(panel.metric).baseline)
    return wanted if wanted in table.panels else None


def second_line(panel: Panel, rows: list[Row]) -> str:
    """Return feature space and counts, as they stand under the title of a panel."""
    n, reference = count_range([row.n for row in rows]), count_range([row.n_reference for row in rows])
    counts = f"n = {n}" + (f" against {reference}" if reference else "") if n else ""
    return ", ".join(filter(None, (f"space: {panel.space}" if panel.space else "", counts)))


def count_range(counts: Sequence[int | None]) -> str:
    """Write counts as one number, or from the least to the largest; "" where none is known."""
    known = [n for n in counts if n is not None]
    if not known:
        return ""
    return count(min(known)) if min(known) == max(known) else f"{count(min(known))} to {count(max(known))}"
