"""One look for every figure: readable in grey, safe for colour-blind readers, the same bytes on every run.

Figures are made without pyplot (no global state, no display). Draw and save inside :func:`style`:

    with style():
        figure = sample_grid(images, title="Generation 3")
        save(figure, "grid_g3.png")
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from selfloop.errors import UserError
from selfloop.files import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 8.0  # inches, the width of every figure
DPI = 150  # PNG pixels per inch
INK, MUTED, RULE = "#222222", "#6b6b6b", "#d9d9d9"  # text and data, second-rank text, grid lines

# Okabe and Ito 2008 without yellow (too light on white). Colour, dash and marker cycles have the coprime lengths 7, 5
# and 8, so that two of the first 280 arms differ in at least one of them, and neighbours differ in all three.
_COLOURS = ("#222222", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DASHES = ("-", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.6, 1.2, 1.6)), (0, (9, 2.5)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")

_RC = {
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same glyphs on every machine
    "font.size": 8.0,
    "text.color": INK,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 5),
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.2,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "legend.handlelength": 3.2,  # long enough to show the dash
    "svg.fonttype": "path",
    "svg.hashsalt": "selfloop",
    "pdf.fonttype": 42,
}

# What would carry a date or the version of the writer, by file ending.
_METADATA = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


class LineStyle(NamedTuple):
    """How one arm is drawn: keyword names of matplotlib's ``plot``."""

    color: str
    linestyle: object
    marker: str


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Apply the style for as long as the block lasts, whatever the user's matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def line_style(position: int) -> LineStyle:
    """Return the style of the arm at ``position`` (0 is the main chain: black, solid, circles)."""
    return LineStyle(
        _COLOURS[position % len(_COLOURS)],
        _DASHES[position % len(_DASHES)],
        _MARKERS[position % len(_MARKERS)],
    )


def save(figure: "Figure", path: str | Path) -> None:
    """Write ``figure`` as PNG, SVG or PDF (by the ending of ``path``), atomically; same figure, same bytes."""
    ending = Path(path).suffix.lower()
    if ending not in _METADATA:
        raise UserError(f"{path}: a figure is written as .png, .svg or .pdf, not '{ending}'")
    with atomic(path) as temporary:
        figure.savefig(temporary, format=ending[1:], dpi=DPI, metadata=_METADATA[ending])


def count(n: int) -> str:
    """Write a count with thousands separators: 1024 -> ``1,024``."""
    return f"{n:,d}"
