"""`selfloop check` of a dataset plug-in: its splits, its count, and whether it depends on the seed alone."""

from collections.abc import Iterator, Mapping

import numpy as np

from selfloop.check import Finding, disturb, unless, verdict
from selfloop.images import EncodedImages
from selfloop.plugins import call, call_parameters

_FORMS = {("uint8", 4): "uint8 N x C x H x W", ("float64", 2): "float64 N x d", ("int32", 2): "int32 N x L"}


def findings(module, params: Mapping) -> Iterator[Finding]:
    """Check the module's load and count with these parameters."""

    def load(seed, disturbed):
        disturb(disturbed)
        return _decoded(call(module.load, {"seed": seed}, params, "--params"))

    first = load(1, 1)
    known = isinstance(first, Mapping) and "train" in first and set(first) <= {"train", "heldout"}
    splits = " and ".join(f"a split '{name}'" for name in first) if known else ""
    yield verdict(known, f"load: {splits}", "load must return a dict with 'train' and, if it has one, 'heldout'")
    if not known:
        return
    for name, split in first.items():
        problem = _split_problem(split)
        yield unless(problem and f"{name}: {problem}", f"{name}: {_describe(split, problem)}")
        if problem:
            return
    if "heldout" in first:
        ours, theirs = (first[name]["samples"].shape[1:] for name in ("heldout", "train"))
        yield verdict(ours == theirs, "heldout: items like those of train", f"heldout: items {ours}, in train {theirs}")
    yield verdict(_equal(first, load(1, 2)), "load: the same again", "load: two calls with one seed differ")
    yield _seed(first, load(2, 3))
    if hasattr(module, "count"):
        counts = module.count(**call_parameters(module.count, params, "--params", also=[module.load]))
        sizes = {name: _per_replicate(split) for name, split in first.items()}
        wrong = f"count says {counts}, load gives {sizes} (items per replicate)"
        yield verdict(counts == sizes, f"count: {counts}, as load gives", wrong)


def _decoded(answer):
    """Return what load gave with every image decoded."""
    if not isinstance(answer, Mapping):
        return answer
    return {
        name: {**split, "samples": np.asarray(split["samples"])}
        if isinstance(split, Mapping) and isinstance(split.get("samples"), EncodedImages)
        else split
        for name, split in answer.items()
    }


def _split_problem(split) -> str | None:
    """Say what is wrong with one split."""
    if not isinstance(split, Mapping) or "samples" not in split:
        return "a split must be a dict with 'samples'"
    unknown = set(split) - {"samples", "labels", "replicate"}
    if unknown:
        return f"unknown key '{min(unknown)}' (known: samples, labels, replicate)"
    samples = split["samples"]
    if not isinstance(samples, np.ndarray) or (str(samples.dtype), samples.ndim) not in _FORMS:
        what = f"{samples.dtype} {samples.shape}" if hasattr(samples, "dtype") else type(samples).__name__
        return f"samples are {what}, not {' or '.join(_FORMS.values())}"
    if 0 in samples.shape:
        return f"samples are empty {samples.shape}"
    if samples.dtype == np.float64 and not np.isfinite(samples).all():
        return f"{int((~np.isfinite(samples)).any(axis=1).sum())} samples are not finite"
    for name in ("labels", "replicate"):
        column = split.get(name)
        if column is None:
            continue
        column = np.asarray(column)
        if column.shape != (len(samples),) or column.dtype.kind not in "iu":
            return f"{name} are {column.dtype} {column.shape}, not one whole number for each of {len(samples)} samples"
        if column.min() < 0:
            return f"{name}: {column.min()} is negative"
    replicate = split.get("replicate")
    if replicate is not None and len(set(np.bincount(replicate))) != 1:
        return "replicate: 0 .. R-1 must have the same number of items each"
    return None


def _describe(split, problem) -> str:
    if problem:
        return ""
    text = f"{split['samples'].dtype} {' x '.join(map(str, split['samples'].shape))}"
    for name in ("labels", "replicate"):
        if split.get(name) is not None:
            text += f", {name} {np.min(split[name])}..{np.max(split[name])}"
    return text


def _seed(first, other) -> Finding:
    """A finite set of images ignores the seed; a distribution in closed form draws from it."""
    equal = _equal(first, other)
    if first["train"]["samples"].dtype == np.uint8:
        wrong = ("load: the images depend on the seed; the workflow chooses, the plug-in gives the whole set in one "
                 "order")  # fmt: skip
        return verdict(equal, "load: the same for every seed (a finite set)", wrong)
    return verdict(not equal, "load: another seed, other draws", "load: another seed gives the same draws")


def _equal(a, b) -> bool:
    return a.keys() == b.keys() and all(
        np.array_equal(a[split].get(name), b[split].get(name)) if a[split].get(name) is not None else True
        for split in a
        for name in ("samples", "labels", "replicate")
    )


def _per_replicate(split) -> int:
    replicate = split.get("replicate")
    return len(split["samples"]) // (1 if replicate is None else int(np.max(replicate)) + 1)
