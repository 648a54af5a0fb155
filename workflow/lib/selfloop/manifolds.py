"""Do samples and real items cover each other? Shares of balls around items, all from one pass over their distances.

A ball's radius is the distance from its centre to the k-th nearest other item of the centre's own set. What lies on
the border is inside, as in torch-fidelity; without ties it makes no difference.
"""

from typing import NamedTuple

import numpy as np

from selfloop.errors import UserError
from selfloop.neighbours import distance_blocks, pair_distances


class Manifolds(NamedTuple):
    """How samples and real items lie in each other's balls."""

    precision: float
    recall: float
    density: float
    coverage: float
    nearest: np.ndarray  # int64[n], the real item nearest to each sample; of equally near ones the first


def manifolds(
    samples: np.ndarray,
    real: np.ndarray,
    within_samples: np.ndarray,
    within_real: np.ndarray,
    *,
    k: int = 3,
    coverage_k: int = 5,
) -> Manifolds:
    """Return precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020).

    ``samples`` n x d, ``real`` N x d; ``within_samples`` float64 n x K and ``within_real`` float64 N x K are the
    distances from each item to its K nearest others in its own set, ascending, K >= k and K >= coverage_k. With B(x)
    the ball of x:

        precision  share of samples inside some B(real), radius of k
        recall     share of real items inside some B(sample), radius of k
        density    1 / (coverage_k n) times the number of pairs with the sample inside B(real), radius of coverage_k
        coverage   share of real items with some sample inside their B(real), radius of coverage_k
    """
    widest = max(k, coverage_k)
    smallest = min(len(samples), len(real))
    if min(k, coverage_k) < 1 or widest >= smallest:
        raise UserError(
            f"precision, recall and coverage with k = {widest} need more than {widest} items in each set, "
            f"there are {smallest}"
        )
    radii, wide, own = within_real[:, k - 1], within_real[:, coverage_k - 1], within_samples[:, k - 1]
    precise, pairs = 0, 0
    recalled, covered = np.zeros(len(real), dtype=bool), np.zeros(len(real), dtype=bool)
    nearest = np.empty(len(samples), dtype=np.int64)
    for rows, squared, error in distance_blocks(samples, real):
        block = _Block(samples[rows], real, squared, error)
        precise += int(np.count_nonzero(block.inside(radii).any(axis=1)))
        recalled |= block.inside(own[rows, None]).any(axis=0)
        inside = block.inside(wide)
        pairs += int(np.count_nonzero(inside))
        covered |= inside.any(axis=0)
        nearest[rows] = block.nearest()
    density = pairs / (coverage_k * len(samples))
    return Manifolds(precise / len(samples), float(recalled.mean()), density, float(covered.mean()), nearest)


class _Block:
    """Some samples against all real items: rounded squared distances, and exact ones where rounding leaves a doubt."""

    def __init__(self, samples, real, squared, error):
        """``squared`` float64 B x N is within ``error`` float64[B] of the exact values."""
        self._samples, self._real, self._squared, self._error = samples, real, squared, error[:, None]

    def inside(self, radii: np.ndarray) -> np.ndarray:
        """Return bool B x N, where a distance is at most ``radii``, float64 of a shape that broadcasts to B x N."""
        margin = self._squared - np.square(radii)
        result = margin <= 0
        doubtful = np.nonzero(np.abs(margin, out=margin) <= 2.0 * self._error)  # 2: the radius is rounded too
        if len(doubtful[0]):
            exact = pair_distances(self._samples, self._real, *doubtful)
            result[doubtful] = exact <= np.broadcast_to(radii, result.shape)[doubtful]
        return result

    def nearest(self) -> np.ndarray:
        """Return int64[B], the position of the nearest real item."""
        best = self._squared.argmin(axis=1)
        reach = np.take_along_axis(self._squared, best[:, None], axis=1) + 2.0 * self._error
        close = self._squared <= reach
        unsure = np.flatnonzero(np.count_nonzero(close, axis=1) > 1)
        for row in unsure:
            candidates = np.flatnonzero(close[row])
            exact = pair_distances(self._samples, self._real, np.full(len(candidates), row), candidates)
            best[row] = candidates[exact.argmin()]
        return best
