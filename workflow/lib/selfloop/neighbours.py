"""Exact nearest neighbours: candidates in float32, distances and their order in float64.

Candidates come from ||q||^2 + ||b||^2 - 2 q.b in float32, which cancels for near-duplicates and far from the origin:
on a CPU a set among itself from `selfloop.tiles`, which compares each pair once; two large sets, and all on a GPU, from
faiss, which is as fast there; small sets from the tiles again, since faiss takes longer to be imported. So the items
are shifted to the mean and scaled, a few more candidates than asked are taken, and their distances are computed anew as
differences in float64. A row whose k-th neighbour is not separated from the candidates left out by more than the
rounding error bound is searched again in float64. The answer does not depend on the BLAS, the device or threads.
"""

import contextlib
import os

import numpy as np

from selfloop.errors import UserError
from selfloop.tiles import tile_candidates

_EXTRA = 6  # candidates beyond those asked for
_BRUTE_VALUES = 2**16  # fewer values to compare than this are not worth an index
_FAISS_PAIRS = 2**28  # fewer pairs than this are not worth the import of faiss or the start of a GPU
_ROWS = 64  # rows of a float64 product at least
_CHUNK = 2**20  # float64 values in a temporary

compared = 0  # pairs that `nearest` and `distance_blocks` of this process have compared, a set among itself once each


def nearest(queries: np.ndarray, base: np.ndarray, k: int, *, own: np.ndarray | None = None):
    """Return the k nearest items of ``base`` to each query: (distances float64 Q x k, positions int64 Q x k).

    ``queries`` Q x d and ``base`` N x d are finite floats. ``own`` int64[Q] is the position in ``base`` of each query
    itself, which is left out: by position, so that an exact duplicate stays a neighbour at distance 0 (0 .. N - 1 where
    both are the same array). Distances are
    Euclidean, ascending; of equal ones the lower position stands first, and which ones of more than k equal ones are
    returned is not promised. Raises UserError when there are fewer than k items.
    """
    available = len(base) - (own is not None)
    if not 1 <= k <= available:
        raise UserError(f"{k} nearest neighbours were asked for among {available} items")
    if queries.shape[1] != base.shape[1]:
        raise UserError(f"features of {queries.shape[1]} and of {base.shape[1]} dimensions cannot be compared")
    global compared
    compared += len(queries) * len(base) // (2 if queries is base else 1)
    frame = _frame(queries, base)
    if len(queries) * base.size <= _BRUTE_VALUES:
        bound, positions = np.inf, np.tile(np.arange(len(base)), (len(queries), 1))
    else:
        bound, positions = _candidates(queries, base, k, own, frame)
    distances, positions = _ranked(queries, base, positions, own, k, frame[1])
    unsure = np.flatnonzero((distances[:, -1] > bound) & (distances[:, -1] > 0))
    if len(unsure):
        distances[unsure], positions[unsure] = _search_float64(queries, base, k, own, unsure, frame)
    return distances, positions


def nearest_others(items: np.ndarray, k: int, rows: np.ndarray | None = None):
    """Return the k nearest *other* items of each of ``items`` N x d (of each of ``rows`` int64[R], if given)."""
    if rows is None:
        return nearest(items, items, k, own=np.arange(len(items)))
    return nearest(items[rows], items, k, own=rows)


def pairwise(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Euclidean distances float64 A x B, each computed as a difference (no cancellation)."""
    result = np.empty((len(a), len(b)))
    b64 = b.astype(np.float64)
    step = max(1, _CHUNK // max(1, b.size))
    for start in range(0, len(a), step):
        difference = a[start : start + step, None].astype(np.float64) - b64
        result[start : start + step] = np.sqrt(np.einsum("abd,abd->ab", difference, difference))
    return result


def distance_blocks(queries: np.ndarray, base: np.ndarray):
    """Yield (rows, squared float64 B x N, error float64[B]) of blocks of ``queries`` Q x d against ``base`` N x d.

    Squared Euclidean distances by one matrix product, each within ``error`` of the exact one; ``rows`` is a slice.
    `pair_distances` settles what that leaves in doubt.
    """
    global compared
    compared += len(queries) * len(base)
    frame = (_frame(queries, base)[0], 1.0)
    base64 = _framed(base, frame, np.float64)
    base_norms = np.einsum("nd,nd->n", base64, base64)
    step = max(_ROWS, _CHUNK // len(base))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        q = _framed(queries[rows], frame, np.float64)
        norms = np.einsum("qd,qd->q", q, q)
        squared = q @ base64.T
        squared *= -2.0
        squared += norms[:, None]
        squared += base_norms
        yield rows, squared, _bound(np.sqrt(norms), np.sqrt(base_norms.max()), base.shape[1], np.float64)


def pair_distances(queries: np.ndarray, base: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the distances float64[P] of the pairs queries[rows], base[columns], to the bit as `nearest` has them."""
    result = np.empty(len(rows))
    step = max(1, _CHUNK // base.shape[1])
    for start in range(0, len(rows), step):
        pairs = slice(start, start + step)
        difference = queries[rows[pairs], None].astype(np.float64) - base[columns[pairs], None]
        result[pairs] = np.sqrt(np.einsum("qkd,qkd->qk", difference, difference))[:, 0]
    return result


def _candidates(queries, base, k, own, frame):
    """Return (float64[Q], int64 Q x K): what the distance of any other item is at least, and the nearest in float32."""
    among = own is not None and queries is base
    base32 = _framed(base, frame, np.float32)
    queries32 = base32 if among else _framed(queries, frame, np.float32)
    faiss = import_faiss() if len(queries) * len(base) >= _FAISS_PAIRS else None
    on_gpu = faiss is not None and faiss.get_num_gpus() > 0
    if on_gpu or (faiss and not among):
        count = min(len(base), k + (own is not None) + _EXTRA)
        index = faiss.IndexFlatL2(base.shape[1])
        index = faiss.index_cpu_to_all_gpus(index) if on_gpu else index
        index.add(base32)
        squared, positions = index.search(queries32, count)
        everything = count == len(base)
    else:
        count = min(len(base) - among, k + (own is not None and not among) + _EXTRA)
        squared, positions = tile_candidates(queries32, base32, count)
        everything = count == len(base) - among
    if everything:
        return np.inf, positions
    left_out = squared[:, -1].astype(np.float64) - _rounding(queries32, base32, np.float32)
    return np.sqrt(np.maximum(left_out, 0.0)) / frame[1], positions


def _search_float64(queries, base, k, own, rows, frame):
    """Return nearest() for ``rows`` of the queries: every item that float64 rounding leaves in doubt is compared."""
    base64 = _framed(base, frame, np.float64)
    base_norms = np.einsum("nd,nd->n", base64, base64)
    distances, positions = np.empty((len(rows), k)), np.empty((len(rows), k), dtype=np.int64)
    step = max(_ROWS, _CHUNK // len(base))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        q = _framed(queries[block], frame, np.float64)
        squared = np.einsum("qd,qd->q", q, q)[:, None] + base_norms - 2.0 * (q @ base64.T)
        if own is not None:
            squared[np.arange(len(block)), own[block]] = np.inf
        reach = np.partition(squared, k - 1, axis=1)[:, k - 1] + 2.0 * _rounding(q, base64, np.float64)
        for i, row in enumerate(block):
            near = np.flatnonzero(squared[i] <= reach[i])[None]
            found = _ranked(queries[row : row + 1], base, near, None, k, frame[1])
            distances[start + i], positions[start + i] = found[0][0], found[1][0]
    return distances, positions


def _ranked(queries, base, positions, own, k, scale):
    """Return (distances float64 Q x k ascending, positions int64 Q x k), the best of the candidates int64 Q x K."""
    distances = np.empty(positions.shape)
    step = max(1, _CHUNK // (positions.shape[1] * base.shape[1]))
    for start in range(0, len(queries), step):
        block = slice(start, start + step)
        difference = (queries[block, None].astype(np.float64) - base[positions[block]]) * scale
        distances[block] = np.sqrt(np.einsum("qkd,qkd->qk", difference, difference)) / scale
    if own is not None:
        distances[positions == own[:, None]] = np.inf
    if positions.shape[1] > k:
        best = np.argpartition(distances, k - 1, axis=1)[:, :k]
        distances, positions = np.take_along_axis(distances, best, axis=1), np.take_along_axis(positions, best, axis=1)
    order = np.lexsort((positions, distances), axis=1)
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(positions, order, axis=1)


def _frame(queries, base):
    """Return (shift float64[d], scale): the mean of the base, and a power of two that brings all values below 1."""
    low, high = min(queries.min(), base.min()), max(queries.max(), base.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UserError("features hold NaN or infinity, so they have no nearest neighbours")
    largest = max(abs(float(low)), abs(float(high)))
    return base.mean(axis=0, dtype=np.float64), 2.0 ** -np.frexp(largest)[1] if largest > 0 else 1.0


def _framed(items, frame, dtype):
    """Return (items - shift) * scale as ``dtype``, without a float64 copy of the whole."""
    shift, scale = frame
    result = np.empty(items.shape, dtype)
    step = max(1, _CHUNK // items.shape[1])
    for start in range(0, len(items), step):
        result[start : start + step] = (items[start : start + step].astype(np.float64) - shift) * scale
    return result


def _rounding(queries, base, dtype):
    """Return float64[Q], a bound on the error of ||q||^2 + ||b||^2 - 2 q.b: (d + 8) u (||q|| + max ||b||)^2.

    u is the unit roundoff; the inner product of d terms errs by at most d u / (1 - d u) (Higham 2002, section 3.1), and
    8 covers the rounding of the inputs and of the three sums.
    """
    largest = np.sqrt(np.einsum("nd,nd->n", base, base).max())
    return _bound(np.sqrt(np.einsum("nd,nd->n", queries, queries)), largest, base.shape[1], dtype)


def _bound(norms, largest, d, dtype):
    return (d + 8) * (np.finfo(dtype).eps / 2) * (norms.astype(np.float64) + largest) ** 2


def import_faiss():
    """Import faiss, with the BLAS inside its wheel told which kernels this processor runs.

    That BLAS is older than many processors and takes one that it does not know for a Pentium 4, five times slower. The
    variable is read once, when the library loads; results do not depend on it.
    """
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    known = {*simd.get("found", ()), *simd.get("baseline", ())}
    kernels = "SkylakeX" if known & {"X86_V4", "AVX512_SKX"} else "Haswell" if known & {"X86_V3", "AVX2"} else None
    name = "OPENBLAS_CORETYPE"
    told = kernels is not None and name not in os.environ
    with contextlib.ExitStack() as stack:
        if told:
            os.environ[name] = kernels
            stack.callback(os.environ.pop, name, None)
        import faiss
    return faiss
