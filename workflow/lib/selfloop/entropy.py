"""Differential entropy from nearest neighbours (Kozachenko and Leonenko 1987; arXiv 2509.16499, section 4)."""

import math
from dataclasses import dataclass

import numpy as np

from selfloop.errors import UserError
from selfloop.neighbours import nearest, nearest_others

FLOOR = 1e-10  # what the released code of arXiv 2509.16499 adds to each distance inside the logarithm


@dataclass(frozen=True)
class EntropyReport:
    """Entropy in nats with the floor, and over the distinct rows alone (None where these are too few)."""

    floored: float
    distinct: float | None
    n: int
    n_distinct: int

    @property
    def duplicates(self) -> int:
        """Rows that repeat an earlier row exactly."""
        return self.n - self.n_distinct


def entropy(items: np.ndarray, *, k: int = 1, floor: float = 0.0) -> float:
    """Return the Kozachenko-Leonenko entropy, in nats, of ``items`` float N x d.

    Exact duplicates give -inf at floor 0 (for k = 1). Raises UserError when N <= k.
    """
    _check(len(items), k)
    return entropy_from_distances(nearest_others(items, k)[0][:, -1], items.shape[1], k=k, floor=floor)


def entropy_from_distances(distances: np.ndarray, d: int, *, k: int = 1, floor: float = 0.0) -> float:
    """Return psi(N) - psi(k) + log c_d + (d / N) sum_i log(r_k(i) + floor), in nats.

    ``distances`` float64[N] are r_k, Euclidean and to the k-th *other* item; c_d is the volume of the unit ball:
    log c_d = (d / 2) log pi - lgamma(d / 2 + 1).
    """
    n = len(distances)
    _check(n, k)
    log_ball = 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d + 1.0)
    with np.errstate(divide="ignore"):
        mean_log = float(np.mean(np.log(distances + floor)))
    return digamma_difference(n, k) + log_ball + d * mean_log


def entropy_report(items: np.ndarray, distances: np.ndarray) -> EntropyReport:
    """Return the entropy (k = 1) of ``items`` N x d with the floor and over distinct rows.

    ``distances`` float64[N] are those to the nearest other item. Only rows that have a duplicate are searched again.
    """
    rows = distinct_rows(items, distances)
    own = distances[rows]
    repeated = np.flatnonzero(own == 0)
    if len(rows) > 1 and len(repeated):
        kept = items[rows]
        own[repeated] = nearest(kept[repeated], kept, 1, own=repeated)[0][:, 0]
    floored = entropy_from_distances(distances, items.shape[1], floor=FLOOR)
    distinct = entropy_from_distances(own, items.shape[1]) if len(rows) > 1 else None
    return EntropyReport(floored, distinct, len(items), len(rows))


def distinct_rows(items: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Return the positions int64[], ascending, of the first of each set of equal rows of ``items`` N x d.

    ``distances`` float64[N] are those to the nearest other item: only rows at distance 0 can have an equal.
    """
    repeated = np.flatnonzero(distances == 0)
    if not len(repeated):
        return np.arange(len(items))
    rows = np.ascontiguousarray(items[repeated] + 0.0)  # + 0.0 makes -0.0 and 0.0 the same bytes
    _, first = np.unique(rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).reshape(-1), return_index=True)
    keep = distances > 0
    keep[repeated[first]] = True
    return np.flatnonzero(keep)


def digamma_difference(n: int, k: int) -> float:
    """Return psi(n) - psi(k) for integers 1 <= k <= n, which is the sum of 1/j for j = k .. n - 1."""
    return math.fsum(1.0 / j for j in range(k, n))


def _check(n: int, k: int) -> None:
    if n <= k:
        raise UserError(f"entropy with k = {k} needs more than {k} items, there are {n}")
