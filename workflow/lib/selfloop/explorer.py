"""The page explorer.html: what it shows as one JSON value, and the page that carries it.

The page's own files (workflow/resources/explorer) are the template: page.html names the others as ``{{file}}`` and
the place of the data as ``{{data}}``. The result needs no other file, no server and no network.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from selfloop.errors import UserError
from selfloop.metric_words import LOGARITHMIC, SHARES, words
from selfloop.metrics_table import Panel, Row, Table
from selfloop.pictures import ACROSS, Amounts, evenly, plan, tile_shape
from selfloop.style import line_style

_MB = 1_000_000  # bytes
_CHAIN_KEYS = {"arm", "seed", "about", "evaluated", "pictured", "samples", "training_set", "fresh", "tracked"}
_DISTANCES = {"l2": "L2", "mse": "MSE"}


def read_chains(text: str) -> list[dict]:
    """Return the chains of ``--chains``, JSON: one object for each, with paths by generation.

    Keys: ``arm``, ``seed``; ``about``, what sets the arm apart, in words; ``evaluated``, samples that are evaluated;
    ``pictured``, the generations whose images are shown (none for a closed-form family); ``samples``,
    ``training_set``, ``fresh`` (real items drawn for that generation) and ``tracked``: the files of these generations,
    as runs ``{"2-10": "results/greedy/gen*/..."}``, which come back as ``{2: "results/greedy/gen2/...", ...}``.
    """
    try:
        chains = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"--chains: not JSON ({error})") from None
    for position, chain in enumerate(chains):
        if set(chain) != _CHAIN_KEYS:
            raise UserError(f"--chains, entry {position}: needs exactly the keys {', '.join(sorted(_CHAIN_KEYS))}")
        for key in ("samples", "training_set", "fresh", "tracked"):
            chain[key] = _expand(chain[key])
    return chains


def _expand(runs: Mapping[str, str]) -> dict[int, str]:
    found = {}
    for run, pattern in runs.items():
        first, last = map(int, run.split("-"))
        found |= {g: pattern.replace("*", str(g)) for g in range(first, last + 1)}
    return found


def sheet_key(chain: Mapping, g: int) -> tuple:
    """Return what tells the sheet of a generation from others: its samples (and so its model) and its training set.

    Arms share the sheets of the generations that they share. Tracked samples are then the same too: every chain has
    drawn its own, from the same model and seeds.
    """
    return chain["samples"][g], chain["training_set"].get(g)


def thin(
    chains: Sequence[Mapping], shapes: Sequence[tuple[int, ...]], wanted: Amounts, room: float
) -> tuple[list[list[int]], Amounts]:
    """Return the generations of each chain whose images are shown, and the amounts of a sheet, so that all fit.

    ``shapes`` are C x H x W of the chains that have images; ``room`` is in bytes.
    """
    pictured = [chain["pictured"] for chain in chains]
    if not shapes:
        return pictured, wanted
    largest = max(map(tile_shape, shapes), key=lambda shape: int(np.prod(shape)))
    keys = [[sheet_key(chain, g) for g in chain["pictured"]] for chain in chains]
    most, amounts = plan(wanted, keys, largest, room)
    return [evenly(generations, most) for generations in pictured], amounts


def curves(table: Table, chains: Sequence[Mapping]) -> list[dict]:
    """Return every metric as JSON-ready values: how it is written and drawn, and its numbers by chain and generation.

    ``values``, ``n`` and ``n_reference`` hold one list for each chain, generation 1 first; null: not defined.
    """
    panels = list(table.panels)
    return [_curve(panel, table.panels[panel], panels, chains) for panel in panels]


def _curve(panel: Panel, rows: Sequence[Row], panels: Sequence[Panel], chains: Sequence[Mapping]) -> dict:
    about = words(panel.metric)
    baseline = panel._replace(metric=about.baseline)
    cells = {(row.arm, row.seed, row.generation): row for row in rows}
    last = max(row.generation for row in rows)

    def column(read: Callable[[Row], float | None]) -> list[list]:
        found = [[cells.get((c["arm"], c["seed"], g)) for g in range(1, last + 1)] for c in chains]
        return [[None if row is None else _number(read(row)) for row in chain] for chain in found]

    return {
        "metric": panel.metric,
        "space": panel.space,
        "title": about.title,
        "unit": about.unit.format(distance=_DISTANCES.get(panel.distance, panel.distance)),
        "baseline": panels.index(baseline) if baseline in panels else None,
        "share": SHARES.get(panel.metric),  # True: drawn from 0 to 1; False: from 0 on; None: no share
        "logarithmic": panel.metric in LOGARITHMIC,
        "values": column(lambda row: row.value),
        "n": column(lambda row: row.n),
        "n_reference": column(lambda row: row.n_reference),
    }


def _number(value: float | None) -> float | None:
    """Return a number with the six digits that a page shows; NaN becomes null."""
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


def page_data(table: Table, chains: Sequence[Mapping], sheets: Sequence[Mapping], places: Sequence[Mapping]) -> dict:
    """Return everything that the page shows; ``places`` gives, for each chain, its sheet by generation."""
    arms = {chain["arm"]: chain["about"] for chain in reversed(chains)}
    order = list(dict.fromkeys(chain["arm"] for chain in chains))
    return {
        "arms": [{"name": arm, "about": arms[arm], **_look(position)} for position, arm in enumerate(order)],
        "chains": [
            {"arm": order.index(chain["arm"]), "seed": chain["seed"], "sheets": place}
            for chain, place in zip(chains, places, strict=True)
        ],
        "curves": curves(table, chains),
        "sheets": list(sheets),
        "across": ACROSS,
    }


def _look(position: int) -> dict:
    """Return colour, dash (in widths of the line) and marker of an arm: those of the figures."""
    look = line_style(position)
    dash = [] if isinstance(look.linestyle, str) else list(look.linestyle[1])
    return {"color": look.color, "dash": dash, "marker": look.marker}


def fill(files: Sequence[str | Path], data: Mapping) -> str:
    """Return the page with its parts and its data in it; ``files`` are page.html and what it names."""
    parts = {Path(path).name: path for path in files}
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("</", r"<\/")  # no text in the data can end the element that carries them

    def part(match: re.Match) -> str:
        return text if match[1] == "data" else _read(parts, match[1])

    return re.sub(r"\{\{([\w.-]+)\}\}", part, _read(parts, "page.html"))


def _read(parts: Mapping[str, str | Path], name: str) -> str:
    try:
        return Path(parts[name]).read_text(encoding="utf-8").rstrip("\n")
    except KeyError:
        raise UserError(f"--page: {name} is not among the files of the page ({', '.join(sorted(parts))})") from None
    except FileNotFoundError:
        raise UserError(f"{parts[name]}: no such file") from None


def fits(page: str, limit_mb: float) -> bool:
    """Whether the page is no larger than its limit, 1 MB = 1,000,000 bytes."""
    return room(page, limit_mb) >= 0


def check_size(page: str, limit_mb: float) -> str:
    """Return ``page`` if it fits; UserError otherwise."""
    if not fits(page, limit_mb):
        size = len(page.encode()) / _MB
        raise UserError(f"explorer.html would have {size:.1f} MB, over its limit of {limit_mb:g}; "
                        "raise report.explorer_mb")  # fmt: skip
    return page


def room(page: str, limit_mb: float) -> float:
    """Return the bytes that a page leaves under the limit."""
    return limit_mb * _MB - len(page.encode())
