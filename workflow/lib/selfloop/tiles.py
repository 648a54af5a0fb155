"""The candidates for nearest neighbours on a CPU: tiles of one float32 matrix product each, a few kept for each query.

A tile of a set with itself serves both its rows and its columns, so that a set among itself costs half of what two
sets cost. What is kept is a function of the values alone (of equal ones the lowest positions), in whatever order the
tiles are done.
"""

import threading

import numpy as np

from selfloop.blas_threads import blas_threads

_SIDE = 1024  # of a tile: 4 MiB of distances, which stay in the cache
_DENSE = 4  # a tile that would give more times what is kept than this is thinned first


def tile_candidates(queries: np.ndarray, base: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``count`` nearest of ``base`` for each query: (squared distances, positions int64), Q x count.

    Both float32, Q x d and N x d; when they are the same array each item is left out of its own neighbours. Distances
    are ||q||^2 + ||b||^2 - 2 q.b, ascending, as float32 rounds them.
    """
    among = queries is base
    search = _Search(queries, base, count, among)
    rows, columns = range(0, len(queries), _SIDE), range(0, len(base), _SIDE)
    tiles = iter([(i, j) for i in rows for j in columns if not among or j >= i])  # shared: each thread takes the next
    with blas_threads() as (threads, workers):
        for task in [threads.submit(search.work, tiles) for _ in range(workers)]:
            task.result()
    return search.squared, search.positions


class _Search:
    """The best candidates so far, and what a thread does to improve them."""

    def __init__(self, queries: np.ndarray, base: np.ndarray, count: int, among: bool):
        self.squared = np.full((len(queries), count), np.inf, np.float32)
        self.positions = np.full((len(queries), count), len(base), np.int64)
        self._queries, self._base, self._among, self._lock = queries, base, among, threading.Lock()
        self._norms = [np.einsum("nd,nd->n", x, x, dtype=np.float64).astype(np.float32) for x in (queries, base)]

    def work(self, tiles) -> None:
        """Do tiles until there are none left."""
        buffer, strip, left = np.empty(_SIDE * _SIDE, np.float32), None, None
        for i, j in _shared(tiles, self._lock):
            if i != strip:
                strip, left = i, self._augmented(0, i)
            right = self._augmented(1, j)
            tile = buffer[: len(left) * len(right)].reshape(len(left), len(right))
            np.matmul(left, right.T, out=tile)
            if self._among and i == j:
                np.fill_diagonal(tile, np.inf)
            self._take(tile, i, j)
            if self._among and i != j:
                self._take(tile, j, i, axis=0)

    def _augmented(self, side: int, start: int) -> np.ndarray:
        """Return the rows of a tile with two more columns: the product is ||q||^2 + ||b||^2 - 2 q.b."""
        x = (self._queries, self._base)[side][start : start + _SIDE]
        norms = self._norms[side][start : start + _SIDE]
        result = np.ones((len(x), x.shape[1] + 2), np.float32)
        result[:, :-2] = x if side == 0 else -2.0 * x
        result[:, side - 2] = norms  # (q, ||q||^2, 1) times (-2b, 1, ||b||^2)
        return result

    def _take(self, tile: np.ndarray, query: int, position: int, axis: int = 1) -> None:
        """Let a tile improve what is kept: along ``axis`` lie the positions from ``position`` on of one query each."""
        among, size = tile.shape[axis], tile.shape[1 - axis]
        rows, enough = slice(query, query + size), _DENSE * self.squared.shape[1] * size
        limit = self.squared[rows, -1]
        later = self.positions[rows, -1] > position  # of equals the lowest position
        limit = np.where(later, np.nextafter(limit, np.float32(np.inf)), limit)
        mask = tile < np.expand_dims(limit, axis)
        found = np.count_nonzero(mask)
        if found > enough and self.squared.shape[1] < among:
            mask &= tile <= np.partition(tile, self.squared.shape[1] - 1, axis).take([self.squared.shape[1] - 1], axis)
            found = np.count_nonzero(mask)
        if found > enough:  # nearly all are alike
            nearest = np.argsort(tile, axis, kind="stable").take(range(min(among, self.squared.shape[1])), axis)
            mask = np.zeros_like(mask)
            np.put_along_axis(mask, nearest, True, axis)
            found = np.count_nonzero(mask)
        if found:
            index = np.flatnonzero(mask)
            place = np.divmod(index, tile.shape[1])
            self._merge(query + place[1 - axis], position + place[axis], tile.reshape(-1)[index])

    def _merge(self, queries: np.ndarray, positions: np.ndarray, squared: np.ndarray) -> None:
        """Keep the best ``count`` of what is kept and of new candidates, each of a query at a position."""
        count = self.squared.shape[1]
        concerned = np.unique(queries)
        with self._lock:
            values = np.concatenate([self.squared[concerned].reshape(-1), squared])
            places = np.concatenate([self.positions[concerned].reshape(-1), positions])
            owners = np.concatenate([np.repeat(concerned, count), queries])
            order = np.lexsort((places, values, owners))
            first = np.searchsorted(owners[order], concerned)
            kept = order[first[:, None] + np.arange(count)]
            self.positions[concerned] = places[kept]
            self.squared[concerned] = values[kept]


def _shared(iterator, lock):
    """Yield from an iterator that other threads take from too."""
    while True:
        with lock:
            item = next(iterator, None)
        if item is None:
            return
        yield item
