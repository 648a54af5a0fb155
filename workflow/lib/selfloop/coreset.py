"""Greedy selection in two rounds: each shard of the pool chooses, then the union of what the shards chose.

A shard and the union are all that is held at a time, and with few candidates a shard the work falls with the number of
shards. The price is the covering radius, the largest distance of an item to the chosen.
"""

from __future__ import annotations  # np.random in a signature would load Python's random, which random.py hides

import numpy as np

from selfloop.errors import UserError
from selfloop.selection import Chosen, check_start, greedy


def greedy_coreset(
    features: np.ndarray, n: int, start: int, rng: np.random.Generator, *, shards: int = 16, factor: float = 2.0
) -> Chosen:
    """Farthest-point sampling of n items through random shards (Malkomes et al. 2015, "Fast distributed k-center").

    ``features`` float32[N, d] may be memory-mapped: a shard is read at a time. Each of ``shards`` chooses
    ``factor * n / shards`` candidates by `greedy`, but no more than n or than it has; from the union of these, about
    ``factor * n``, `greedy` chooses n from ``start`` on. Where a shard chooses n (``factor`` >= ``shards``) the
    covering radius is at most 4 times the smallest possible one, twice the bound of exact greedy; with fewer there is
    no bound. ``score`` is of the chosen only, the distance to those chosen before; the rest is not compared with them.
    """
    check_start(len(features), n, start)
    _check(shards, factor, len(features))
    wanted = min(n, int(np.ceil(factor * n / shards)))
    mixed = rng.permutation(len(features))
    candidates = np.concatenate(
        [_candidates(features, shard, wanted, start) for shard in np.array_split(mixed, shards)]
    )
    candidates.sort()  # ties go to the lowest position
    chosen = greedy(features[candidates], n, int(np.searchsorted(candidates, start)))
    score = np.ma.masked_all(len(features))
    score[candidates[chosen.order]] = chosen.score[chosen.order]
    return Chosen(candidates[chosen.order], score, chosen.copies)


def covering_radius(features: np.ndarray, chosen: np.ndarray) -> float:
    """Return the largest distance of an item of ``features`` float32[N, d] to its nearest of ``chosen`` int[n]."""
    from selfloop.chosen_distances import ChosenDistances

    with ChosenDistances(features) as distances:
        distances.add(chosen)
        return float(np.sqrt(max(distances.squared.max(), 0.0)))


def _candidates(features: np.ndarray, shard: np.ndarray, wanted: int, start: int) -> np.ndarray:
    """Return the positions int[] that a shard (positions int[], in random order) puts forward."""
    first = start if start in shard else shard[0]
    shard = np.sort(shard)
    chosen = greedy(np.asarray(features[shard]), min(wanted, len(shard)), int(np.searchsorted(shard, first)))
    return shard[chosen.order]


def _check(shards: int, factor: float, size: int) -> None:
    if not 1 <= shards <= size:
        raise UserError(f"shards is {shards}: it must be 1 to {size}, the items in the pool")
    if not (isinstance(factor, int | float) and factor >= 1 and np.isfinite(factor)):
        raise UserError(f"factor is {factor!r}: it must be at least 1, or the shards choose fewer than are wanted")
