"""Greedy selection on a GPU: the lazy blocks of `selfloop.selection.greedy`, in torch.

The pool lies on the device in float64. A block takes one sort of the pool, the distances within the block, and picks
that follow one another without a word to the CPU (on a GPU as one CUDA graph of many picks); the CPU waits once per
graph, to learn how many of its picks hold, and once per update of the pool.
"""

import numpy as np
import torch

from selfloop.chosen_distances import TAKEN, centre_of, scale_of
from selfloop.errors import UserError
from selfloop.selection import Chosen, check_start, finish

_BLOCK = 1024  # candidates looked at together
_PICKS = 128  # picks of one graph
_PAIRS = 1 << 24  # float64 values of a temporary: 128 MiB
_NEAR = 1e-8  # squared distances below this share of the squared norm cancel even in a float64 product


def greedy(features: np.ndarray, n: int, start: int, device: str = "cuda") -> Chosen:
    """Farthest-point sampling, exact: arXiv 2509.16499, Algorithm 1, as `selfloop.selection.greedy` has it.

    ``features`` float32[N, d], finite. Distances here are right to a relative 1e-5 or better and copies are at 0; where
    two items are as far to within float32 rounding, the CPU's may take the other one first.
    """
    check_start(len(features), n, start)
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise UserError("greedy: device is cuda, and torch finds no GPU")
    pool = _Pool(features, device)
    pool.add(torch.tensor([start], device=device))
    order, distances = [start], [np.nan]
    picking = _Picking(min(_BLOCK, len(features)), device)
    while len(order) < n:
        picking.look_at(pool)
        taken, squared = picking.take(n - len(order))
        if not len(taken):  # only copies of the chosen are left
            break
        pool.add(taken)
        order.extend(taken.tolist())
        distances.extend((squared.sqrt() / pool.scale).tolist())
    score = np.full(len(features), np.nan)
    score[order] = distances
    return finish(order, n, pool.squared.cpu().numpy() / pool.scale**2, score)


class _Pool:
    """The items, centred and scaled to at most 1, float64[N, d] on the device; their squared distances to the chosen.

    ``squared`` is float64[N]: infinite before the first, ``TAKEN`` for the chosen.
    """

    def __init__(self, features: np.ndarray, device: str):
        centre = centre_of(features)
        self.scale = scale_of(features, centre)
        self.rows = torch.as_tensor(features, device=device).to(torch.float64)
        self.rows.sub_(torch.as_tensor(centre, device=device)).mul_(self.scale)
        self.norms = torch.linalg.vecdot(self.rows, self.rows)
        self.squared = torch.full((len(features),), torch.inf, dtype=torch.float64, device=device)

    def add(self, picks: torch.Tensor) -> None:
        """Choose the items at the positions ``picks`` and bring every distance up to date."""
        step = max(1, _PAIRS // len(picks))
        for first in range(0, len(self.rows), step):
            part = slice(first, first + step)
            nearest = self.distances(part, picks).amin(1)
            torch.minimum(self.squared[part], nearest, out=self.squared[part])
        self.squared[picks] = TAKEN

    def distances(self, part, picks: torch.Tensor) -> torch.Tensor:
        """Return float64[p, q], the squared distances of the rows ``part`` and ``picks``, without cancellation."""
        x, y = self.rows[part], self.rows[picks]
        result = torch.addmm(self.norms[picks], x, y.T, alpha=-2).add_(self.norms[part, None])
        row, column = (result <= _NEAR * self.norms[part, None]).nonzero(as_tuple=True)
        step = max(1, _PAIRS // x.shape[1])
        for first in range(0, len(row), step):
            i, j = row[first : first + step], column[first : first + step]
            difference = x[i] - y[j]
            result[i, j] = torch.linalg.vecdot(difference, difference)
        return result


class _Picking:
    """Picks within a block of B items, one after the other: all buffers stay in place, for the graph."""

    def __init__(self, size: int, device: str):
        def floats(*shape):
            return torch.zeros(shape, dtype=torch.float64, device=device)

        self._size = size
        self._distances, self._nearest, self._row = floats(size, size), floats(size), floats(1, size)
        self._picks, self._squared = torch.zeros(_PICKS, dtype=torch.int64, device=device), floats(_PICKS)
        self._advance = self._pick
        if self._nearest.is_cuda:
            self._pick()  # warm-up, outside of the graph
            graph = torch.cuda.CUDAGraph()
            torch.cuda.synchronize()
            with torch.cuda.graph(graph):
                self._pick()
            self._advance = graph.replay

    def look_at(self, pool: _Pool) -> None:
        """Take the B farthest items, of equals those of lowest position, and what an item must reach to be next."""
        ranked, positions = torch.sort(pool.squared, descending=True, stable=True)
        self._positions = positions[: self._size].sort().values  # ascending: the first of equals is the lowest
        self._reach = torch.full_like(self._nearest, torch.finfo(torch.float64).tiny)  # 0 is a copy
        if self._size < len(ranked):
            bound = ranked[self._size]
            above = torch.nextafter(bound, torch.full_like(bound, torch.inf))
            before = self._positions < positions[self._size]  # before the first item outside that is as far
            self._reach = torch.where(before, bound, above).clamp(min=torch.finfo(torch.float64).tiny)
        self._nearest.copy_(pool.squared[self._positions])
        self._distances.copy_(pool.distances(self._positions, self._positions))

    def take(self, room: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the picks that no item outside can come before, at most ``room``: positions and squared distances."""
        taken, squared, count = [], [], _PICKS
        while count == _PICKS and room > 0:
            self._advance()
            holds = (self._squared >= self._reach[self._picks]).cumprod(0)
            count = int(holds.sum())
            taken.append(self._positions[self._picks[: min(count, room)]])
            squared.append(self._squared[: min(count, room)].clone())
            room -= count
        return torch.cat(taken), torch.cat(squared)

    def _pick(self) -> None:
        for k in range(_PICKS):
            out = (self._squared[k : k + 1], self._picks[k : k + 1])
            torch.max(self._nearest, 0, keepdim=True, out=out)
            torch.index_select(self._distances, 0, out[1], out=self._row)
            torch.minimum(self._nearest, self._row[0], out=self._nearest)
