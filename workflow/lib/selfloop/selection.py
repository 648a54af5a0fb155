"""Selection rules as pure functions: features in, positions out. No files, no global random state.

Positions are int64 indices into the pool, in the order of choosing. Features are float32[N, d], finite.
"""

from __future__ import annotations  # np.random in a signature would load Python's random, which random.py hides

from dataclasses import dataclass

import numpy as np

from selfloop.chosen_distances import TAKEN, Block, ChosenDistances
from selfloop.errors import UserError

SCHEDULES = ("paper", "released")
_SMALLEST_BLOCK, _LARGEST_BLOCK = 64, 1024


@dataclass(frozen=True)
class Chosen:
    """What a distance rule chose: ``order`` int64[n] and ``score`` masked float64[N], larger preferred.

    ``copies`` counts the chosen that are copies of (at distance 0 from) one chosen before: the last ones, taken by
    lowest position when nothing else was left.
    """

    order: np.ndarray
    score: np.ma.MaskedArray
    copies: int


def uniform(size: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n of ``size`` positions, uniform without replacement, ascending (arXiv 2410.16713)."""
    _check_count(size, n)
    return np.sort(rng.choice(size, n, replace=False))


def stratified(generation: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n positions, the same number from each generation present (the released code of arXiv 2509.16499).

    ``generation`` is int[N]. With k generations each gives n // k items, drawn uniformly without replacement; which
    n % k of them give one more is drawn too. UserError when a generation has too few.
    """
    _check_count(len(generation), n)
    present = np.unique(generation)
    quota = np.full(len(present), n // len(present))
    quota[rng.permutation(len(present))[: n % len(present)]] += 1
    chosen = []
    for value, wanted in zip(present, quota, strict=True):
        members = np.flatnonzero(generation == value)
        if len(members) < wanted:
            raise UserError(
                f"stratified: generation {value} has {len(members)} items in the pool and {wanted} are wanted from it "
                f"(n = {n} over {len(present)} generations): ask for fewer"
            )
        chosen.append(rng.choice(members, wanted, replace=False))
    return np.sort(np.concatenate(chosen))


def greedy(features: np.ndarray, n: int, start: int) -> Chosen:
    """Farthest-point sampling, exact: arXiv 2509.16499, Algorithm 1 (Gonzalez 1985).

    From ``start``, repeatedly the item whose distance to its nearest chosen item is largest; ties go to the lowest
    position. A chosen item's score is that distance when it was chosen (the start has none), a rejected item's is its
    distance to the chosen set.

    Lazy blocks: a distance that is out of date is an upper bound. The B items with the largest are looked at with all
    distances among them; while the best of them is not below the largest bound outside, it is the best of all. Then one
    matrix product brings the whole pool up to date with everything chosen in the block.
    """
    check_start(len(features), n, start)
    with ChosenDistances(features) as distances:
        distances.add(np.array([start]))
        order, score, size = [start], np.full(len(features), np.nan), _SMALLEST_BLOCK
        while len(order) < n and distances.squared.max() > 0:
            positions, bound, outside = _largest(distances.squared, size)
            block = distances.block(positions)
            taken = _farthest_of(block, n - len(order), bound, outside, score)
            distances.add(np.array(taken))
            order.extend(taken)
            size = _next_size(size, len(taken), len(features))
    return finish(order, n, distances.squared, score)


def threshold_decay(
    features: np.ndarray,
    n: int,
    start: int,
    *,
    tau0: float | None = None,
    alpha: float = 0.95,
    schedule: str = "paper",
    visiting: np.ndarray | None = None,
) -> Chosen:
    """Threshold decay filter, exact: arXiv 2509.16499, Algorithm 2.

    From ``start``, passes over the pool in the order ``visiting`` (int[N], a permutation; None = pool order): an item
    is added when its distance to every chosen item is strictly greater than tau, until n are chosen. After k decays
    tau is tau0 * alpha**k. ``schedule`` "paper" decays after a pass that added nothing, "released" after every pass.
    Both choose the same: after a pass no item left is further than tau from the chosen, so that the paper's next pass
    adds nothing. Passes that add nothing are not walked: tau falls at once below the largest distance left.

    ``tau0`` None is the distance from the start to its farthest item; it is in the unit of the features. A chosen
    item's score is the tau at which it was added (the start has none), a rejected item's is its distance to the chosen
    set: the tau below which it would be added. When only copies of chosen items are left no tau lets them in: they
    fill the rest by lowest position, with score 0, and are counted in ``copies``.
    """
    check_start(len(features), n, start)
    tau0 = _check_decay(tau0, alpha, schedule)
    with ChosenDistances(features) as distances:
        distances.add(np.array([start]))
        visiting = np.arange(len(features)) if visiting is None else np.asarray(visiting)
        order, score, size, decays = [start], np.full(len(features), np.nan), _SMALLEST_BLOCK, 0
        while len(order) < n and (largest := distances.squared.max()) > 0:
            tau0 = np.sqrt(largest) if tau0 is None else tau0
            tau = tau0 * alpha**decays
            taken, size = _pass(distances, visiting, _largest_square(tau), n - len(order), size)
            order.extend(taken)
            score[taken] = tau
            if not taken:
                decays = _decays_until_below(tau0, alpha, np.sqrt(largest))
            elif schedule == "released":
                decays += 1
    return finish(order, n, distances.squared, score)


def _largest(squared: np.ndarray, size: int) -> tuple[np.ndarray, float, int]:
    """Return up to ``size`` untaken positions of the largest values, ascending, and what bounds the others.

    That is the largest value outside and the lowest position outside that has it; -inf and N when nothing is outside.
    """
    if np.count_nonzero(squared != TAKEN) <= size:
        return np.flatnonzero(squared != TAKEN), TAKEN, len(squared)
    bound = np.partition(squared, -size - 1)[-size - 1]
    above, tied = np.flatnonzero(squared > bound), np.flatnonzero(squared == bound)
    inside = size - len(above)
    return np.sort(np.concatenate([above, tied[:inside]])), bound, int(tied[inside])


def _farthest_of(block: Block, room: int, bound: float, outside: int, score: np.ndarray) -> list[int]:
    """Take the farthest item of the block while no item outside can come before it, at most ``room`` times."""
    taken: list[int] = []
    while len(taken) < room:
        j = int(block.squared.argmax())  # the first of equals: the lowest position, since positions ascend
        best, position = block.squared[j], int(block.positions[j])
        if best < bound or (best == bound and position > outside) or best <= 0:  # 0: copies, TAKEN: none left
            break
        score[position] = np.sqrt(best)
        taken.append(position)
        block.take(j)
    return taken


def _pass(
    distances: ChosenDistances, visiting: np.ndarray, limit: float, room: int, size: int
) -> tuple[list[int], int]:
    """Add, in visiting order, items whose squared distance is above ``limit``; return them and the next block size."""
    taken: list[int] = []
    left = visiting[distances.squared[visiting] > limit]
    while len(left) and len(taken) < room:
        added = _further_of(distances.block(left[:size]), room - len(taken), limit)
        distances.add(np.array(added))
        taken.extend(added)
        left = left[size:]
        left = left[distances.squared[left] > limit]
        size = _next_size(size, len(added), len(visiting))
    return taken, size


def _further_of(block: Block, room: int, limit: float) -> list[int]:
    """Take the items of the block in turn whose squared distance is above ``limit``, at most ``room``."""
    taken: list[int] = []
    j = 0
    while len(taken) < room and j < len(block.squared):
        step = int((block.squared[j:] > limit).argmax())
        if not block.squared[j + step] > limit:
            break
        j += step
        taken.append(int(block.positions[j]))
        block.take(j)
    return taken


def finish(order: list[int], n: int, squared: np.ndarray, score: np.ndarray) -> Chosen:
    """Fill up with copies by lowest position if the distinct items ran out, and add the scores of the rejected.

    ``squared`` float64[N] are the squared distances to the chosen, ``TAKEN`` for them.
    """
    left = np.flatnonzero(squared != TAKEN)
    copies = left[: n - len(order)]
    score[left] = np.sqrt(squared[left])
    chosen = np.concatenate([order, copies]).astype(np.int64)
    return Chosen(chosen, np.ma.masked_invalid(score), len(copies))


def _next_size(size: int, taken: int, pool: int) -> int:
    """Return the next block size: the largest of which most is used, while a block stays cheap beside an update."""
    if taken * 2 > size:
        return min(2 * size, _LARGEST_BLOCK, max(_SMALLEST_BLOCK, pool // 32))
    return max(size // 2, _SMALLEST_BLOCK) if taken * 8 < size else size


def _largest_square(tau: float) -> float:
    """Return the largest float64 whose square root is at most tau: comparing squares with it compares distances."""
    square = tau * tau
    if square < np.finfo(np.float64).tiny:  # no squared difference of float32 numbers lies between 0 and this
        return 0.0
    while np.sqrt(square) > tau:
        square = np.nextafter(square, 0.0)
    while np.isfinite(square) and np.sqrt(np.nextafter(square, np.inf)) <= tau:
        square = np.nextafter(square, np.inf)
    return square


def _decays_until_below(tau0: float, alpha: float, distance: float) -> int:
    """Return the smallest k with tau0 * alpha**k < distance, where tau0 >= distance > 0."""
    k = 1 if alpha == 0 else max(1, int(np.log(distance / tau0) / np.log(alpha)))
    while tau0 * alpha**k >= distance:
        k += 1
    while tau0 * alpha ** (k - 1) < distance:
        k -= 1
    return k


def _check_count(size: int, n: int) -> None:
    if not 1 <= n <= size:
        raise UserError(f"cannot choose {n} of {size} items: n must be between 1 and the size of the pool")


def check_start(size: int, n: int, start: int) -> None:
    """Raise UserError unless n of ``size`` can be chosen from ``start`` on."""
    _check_count(size, n)
    if not 0 <= start < size:
        raise UserError(f"start is {start}: it must be a position in the pool, 0 to {size - 1}")


def _check_decay(tau0: float | None, alpha: float, schedule: str) -> float | None:
    if tau0 is not None and not (isinstance(tau0, int | float) and np.isfinite(tau0) and tau0 >= 0):
        raise UserError(f"tau0 is {tau0!r}: it must be a distance >= 0, or null for the farthest item's")
    if not (isinstance(alpha, int | float) and 0 <= alpha < 1):
        raise UserError(f"alpha is {alpha!r}: it must be at least 0 and below 1 (tau would never fall)")
    if schedule not in SCHEDULES:
        raise UserError(f"schedule is {schedule!r}: it must be one of {', '.join(SCHEDULES)}")
    return None if tau0 is None else float(tau0)
