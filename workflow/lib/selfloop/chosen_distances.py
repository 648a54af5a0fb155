"""The distance of every pool item to its nearest chosen item, kept exact while items are chosen by the block.

The work is one matrix product of the pool with the chosen. In float32, ||x||^2 + ||y||^2 - 2xy loses small distances
to cancellation, so the features are centred, and a distance that is small beside the norms is computed again: in
float64 where many pairs are concerned, and as a plain sum of squared differences where even that would cancel.
Distances are therefore right to a relative 1e-5, near-duplicates included, and copies are at 0. Where the features are
integers (in any unit that is a power of two) with squared norms about their centre below 2**22, every distance is
exact, ties included.

Threads work on whole blocks of rows; results are the same to the bit whatever their number.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

from selfloop.blas_threads import blas_threads

TAKEN = -np.inf  # stands for the squared distance of an item that is chosen already

_ROWS = 1024  # pool rows and chosen items of one product: 4 MiB of results, which stay in the cache
_PICKS = 1024
_NEAR32 = 0.1  # squared distances below this share of the squared norm are computed again after a float32 product,
_NEAR64 = 1e-8  # and below this one after a float64 product
_TINY = 1e-30  # squares of float32 numbers underflow below it; the working copy is scaled to at most 1
_PAIRS = 1 << 22  # values held at a time by the difference form


class ChosenDistances:
    """Squared Euclidean distances of a pool to a growing set of chosen items; a context manager, for its threads.

    ``squared`` is float64[N]: the squared distance to the nearest chosen item in the features' own unit, infinite
    before the first, ``TAKEN`` for the chosen. ``features`` are float32[N, d], finite, and are not changed. One working
    copy of them is held, which shrinks as items are taken.
    """

    def __init__(self, features: np.ndarray):
        self.features = features
        self.squared = np.full(len(features), np.inf)
        self._centre = centre_of(features)
        self._scale = scale_of(features, self._centre)
        self._unit = self._scale**-2
        self._items = np.arange(len(features))  # the pool position of each working row
        self._rows, self._norms = self._working_copy()
        self._slack = 2 * (8 + np.sqrt(features.shape[1])) * np.finfo(np.float32).eps  # error of a product / norm

    def __enter__(self) -> "ChosenDistances":
        with ExitStack() as stack:
            self._threads, workers = stack.enter_context(blas_threads())
            self._end = stack.pop_all()
        self._buffers = [np.zeros(_ROWS * _PICKS, np.float32) for _ in range(workers)]  # no NaN for BLAS to meet
        return self

    def __exit__(self, *error) -> None:
        self._end.close()

    def add(self, positions: np.ndarray) -> None:
        """Choose the items at ``positions`` (int[p], not chosen before) and bring every other distance up to date."""
        self.squared[positions] = TAKEN
        if np.count_nonzero(self.squared[self._items] == TAKEN) * 16 > len(self._items):
            self._compact()
        for first in range(0, len(positions), _PICKS):
            picks = positions[first : first + _PICKS]
            augmented = self._augmented(picks)
            starts = iter(range(0, len(self._items), _ROWS))  # shared: each thread takes the next block of rows
            tasks = [self._threads.submit(self._updates, starts, picks, augmented, b) for b in self._buffers]
            for task in tasks:
                task.result()

    def block(self, positions: np.ndarray) -> "Block":
        """Return the items at ``positions`` (int[B]) with all distances among them, to choose from one by one."""
        return Block(self, positions)

    def exact(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the squared distances of pairs of positions, in the difference form in float64."""
        result = np.empty(len(left))
        step = max(1, _PAIRS // self.features.shape[1])
        for start in range(0, len(left), step):
            part = slice(start, start + step)
            difference = self.features[left[part]].astype(np.float64) - self.features[right[part]]
            result[part] = np.einsum("ij,ij->i", difference, difference)
        return result

    def product(self, positions: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
        """Return float64[p, q] squared distances by a float64 product; of ``positions`` among themselves if alone."""
        x = self._centred(positions)
        y = x if others is None else self._centred(others)
        result = x @ y.T  # numpy computes one triangle only when both are the same array
        result *= -2.0
        result += np.einsum("ij,ij->i", x, x)[:, None]
        result += np.einsum("ij,ij->i", y, y)
        result *= self._unit
        return result

    def near_limit(self, positions: np.ndarray) -> np.ndarray:
        """Return float64[p]: a result of ``product`` not above it, for these items, wants the difference form."""
        x = self._centred(positions)
        return (_NEAR64 * np.einsum("ij,ij->i", x, x) + _TINY) * self._unit

    def _centred(self, positions: np.ndarray) -> np.ndarray:
        return (self.features[positions] - self._centre) * self._scale

    def _working_copy(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the centred rows, float32[N, d + 1] with a last column of ones, and their squared norms, float64."""
        n, d = self.features.shape
        rows, norms = np.ones((n, d + 1), np.float32), np.empty(n)
        for start in range(0, n, _ROWS):
            part = slice(start, start + _ROWS)
            rows[part, :d] = self._centred(part)
            norms[part] = np.einsum("ij,ij->i", rows[part, :d], rows[part, :d], dtype=np.float64)
        return rows, norms

    def _augmented(self, picks: np.ndarray) -> np.ndarray:
        """Return (-2y, ||y||^2) for each pick, float32[p, d + 1]: times (x, 1) it is ||y||^2 - 2xy."""
        y = self._centred(picks).astype(np.float32)
        norms = np.einsum("ij,ij->i", y, y, dtype=np.float64)
        return np.column_stack([-2 * y, norms.astype(np.float32)])

    def _compact(self) -> None:
        """Drop the taken rows from the working copy, in place and by the block."""
        kept = np.flatnonzero(self.squared[self._items] != TAKEN)
        for start in range(0, len(kept), _ROWS):
            part = kept[start : start + _ROWS]
            self._rows[start : start + len(part)] = self._rows[part]  # part >= start: nothing unread is overwritten
        self._rows = self._rows[: len(kept)]
        self._items, self._norms = self._items[kept], self._norms[kept]

    def _updates(self, starts: Iterator[int], picks: np.ndarray, augmented: np.ndarray, buffer: np.ndarray) -> None:
        for start in starts:
            self._update(slice(start, start + _ROWS), picks, augmented, buffer)

    def _update(self, part: slice, picks: np.ndarray, augmented: np.ndarray, buffer: np.ndarray) -> None:
        """Lower the distances of the working rows ``part`` to their nearest of ``picks``."""
        rows, norms, items = self._rows[part], self._norms[part], self._items[part]
        product = buffer[: len(picks) * len(rows)].reshape(len(picks), len(rows))
        np.matmul(augmented, rows.T, out=product)
        lowest = product.min(axis=0)
        nearest = lowest + norms
        current = self.squared[items]
        near = nearest <= _NEAR32 * norms + _TINY
        slack = self._slack * norms + _TINY
        doubtful = np.flatnonzero(near & (current > 0) & ((nearest - slack) * self._unit < current))
        np.minimum(current, nearest * self._unit, out=current, where=~near)
        if len(doubtful):
            pairs = product[:, doubtful] <= (lowest + 2 * slack)[doubtful]
            current[doubtful] = np.minimum(current[doubtful], self._refined(items[doubtful], picks, pairs))
        self.squared[items] = current

    def _refined(self, items: np.ndarray, picks: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """Return the exact distances of ``items`` to their nearest of ``picks``; ``pairs`` bool[p, q] may be it."""
        if np.count_nonzero(pairs) > 8 * len(items):  # many are alike: tell them apart in float64 first
            product = self.product(picks, items)
            pairs = product <= product.min(axis=0) + self.near_limit(items)
        column, pick = np.nonzero(pairs.T)
        distances = self.exact(items[column], picks[pick])
        return np.minimum.reduceat(distances, np.searchsorted(column, np.arange(len(items))))


class Block:
    """A few pool items with all distances among them: exact choosing, one by one, without touching the pool.

    ``positions`` are int[B]; ``squared`` is float64[B], the squared distance to the nearest chosen item, those chosen
    in this block included, and ``TAKEN`` for them.
    """

    def __init__(self, distances: ChosenDistances, positions: np.ndarray):
        self.positions = positions
        self.squared = distances.squared[positions]
        self._distances = distances
        self._product = distances.product(positions)
        self._limit = distances.near_limit(positions)
        self._has_near = np.count_nonzero(self._product <= self._limit) > len(positions)  # besides the diagonal

    def take(self, j: int) -> None:
        """Choose the block's item ``j``: the distances of the others fall where it is nearer."""
        row = self._product[j]
        if self._has_near:
            near = np.flatnonzero((row <= self._limit) & (self.squared > 0))
            row[near] = self._distances.exact(self.positions[near], np.full(len(near), self.positions[j]))
        np.minimum(self.squared, row, out=self.squared)
        self.squared[j] = TAKEN


def centre_of(features: np.ndarray) -> np.ndarray:
    """Return float64[d]: the lower median of up to 1,024 rows. A value of the data, so that integers stay integers."""
    some = features[:: -(-len(features) // 1024)]
    middle = (len(some) - 1) // 2
    return np.partition(some, middle, axis=0)[middle].astype(np.float64)


def scale_of(features: np.ndarray, centre: np.ndarray) -> float:
    """Return the power of two that brings the centred features to at most 1 in absolute value."""
    largest = max(np.abs(features.max(axis=0) - centre).max(), np.abs(features.min(axis=0) - centre).max())
    return float(2.0 ** -np.frexp(largest)[1])
