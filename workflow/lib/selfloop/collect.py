"""From metrics.json files to one tidy table: who (arm, seed, generation), what (metric, space, distance), how much."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from selfloop.errors import UserError
from selfloop.files import atomic, read_json
from selfloop.metrics_table import COLUMNS

_CHAIN_KEYS = {"arm": str, "seed": int, "generation": (int, list), "path": str}
_METRIC_KEYS = COLUMNS[3:]


def chain_files(chains: str) -> Iterator[tuple[str, int, int, str]]:
    """Yield (arm, seed, generation, path) of every metrics.json, in the order given.

    ``chains`` is JSON, or the path of a file of it: a list of ``{arm, seed, generation, path}``. ``generation`` is a
    number, or ``[first, last]`` (inclusive) with one ``*`` in ``path`` where the number stands. A generation that an
    arm shares with the main chain is listed for both, with the same path.
    """
    seen = set()
    for position, entry in enumerate(_parse(chains)):
        arm, seed, generations, path = _check_entry(entry, f"--chains, entry {position}")
        for generation in generations:
            if (arm, seed, generation) in seen:
                raise UserError(f"--chains: arm '{arm}', seed {seed}, generation {generation} is listed twice")
            seen.add((arm, seed, generation))
            yield arm, seed, generation, path.replace("*", str(generation))


def _parse(chains: str) -> list:
    if not chains.lstrip().startswith(("[", "{")):
        entries = read_json(chains)
    else:
        try:
            entries = json.loads(chains)
        except json.JSONDecodeError as error:
            raise UserError(f"--chains: not JSON ({error})") from None
    if not isinstance(entries, list):
        raise UserError(f"--chains: a list of {{arm, seed, generation, path}}, not {type(entries).__name__}")
    return entries


def _check_entry(entry, where: str) -> tuple[str, int, range, str]:
    if not isinstance(entry, dict) or set(entry) != set(_CHAIN_KEYS):
        raise UserError(f"{where}: needs exactly the keys arm, seed, generation, path: {entry}")
    for key, kind in _CHAIN_KEYS.items():
        if not isinstance(entry[key], kind) or isinstance(entry[key], bool):
            raise UserError(f"{where}: '{key}' is {entry[key]!r}, of the wrong type")
    generation, stars = entry["generation"], entry["path"].count("*")
    if isinstance(generation, int):
        generation, wanted = [generation, generation], (0, 1)
    else:
        wanted = (1,)
    if len(generation) != 2 or not all(isinstance(g, int) for g in generation) or generation[0] > generation[1]:
        raise UserError(f"{where}: 'generation' is {entry['generation']}, not a number or [first, last]")
    if stars not in wanted:
        raise UserError(f"{where}: 'path' needs one * for the generation: {entry['path']}")
    return entry["arm"], entry["seed"], range(generation[0], generation[1] + 1), entry["path"]


def metric_rows(arm: str, seed: int, generation: int, path: str) -> Iterator[dict]:
    """Yield one dict per row of a metrics.json, in its order, with the columns of metrics.csv.

    UserError, naming the file, on other keys than the contract's, a value that is no number, or a metric that stands
    there twice for the same space and distance.
    """
    seen = set()
    metrics = read_json(path)
    if not isinstance(metrics, list):
        raise UserError(f"{path}: a list of metrics, not {type(metrics).__name__}")
    for position, metric in enumerate(metrics):
        if not isinstance(metric, dict) or set(metric) != set(_METRIC_KEYS):
            raise UserError(f"{path}: entry {position} needs exactly the keys {', '.join(_METRIC_KEYS)}: {metric}")
        if not isinstance(metric["value"], (int, float, type(None))):
            raise UserError(f"{path}: the value of '{metric['metric']}' is no number: {metric['value']!r}")
        name = (metric["metric"], metric["space"], metric["distance"])
        if name in seen:
            raise UserError(f"{path}: '{metric['metric']}' is there twice for space {name[1]} and distance {name[2]}")
        seen.add(name)
        yield {"arm": arm, "seed": seed, "generation": generation} | metric


def write_metrics(path: str | Path, rows: Iterable[dict]) -> None:
    """Write metrics.csv: numbers with all their digits, null as an empty field, lines ending in one newline."""
    with atomic(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
