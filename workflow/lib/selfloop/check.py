"""`selfloop check`: try a plug-in of any kind on made-up data before it costs days of a GPU.

Each check is one line, `ok` or `WRONG` with what is wrong; a failure that makes the others meaningless ends the list.
Global random generators are set differently before every call, so that a plug-in that draws from them instead of from
its seed is found.
"""

import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from selfloop.errors import UserError
from selfloop.plugins import CONTRACTS, call_parameters, failure, load_plugin
from selfloop.signatures import defines, syntax

KINDS = ("dataset", "generator", "embedder", "selector")


class Finding(NamedTuple):
    """One line of the answer."""

    good: bool
    text: str


def check_plugin(
    path: str | Path,
    kind: str | None = None,
    params: Mapping | None = None,
    sampling: Mapping | None = None,
    shape: tuple[int, int, int] = (1, 8, 8),
) -> Iterator[Finding]:
    """Return the findings on the plug-in file `path`, made one after the other.

    `params` are its parameters as in the config, `sampling` those of a generator's load; made-up images are uint8
    C x H x W of `shape`. UserError at once for a mistake of the call's: no such file, a kind that cannot be guessed,
    an unknown parameter.
    """
    from selfloop import check_dataset, check_embedder, check_generator, check_selector

    path, params, sampling = Path(path), params or {}, sampling or {}
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.suffix == ".py":
        try:
            syntax(path)
        except UserError as error:
            return iter([Finding(False, f"{path}: {error}")])
    kind = kind or guess_kind(path)
    if kind == "selector":
        return _guarded(path, check_selector.findings(path, params))
    try:
        module = load_plugin(path, kind)
    except UserError as error:
        return iter([Finding(False, str(error))])
    functions = [getattr(module, name) for name in CONTRACTS[kind] if hasattr(module, name)]
    if kind == "generator":
        call_parameters(module.train, params, "--params")
        call_parameters(module.load, sampling, "--sampling")
        return _guarded(path, check_generator.findings(module, params, sampling, shape))
    call_parameters(module.load, params, "--params", also=functions)
    if kind == "embedder":
        return _guarded(path, check_embedder.findings(module, params, shape))
    return _guarded(path, check_dataset.findings(module, params))


def guess_kind(path: Path) -> str:
    """Return the kind of plug-in that a file is, from the names it defines; nothing is executed."""
    if path.suffix != ".py":
        return "selector"
    tree = syntax(path)
    if defines(tree, "train"):
        return "generator"
    if defines(tree, "EXTRACTOR") or defines(tree, "fit"):
        return "embedder"
    if defines(tree, "load"):
        given = {arg.arg for f in tree.body if getattr(f, "name", "") == "load" for arg in f.args.kwonlyargs}
        return "embedder" if "state" in given else "dataset"
    if "__main__" in path.read_text(encoding="utf-8"):
        return "selector"
    raise UserError(f"{path}: cannot tell what kind of plug-in this is (no train, no load, no __main__); give --kind")


def verdict(good: bool, ok: str, wrong: str) -> Finding:
    """Return a finding with the text that fits."""
    return Finding(bool(good), ok if good else wrong)


def unless(problem: str | None, ok: str) -> Finding:
    """Return a finding from a description of what is wrong, None or empty if nothing is."""
    return Finding(not problem, problem or ok)


def disturb(value: int) -> None:
    """Set every global random generator to something else."""
    random.seed(value)
    np.random.seed(value)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(value)


def array_problem(what: str, arrays) -> str | None:
    """Say what is wrong with a dict of arrays that is to be stored in safetensors."""
    if not isinstance(arrays, Mapping) or not arrays:
        return f"{what} must be a dict of arrays with at least one, not {type(arrays).__name__}"
    for name, value in arrays.items():
        if not isinstance(name, str) or not hasattr(value, "dtype"):
            return f"{what}: {name!r} is {type(value).__name__}, not an array or tensor under a text name"
        if not np.isfinite(stored({name: value})[name]).all():
            return f"{what}: '{name}' has values that are not finite"
    return None


def stored(arrays: Mapping) -> dict[str, np.ndarray]:
    """Return the arrays as they come back from disk: numpy, whatever they were."""
    return {
        name: np.array(value if isinstance(value, np.ndarray) else value.detach().cpu().numpy())
        for name, value in arrays.items()
    }


def same(a: Mapping, b: Mapping) -> bool:
    """Whether two dicts of arrays are equal to the bit."""
    a, b = stored(a), stored(b)
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def _guarded(path: Path, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass the findings on; an error of the plug-in's becomes the last of them."""
    try:
        yield from findings
    except UserError as error:
        yield Finding(False, str(error))
    except Exception as error:  # a user's file may raise anything
        yield Finding(False, failure(error, path))
