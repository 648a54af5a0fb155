"""Real data: what a dataset plug-in gives, checked, and the seeded choice of held-out and training items."""

from collections.abc import Mapping

import numpy as np

from selfloop.errors import UserError
from selfloop.images import EncodedImages
from selfloop.plugins import call, load_plugin
from selfloop.seeds import derive

Split = tuple[np.ndarray | EncodedImages, np.ndarray | None, np.ndarray | None]  # samples, labels, replicate


def load_dataset(path: str, params: Mapping, seed: int) -> dict[str, Split]:
    """Call a dataset plug-in and return its splits "train" and, where it has one, "heldout"; UserError if malformed."""
    module = load_plugin(path, "dataset")
    answer = call(module.load, {"seed": seed}, params, path)
    if not isinstance(answer, Mapping) or "train" not in answer:
        raise UserError(f"{path}: load() must return a dict with a split 'train'")
    splits = {name: _checked(split, f"{path}: split '{name}'") for name, split in answer.items() if split is not None}
    shapes = {name: samples.shape[1:] for name, (samples, _, _) in splits.items()}
    if len(set(shapes.values())) > 1:
        text = ", ".join(f"{' x '.join(map(str, shape))} in '{name}'" for name, shape in shapes.items())
        raise UserError(f"{path}: items of different shapes: {text}")
    return splits


def _checked(split: Mapping, where: str) -> Split:
    samples = split["samples"] if isinstance(split["samples"], EncodedImages) else np.asarray(split["samples"])
    if (samples.dtype, samples.ndim) not in ((np.uint8, 4), (np.float64, 2), (np.int32, 2)):
        raise UserError(f"{where}: samples are {samples.dtype} of {samples.ndim} dimensions; expected uint8 "
                        "N x C x H x W, float64 N x d or int32 N x L")  # fmt: skip
    columns = []
    for name in ("labels", "replicate"):
        column = split.get(name)
        if column is not None and len(column) != len(samples):
            raise UserError(f"{where}: {len(column)} {name} for {len(samples)} samples")
        columns.append(None if column is None else np.asarray(column, dtype=np.int32))
    return samples, columns[0], columns[1]


def choose(
    splits: Mapping[str, Split],
    part: str,
    n: int | None,
    heldout: int | None,
    heldout_seed: int,
    stream: int,
    balanced: bool = False,
):
    """Return (samples, labels, replicate, positions) of one part of the real data, per replicate.

    ``heldout`` items are set apart by ``heldout_seed`` alone, so that every chain has the same ones; None takes the
    plug-in's own "heldout" split. The n training items (and the fresh ones of a generation) are a uniform draw
    without replacement from what is left, by ``stream``; ``balanced``, the same number of each class. ``positions``
    are places in the plug-in's split.
    """
    source = splits["heldout"] if part == "heldout" and "heldout" in splits else splits["train"]
    samples, labels, replicate = source
    if "heldout" not in splits and heldout is None:
        raise UserError("dataset.heldout: the dataset has no held-out items of its own; give their number")
    if balanced and labels is None:
        raise UserError("training_set.balanced: the dataset has no labels, so there are no classes to balance")
    chosen = []
    for rows in _replicates(replicate, len(samples)):
        if "heldout" in splits:
            apart, rest = (rows, rows) if heldout is None else (_draw(rows, heldout_seed)[:heldout], rows)
        else:
            order = _draw(rows, heldout_seed)
            apart, rest = order[:heldout], order[heldout:]
        pool, wanted = (apart, len(apart)) if part == "heldout" else (np.sort(rest), n)
        if len(pool) < wanted or (part == "heldout" and heldout is not None and len(apart) < heldout):
            raise UserError(
                f"the dataset has {len(rows)} items, {len(pool)} of them for '{part}'; {wanted} are asked for"
            )
        if part == "heldout":
            chosen.append(np.sort(pool))
        else:
            order = _draw(pool, stream)
            chosen.append(_same_of_each_class(order, labels[order], wanted) if balanced else order[:wanted])
    positions = np.concatenate(chosen)
    labels, replicate = (None if column is None else column[positions] for column in (labels, replicate))
    return np.asarray(samples[positions]), labels, replicate, positions


def _same_of_each_class(order: np.ndarray, labels: np.ndarray, n: int) -> np.ndarray:
    """Return n items of ``order``, in its order: the first n/K of each of the K classes.

    Where K does not divide n, the classes whose next item comes first have one more.
    """
    classes, of = np.unique(labels, return_inverse=True)
    each = n // len(classes)
    counts = np.bincount(of)
    if counts.min() < each:
        short = int(counts.argmin())
        raise UserError(f"training_set.balanced: {each} items of each of {len(classes)} classes are asked for, but "
                        f"class {classes[short]} has {counts[short]}")  # fmt: skip
    turn = np.empty(len(order), np.int64)  # how many of its class come before an item
    for k in range(len(classes)):
        turn[of == k] = np.arange(counts[k])
    further = np.flatnonzero(turn == each)[: n - each * len(classes)]
    if len(further) < n - each * len(classes):
        raise UserError(f"training_set.balanced: {n} items of {len(classes)} classes are asked for, but only "
                        f"{len(further)} classes have more than {each}")  # fmt: skip
    return order[np.sort(np.concatenate([np.flatnonzero(turn < each), further]))]


def _draw(rows: np.ndarray, seed: int) -> np.ndarray:
    """Return the rows in a seeded random order; the stream depends on the first row, so replicates differ."""
    return np.random.default_rng(derive(seed, "choose", 0, int(rows[0]))).permutation(rows)


def _replicates(replicate: np.ndarray | None, n: int) -> list[np.ndarray]:
    if replicate is None:
        return [np.arange(n)]
    order = np.argsort(replicate, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(replicate[order])) + 1)
