"""A normal distribution, drawn anew for each seed: the real data of the closed-form chains.

`replicates` independent data sets lie in one split, told apart by the column `replicate`.
"""

import numpy as np

from selfloop.errors import UserError
from selfloop.seeds import item_seeds, normal


def count(*, n=100, heldout=0):
    """Items in each replicate, which is what `training_set.size` counts."""
    return {"train": n} | ({"heldout": heldout} if heldout else {})


def load(
    *,
    seed,
    n=100,  # items in each replicate
    d=1,  # dimension
    mean=0.0,  # of every coordinate
    std=1.0,  # of every coordinate, independent
    replicates=1,  # independent chains
    heldout=0,  # held-out items in each replicate, from a stream of their own; 0: none
):
    """Return float64 (replicates * n) x d, replicate by replicate; a pure function of (seed, replicate * n + i)."""
    for name, value, least in (("n", n, 1), ("d", d, 1), ("replicates", replicates, 1), ("heldout", heldout, 0)):
        if value < least:
            raise UserError(f"normal: {name} is {value}, not >= {least}")
    if not std > 0:
        raise UserError(f"normal: std is {std}, not > 0")
    splits = {"train": _draw(seed, n, d, mean, std, replicates, step=0)}
    if heldout:
        splits["heldout"] = _draw(seed, heldout, d, mean, std, replicates, step=1)
    return splits


def _draw(seed, n, d, mean, std, replicates, step):
    samples = mean + std * normal(item_seeds(seed, n * replicates), (d,), step)
    return {"samples": samples, "replicate": np.repeat(np.arange(replicates), n)}
