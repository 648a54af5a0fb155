"""The classes of the samples of a class-conditional model: which class each item is asked for."""

import inspect
from collections.abc import Callable, Mapping

import numpy as np

from selfloop.errors import UserError
from selfloop.seeds import uniform

HOW = ("uniform", "balanced", "training")
_STEP = 1 << 40  # the place in an item's stream that no step of a sampler reaches


def asked_labels(draw: Callable, how: str, weights: Mapping, seeds, rows, where: str) -> np.ndarray | None:
    """Return the ``labels`` int32[B] for a sampler that names them, None for any other (an unconditional model).

    Raises UserError, naming the plug-in ``where``, if its weights lack ``class_counts``.
    """
    if "labels" not in inspect.signature(draw).parameters:
        return None
    if "class_counts" not in weights:
        raise UserError(f"{where}: its sampler takes labels, so train() must return class_counts, int64[K], with the "
                        "weights: the items of each class in the training set")  # fmt: skip
    return class_labels(how, weights["class_counts"], seeds, rows)


def class_labels(how: str, counts: np.ndarray, seeds: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return int32[B], a class for each item, of those that the training set has (``counts`` int[K] of each class).

    ``uniform``: drawn from the item's own stream (``seeds`` int64[B]), every class equally likely; ``training``: drawn
    likewise in the proportions of the training set; ``balanced``: by the item's place in its generation (``rows``
    int64[B]), so that any n successive items have each class n/K times, to one.
    """
    counts = np.asarray(counts)
    if counts.ndim != 1 or counts.dtype.kind not in "iu" or counts.min(initial=0) < 0 or not counts.any():
        raise UserError(f"class_counts of the model must be whole numbers >= 0 of items of each class, not {counts}")
    classes = np.flatnonzero(counts)
    if how == "balanced":
        return classes[rows % len(classes)].astype(np.int32)
    if how not in HOW:
        raise UserError(f"sampling.labels: '{how}' is not one of {', '.join(HOW)}")
    share = counts[classes] if how == "training" else np.ones(len(classes))
    borders = np.cumsum(share) / np.sum(share)
    place = np.searchsorted(borders, uniform(seeds, (1,), _STEP)[:, 0], side="right")
    return classes[np.minimum(place, len(classes) - 1)].astype(np.int32)
