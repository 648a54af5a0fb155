"""Principal components of the real data, and every generation drawn on them (arXiv 2509.16499, appendix D.4).

Pure functions: float features in, arrays or a matplotlib Figure out. Draw inside ``selfloop.style.style()``.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from selfloop.errors import UserError
from selfloop.panels import plain_numbers, wrapped
from selfloop.style import INK, MUTED, WIDTH

_REAL = "#bcbcbc"


class Components(NamedTuple):
    """The first two principal components of real data."""

    mean: np.ndarray  # float64 d
    directions: np.ndarray  # float64 2 x d, orthonormal; the largest coefficient of each is positive
    share: np.ndarray  # float64 2, of the real data's total variance

    def project(self, features: np.ndarray) -> np.ndarray:
        """Return float N x d features on the two components: float64 N x 2."""
        return (features.astype(np.float64) - self.mean) @ self.directions.T


def fit(real: np.ndarray, where: str) -> Components:
    """Return the first two principal components of ``real``, float N x d, N >= 3 and d >= 2; UserError otherwise.

    A component is defined up to its sign: the coefficient that is largest in magnitude (the first of equals) is made
    positive, so that the picture does not depend on the linear algebra library.
    """
    n, d = real.shape
    if n < 3 or d < 2:
        raise UserError(f"{where}: {n} items of {d} dimensions have no two principal components to draw")
    centred = real.astype(np.float64)
    mean = centred.mean(axis=0)
    centred -= mean
    # Eigenvectors of the smaller of the two Gram matrices: quicker than an SVD of N x d, and as exact for two of them.
    small = centred.T @ centred if d <= n else centred @ centred.T
    values, vectors = np.linalg.eigh(small)
    if values[-2] <= 1e-12 * max(values[-1], 1e-300):
        raise UserError(f"{where}: the real items lie on a line, there is no second principal component")
    top = vectors[:, :-3:-1].T
    directions = top if d <= n else top @ centred
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(2), largest])[:, None]
    return Components(mean, directions, values[:-3:-1] / np.trace(small))


class Cloud(NamedTuple):
    """What one arm shows: its real data and its samples by generation, float64 N x 2 each, on the arm's components."""

    arm: str
    share: np.ndarray  # float64 2, Components.share
    real: np.ndarray
    generations: Mapping[int, np.ndarray]


def scatter(clouds: Sequence[Cloud], subtitle: str):
    """Draw a row of panels for each arm and a column for each generation: real data pale, samples dark on it.

    All panels of a row have the same axes. The points are pixels in a vector file too, all else is vectors.
    """
    columns = sorted({g for cloud in clouds for g in cloud.generations})
    canvas = _Canvas(len(clouds), len(columns), subtitle)
    for row, cloud in enumerate(clouds):
        centre, half = _square(np.concatenate([cloud.real, *cloud.generations.values()]))
        canvas.row_title(row, cloud.arm)
        for column, g in enumerate(columns):
            if g not in cloud.generations:
                continue
            ax = canvas.axes(row, column)
            _draw(ax, cloud.real, cloud.generations[g])
            ax.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
            ax.set_title(f"generation {g}", size=7.5, weight="normal")
            ax.set_xlabel(f"PC 1 ({100 * cloud.share[0]:.0f} %)")
            ax.set_ylabel("" if column else f"PC 2 ({100 * cloud.share[1]:.0f} %)")
            ax.tick_params(labelleft=not column)
    return canvas.figure


def _square(points: np.ndarray) -> tuple[np.ndarray, float]:
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, 0.53 * float((high - low).max())


def _draw(ax, real: np.ndarray, samples: np.ndarray) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.plot(*real.T, "o", color=_REAL, markersize=2.8, markeredgewidth=0, rasterized=True)
    ax.plot(*samples.T, "o", color=INK, markersize=1.7, markeredgewidth=0, alpha=0.8, rasterized=True)
    ax.grid(False)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(plain_numbers())


class _Canvas:
    """A Figure with places for ``rows`` x ``columns`` square panels under a heading; lengths are inches."""

    _left, _right, _gap, _above, _below, _most = 0.72, 0.12, 0.1, 0.48, 0.44, 2.4

    def __init__(self, rows: int, columns: int, subtitle: str):
        from matplotlib.figure import Figure

        self._side = min(self._most, (WIDTH - self._left - self._right) / columns - self._gap)
        self._width = max(self._left + columns * (self._side + self._gap) + self._right, 5.0)
        self._subtitle = wrapped(subtitle, self._width)
        self._head = 0.42 + 0.17 * (1 + self._subtitle.count("\n"))
        self._height = self._head + rows * (self._above + self._side + self._below)
        self.figure = Figure(figsize=(self._width, self._height))
        self._text(0.24, "Samples on the principal components of the real data", size=10, weight="bold", va="baseline")
        self._text(0.33, self._subtitle, size=7.5, color=MUTED, va="top", linespacing=1.5)

    def _text(self, down: float, text: str, **how) -> None:
        self.figure.text(0.14 / self._width, 1 - down / self._height, text, **how)

    def row_title(self, row: int, text: str) -> None:
        """Write what a row shows above it."""
        top = self._head + row * (self._above + self._side + self._below)
        self.figure.text(self._left / self._width, 1 - (top + 0.21) / self._height, text, size=8.5, weight="bold")

    def axes(self, row: int, column: int):
        """Return new axes at a place."""
        left = self._left + column * (self._side + self._gap)
        top = self._head + row * (self._above + self._side + self._below) + self._above
        place = left / self._width, 1 - (top + self._side) / self._height
        return self.figure.add_axes((*place, self._side / self._width, self._side / self._height))
