"""A selection rule as a script: what makes a Python function one, and how a script is run.

The command line of every selector, in any language, is
``--pool FILE... --reference FILE... --n N|all --seed S --params JSON --output FILE``; files are Parquet. The answer has
one row per pool item: ``sample_id``, ``selected`` bool and, if it likes, ``score`` (larger preferred) and ``rank``
(order of choosing, from 0; null for the rejected). A pool with replicates is many pools in one file: n is chosen from
each.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from selfloop.answer import check_answer, count
from selfloop.contracts import features, make_table
from selfloop.errors import UserError
from selfloop.files import read_parquet, read_table, write_table
from selfloop.plugins import call_parameters, offered
from selfloop.seeds import derive


@dataclass(frozen=True)
class Selection:
    """What a rule chose: ``chosen`` int[n] positions in the pool, in the order of choosing if ``ordered``.

    ``score`` is None or float[N], one per pool item, larger preferred; a masked array says where there is none.
    """

    chosen: np.ndarray
    score: np.ndarray | None = None
    ordered: bool = True


def selector_script(select: Callable, arguments: Sequence[str] | None = None) -> None:
    """Run ``select`` as a selector: parse the command line, read the files, call it, write the answer, exit.

    ``select(pool, reference, n, rng, *, ...)`` gets float32 N x d and R x d features, the number wanted, a numpy
    Generator and the parameters of ``--params``: its keyword-only arguments with a default. One without a default named
    ``table`` gets the pool without its embeddings (pyarrow Table: generation, label, score_*). It returns a Selection,
    or a plain int[n] of positions for a rule without an order. A pool with replicates is given to it one replicate at
    a time. A user's mistake ends with one line ``ERROR: ...`` and exit status 2, and leaves no output.
    """
    try:
        _own_folder_last()
        options = _parse(arguments)
        params = call_parameters(select, options.params, Path(sys.argv[0]).name)
        table, pool = _read(options.pool)
        reference_table, reference = _read(options.reference)
        if reference.shape[1] != pool.shape[1]:
            raise UserError(f"{options.reference[0]}: embeddings are {reference.shape[1]}-d, not {pool.shape[1]}-d")
        answer = _Answer(len(pool))
        for rows, reference_rows, seed in _groups(table, reference_table, options.seed):
            n, rng = count(options.n, len(rows)), np.random.default_rng(seed)
            given = offered(select, table=_taken(table, rows))
            chosen = select(_taken(pool, rows), _taken(reference, reference_rows), n, rng, **given, **params)
            answer.add(chosen, rows, n)
        write_table(options.output, answer.table(table.column("sample_id")), "selector_answer")
    except UserError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        sys.exit(2)


def run_selector(
    script: str | Path,
    pool_files: Sequence[str | Path],
    reference_files: Sequence[str | Path],
    n: int | str,
    seed: int,
    params: Mapping[str, object],
    output: str | Path,
) -> pa.Table:
    """Run a selector script, check the answer that it writes to ``output``, and return it in pool order.

    A ``.py`` file is run with this Python (selfloop can be imported), any other through its shebang. ``n`` is per
    replicate of the pool, or "all". What the script prints to stderr is passed on while it runs. UserError when it
    cannot be run, fails, or answers wrongly; then there is no ``output``. The table has the columns of
    ``selection.parquet``.
    """
    output = Path(output)
    options = ["--n", n, "--seed", seed, "--params", json.dumps(dict(params)), "--output", output]
    command = [*_launcher(Path(script)), "--pool", *pool_files, "--reference", *reference_files, *options]
    try:
        _run([str(word) for word in command], script)
        if not output.is_file():
            raise UserError(f"{script}: ended without writing its --output")
        pool = pa.concat_tables([read_parquet(path, ["sample_id", "replicate"]) for path in pool_files])
        return check_answer(read_parquet(output), pool, n, f"{script}: its answer")
    except BaseException:
        output.unlink(missing_ok=True)
        raise


class _Answer:
    """The columns of an answer, filled one replicate at a time."""

    def __init__(self, size: int):
        self.selected = np.zeros(size, bool)
        self.score = np.ma.masked_all(size)
        self.rank = np.ma.masked_all(size, np.int64)

    def add(self, selection: Selection | np.ndarray, rows: np.ndarray, n: int) -> None:
        """Enter what a rule chose from the pool items ``rows``; UserError if that is not n different positions."""
        if not isinstance(selection, Selection):
            selection = Selection(selection, ordered=False)
        chosen = np.asarray(selection.chosen)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
            raise UserError(f"the rule returned {chosen.ndim}-d {chosen.dtype} positions, not 1-d integers")
        if len(chosen) != n or len(np.unique(chosen)) != n:
            once = len(np.unique(chosen))
            repeated = f", {once} of them different" if once < len(chosen) else ""
            raise UserError(f"the rule chose {len(chosen)} items{repeated}, not {n}")
        if chosen.min() < 0 or chosen.max() >= len(rows):
            raise UserError(f"the rule chose positions {chosen.min()} to {chosen.max()} of a pool of {len(rows)}")
        self.selected[rows[chosen]] = True
        if selection.ordered:
            self.rank[rows[chosen]] = np.arange(n)
        if selection.score is not None:
            score = np.ma.asarray(selection.score, dtype=np.float64)
            if score.shape != rows.shape or not np.isfinite(score.compressed()).all():
                raise UserError(f"the rule's score must be one finite number for each of the {len(rows)} pool items")
            self.score[rows] = score

    def table(self, ids: pa.ChunkedArray) -> pa.Table:
        """Return the answer for the pool's ids, null where there is no score or rank."""
        score, rank = (pa.array(c.data, mask=np.ma.getmaskarray(c)) for c in (self.score, self.rank))
        return make_table("selection", sample_id=ids.cast(pa.string()), selected=self.selected, score=score, rank=rank)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        raise UserError(f"{self.prog}: {message} (see --help)")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(description=sys.modules["__main__"].__doc__, allow_abbrev=False)
    parser.add_argument("--pool", nargs="+", required=True, metavar="FILE", help="embeddings of the candidates")
    parser.add_argument("--reference", nargs="+", required=True, metavar="FILE", help="embeddings of the reference set")
    parser.add_argument("--n", required=True, help="how many to choose, from 1 to the size of the pool, or 'all'")
    parser.add_argument("--seed", type=_whole, required=True, help="an integer >= 0")
    parser.add_argument("--params", default="{}", metavar="JSON", help="parameters of the rule, as a JSON object")
    parser.add_argument("--output", required=True, metavar="FILE", help="the answer to write")
    options = parser.parse_args(arguments)
    try:
        options.params = json.loads(options.params)
    except json.JSONDecodeError as error:
        raise UserError(f"--params is not JSON ({error}): {options.params}") from None
    if not isinstance(options.params, dict):
        raise UserError(f"--params must be a JSON object such as {{}}, not {json.dumps(options.params)}")
    return options


def _read(paths: Sequence[str]) -> tuple[pa.Table, np.ndarray]:
    """Return the rows of all files without their embeddings, and these as float32 N x d."""
    tables = [read_table(path, "embeddings") for path in paths]
    arrays = [features(table) for table in tables]
    for path, array in zip(paths, arrays, strict=True):
        if array.shape[1] != arrays[0].shape[1]:
            raise UserError(f"{path}: embeddings are {array.shape[1]}-d, those of {paths[0]} {arrays[0].shape[1]}-d")
    table = pa.concat_tables([table.drop_columns("embedding") for table in tables], promote_options="permissive")
    return table, arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _own_folder_last() -> None:
    """Let no file beside the script, such as random.py, hide a module of Python's that is imported from here on."""
    folder = Path(sys.argv[0]).resolve().parent
    if sys.path and Path(sys.path[0]).resolve() == folder:
        sys.path.append(sys.path.pop(0))


def _groups(table: pa.Table, reference: pa.Table, seed: int) -> Iterator[tuple]:
    """Yield (pool rows, reference rows, seed) of each replicate; the reference may have replicates too, or none."""
    from selfloop.training_set import replicate_rows

    groups, reference_groups = replicate_rows(table), replicate_rows(reference)
    for k, rows in enumerate(groups):
        own = reference_groups[k] if len(reference_groups) == len(groups) else np.arange(len(reference))
        yield rows, own, seed if len(groups) == 1 else derive(seed, "replicate", k)


def _taken(values, rows: np.ndarray):
    """Return rows of an array or table, which are all of them without a copy when there is only one replicate."""
    return values if len(rows) == len(values) else values.take(rows) if isinstance(values, pa.Table) else values[rows]


def _whole(text: str) -> int:
    """Return a number >= 0; argparse names the option when it is none."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is no integer >= 0")
    return int(text)


def _launcher(script: Path) -> list[str]:
    """Return how the script is called; UserError if the system could not."""
    if not script.is_file():
        raise UserError(f"{script}: no such file (selector)")
    if script.suffix == ".py":
        hides = any(path.stem in sys.stdlib_module_names for path in script.absolute().parent.glob("*.py"))
        return [sys.executable, *(["-P"] if hides else []), os.path.abspath(script)]
    with open(script, "rb") as handle:
        first_line = handle.readline(256)
    if not first_line.startswith(b"#!"):
        raise UserError(f"{script}: is no .py file and has no shebang: begin it with '#!/usr/bin/env INTERPRETER'")
    if not os.access(script, os.X_OK):
        raise UserError(f"{script}: its run bit is not set; run 'chmod +x {shlex.quote(str(script))}'")
    return [os.path.abspath(script)]


def _run(command: list[str], script: str | Path) -> None:
    """Run the command, passing its stderr on line by line; UserError with the last line when it fails.

    A last line ``ERROR: ...`` is said once, by that UserError.
    """
    library = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [library, os.environ.get("PYTHONPATH")]))
    try:
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, errors="replace", env=os.environ | {"PYTHONPATH": path}
        )
    except OSError as error:
        raise UserError(f"{script}: cannot be run ({error.strerror}): is its interpreter installed?") from None
    last = held = ""
    with process:
        for line in process.stderr:
            sys.stderr.write(held)
            held = line if line.startswith("ERROR: ") else ""
            sys.stderr.write("" if held else line)
            last = line.strip() or last
    if not process.returncode:
        sys.stderr.write(held)
    else:
        code = process.returncode
        how = f"failed with exit status {code}" if code > 0 else f"was killed by signal {-code}"
        raise UserError(f"{script}: {how}{': ' + last.removeprefix('ERROR: ') if last else ' and printed nothing'}")
