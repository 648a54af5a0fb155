"""summary.csv and summary.html: each metric's mean over seeds, and how each arm differs from a control arm."""

import csv
import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from selfloop.errors import UserError
from selfloop.files import atomic
from selfloop.metric_words import words
from selfloop.metrics_table import Panel, Row
from selfloop.statistics import Bootstrap, Difference, paired_difference, spread

COLUMNS = (
    "arm", "generation", "metric", "space", "distance", "n_seeds", "mean", "sd", "se", "control", "n_pairs",
    "n_unpaired", "difference", "bootstrap_low", "bootstrap_high", "t_low", "t_high",
)  # fmt: skip
FEW_PAIRS = 5  # under this many, a bootstrap interval is too narrow


def summarise(rows: Sequence[Row], control: str) -> list[dict]:
    """Return one dict of COLUMNS per arm, generation and panel of metrics.csv, in the order of their first rows.

    ``control`` is the arm that the others are compared with, seed by seed. A field is None where there is no number: an
    interval with fewer than two pairs, a difference of the control arm itself or where the control has no such metric.
    """
    values: dict[tuple[str, int, Panel], dict[int, float]] = {}
    for row in rows:
        key = row.arm, row.generation, Panel(row.metric, row.space, row.distance)
        values.setdefault(key, {})[row.seed] = row.value
    if control not in {arm for arm, _, _ in values}:
        known = ", ".join(dict.fromkeys(arm for arm, _, _ in values))
        raise UserError(f"report.control: no arm '{control}' in the metrics (has: {known})")
    bootstrap = Bootstrap()
    result = []
    for (arm, generation, panel), by_seed in values.items():
        base = values.get((control, generation, panel))
        compared = arm != control and base is not None
        difference = paired_difference(by_seed, base, bootstrap) if compared else None
        result.append(_entry(arm, generation, panel, by_seed, control, difference))
    return result


def _entry(arm, generation, panel, by_seed, control, difference: Difference | None) -> dict:
    about = spread(list(by_seed.values()))
    found = [arm, generation, *panel, *about, control]
    if difference is None:
        found += [None] * (len(COLUMNS) - len(found))
    else:
        found += [difference.n, difference.unpaired, difference.mean, *difference.bootstrap, *difference.t]
    return dict(zip(COLUMNS, map(_known, found), strict=True))


def _known(value):
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write_summary(path: str | Path, entries: Iterable[Mapping]) -> None:
    """Write summary.csv: numbers with all their digits, None as an empty field."""
    with atomic(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(entries)


def page(entries: Sequence[Mapping]) -> str:
    """Return summary.html, one table: the last generation of the control arm, a row a metric, a column an arm."""
    control = entries[0]["control"]
    last = max(entry["generation"] for entry in entries if entry["arm"] == control)
    shown = [entry for entry in entries if entry["generation"] == last and not words(entry["metric"]).minor]
    arms = sorted(dict.fromkeys(entry["arm"] for entry in shown), key=lambda arm: arm != control)
    table: dict[Panel, dict[str, Mapping]] = {}
    for entry in shown:
        panel = Panel(entry["metric"], entry["space"], entry["distance"])
        table.setdefault(panel, {})[entry["arm"]] = entry
    head = "".join(f"<th scope=col>{html.escape(arm)}{' (control)' * (arm == control)}" for arm in arms)
    body = "\n".join(_row(panel, [cells.get(arm) for arm in arms]) for panel, cells in table.items())
    return _PAGE.format(
        generation=last, control=html.escape(control), head=head, body=body, note=html.escape(_note(shown))
    )


def _row(panel: Panel, cells: Sequence[Mapping | None]) -> str:
    names = html.escape(", ".join(filter(None, (panel.metric, panel.space, panel.distance))))
    label = f"<th scope=row>{html.escape(words(panel.metric).title)}<small>{names}</small>"
    return f"<tr>{label}{''.join('<td>' if cell is None else _cell(cell) for cell in cells)}"


def _cell(entry: Mapping) -> str:
    """Return mean and standard error, and below them the difference with its t interval, bold where that is not of 0.

    A difference of which all pairs are 0 (a generation that both arms share) says so.
    """
    if entry["mean"] is None:
        return "<td>"
    text, difference = _estimate(entry["mean"], entry["se"]), entry["difference"]
    low, high = entry["t_low"], entry["t_high"]
    if difference is None:
        below = ""
    elif low is None:
        below = f"<small>{difference:+.3g}</small>"
    elif low == high == 0:
        below = "<small>the same</small>"
    else:
        tag = "strong" if low > 0 or high < 0 else "span"
        below = f"<small><{tag}>{difference:+.3g} [{low:.3g}, {high:.3g}]</{tag}></small>"
    return f"<td>{text}{below}".replace("-", "\u2212")


def _estimate(mean: float, error: float | None) -> str:
    """Write the error with two digits and the mean with as many decimals: 1.307 ± 0.020."""
    if error is None:
        return f"{mean:.4g}"
    decimals = 1 - int(np.floor(np.log10(error))) if error > 0 else 7
    if decimals > 6:
        return f"{mean:.4g} ± {error:.2g}"
    return f"{mean:.{max(0, decimals)}f} ± {error:.{max(0, decimals)}f}"


def _note(entries: Sequence[Mapping]) -> str:
    seeds = {entry["n_seeds"] for entry in entries if entry["n_seeds"]}
    counts = str(min(seeds)) if len(seeds) == 1 else f"{min(seeds)} to {max(seeds)}"
    text = f"Seeds: {counts}. "
    if max(seeds) == 1:
        return (
            text + "One seed has no standard error and a difference no interval: nothing here can be told from chance."
        )
    unpaired = max((entry["n_unpaired"] or 0) for entry in entries)
    text += "± is one standard error of the mean over seeds. "
    if unpaired:
        text += f"Seeds that only one of two arms has are left out of their difference: up to {unpaired}. "
    return text


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Generation {generation}: means over seeds, differences from {control}</title>
<style>
body {{ font: 14px/1.4 "DejaVu Sans", system-ui, sans-serif; color: #222; margin: 1.5rem; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; vertical-align: top; padding: .3rem 1.2rem .3rem 0; border-bottom: 1px solid #d9d9d9; }}
thead th {{ position: sticky; top: 0; background: white; }}
tbody th {{ font-weight: normal; }}
td {{ font-variant-numeric: tabular-nums; white-space: nowrap; }}
small {{ display: block; color: #6b6b6b; }}
small strong {{ color: #222; }}
p {{ max-width: 46rem; }}
</style>
<h1>Generation {generation}</h1>
<p>{note}</p>
<p>Below a mean: the mean difference from {control} within each seed, with its 95&nbsp;% interval by Student's t, bold
where the interval excludes 0. With a table this long some are bold by chance: one in twenty where nothing differs. All
generations and the bootstrap intervals: summary.csv.</p>
<table>
<thead><tr><th scope=col>metric{head}</thead>
<tbody>
{body}
</tbody>
</table>
</html>
"""
