"""`selfloop check` of a selector script: it is run on a made-up pool, and its answers and refusals are judged."""

import contextlib
import io
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from selfloop.check import Finding, unless
from selfloop.contracts import make_table
from selfloop.errors import UserError
from selfloop.files import write_table
from selfloop.seeds import item_seeds, normal

_POOL, _WANTED = 60, 20  # ten of the pool's items are copies of one
_REFUSED = "failed with exit status 2"


def findings(script: Path, params: Mapping) -> Iterator[Finding]:
    """Run the script on 60 candidates of two generations with 8 features, labels and a column score_loss."""
    with tempfile.TemporaryDirectory(prefix="selfloop-check-") as name:
        folder = Path(name)
        pool = [_write(folder / f"pool{g}.parquet", g, _POOL // 2, copies=5) for g in (1, 2)]
        reference = [_write(folder / "reference.parquet", 0, _POOL // 2, copies=0)]

        def ask(n, seed=1, extra=None):
            return _run(script, pool, reference, n, seed, {**params, **(extra or {})}, folder / "answer.parquet")

        answer, problem = ask("all")
        yield unless(problem and f"--n all: {problem}", f"--n all: the whole pool of {_POOL}, ids and columns in order")
        if problem:
            return
        answer, problem = ask(_WANTED)
        if answer is None and _REFUSED in problem:
            yield Finding(True, f"--n {_WANTED} of {_POOL}: refused ({problem.split(_REFUSED)[1].lstrip(': ')})")
        else:
            yield from _chosen(ask, answer, problem)
        yield _refusal(f"--n {_POOL + 1} of {_POOL}", *ask(_POOL + 1))
        yield _refusal("an unknown parameter", *ask("all", extra={"no_such_parameter": 1}))


def _chosen(ask, answer, problem) -> Iterator[Finding]:
    """Judge the answer to --n 20, and ask again."""
    columns = [name for name in ("score", "rank") if answer is not None and not _empty(answer, name)]
    yield unless(problem, f"--n {_WANTED}: exactly {_WANTED} of {_POOL}" + "".join(f", {c}" for c in columns))
    if problem:
        return
    again, problem = ask(_WANTED)
    if not problem and not answer.equals(again):
        problem = "two runs with one seed choose differently"
    yield unless(problem, "the same twice")
    other, problem = ask(_WANTED, seed=2)
    if other is not None:
        yield Finding(True, "another seed: " + ("the same choice" if answer.equals(other) else "another choice"))
    else:
        yield Finding(False, f"another seed: {problem}")
    yield unless(ask(1)[1], "--n 1: exactly 1")


def _run(script, pool, reference, n, seed, params, output):
    """Return (answer, None) or (None, what is wrong); what the script prints is swallowed."""
    from selfloop.selector import run_selector

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return run_selector(script, pool, reference, n, seed, params, output), None
    except UserError as error:
        return None, str(error)


def _refusal(what: str, answer, problem: str | None) -> Finding:
    """A mistake of the user's must end with exit status 2 and a line that says what it was."""
    if answer is not None:
        return Finding(False, f"{what}: accepted; it must end with exit status 2 and one line on stderr")
    if _REFUSED not in problem or "printed nothing" in problem:
        return Finding(False, f"{what}: must end with exit status 2 and one line on stderr, but: {problem}")
    return Finding(True, f"{what}: refused ({problem.split(_REFUSED)[1].lstrip(': ')})")


def _empty(answer, name: str) -> bool:
    return answer.column(name).null_count == len(answer)


def _write(path: Path, generation: int, n: int, copies: int) -> Path:
    """Write embeddings of one generation, the first `copies` of which are the origin."""
    values = normal(item_seeds(11 + generation, n), (8,)).astype(np.float32)
    values[:copies] = 0
    table = make_table("embeddings", sample_id=[f"g{generation}-{i:06d}" for i in range(n)],
                       generation=[generation] * n, label=np.arange(n) % 4, embedding=values,
                       score_loss=np.abs(values[:, 0].astype(np.float64)))  # fmt: skip
    write_table(path, table, "embeddings")
    return path
