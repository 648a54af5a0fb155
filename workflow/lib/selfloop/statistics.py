"""Means over seeds, paired differences between arms, correlations: each with its interval; NaN where there is none.

Seeds are the repetitions. Arms of one seed see the same noise, so that arms are compared by the differences within a
seed. All intervals are two-sided and, unless told otherwise, of 95 %. Pure functions; a fixed seed, so that the same
numbers give the same interval.
"""

from collections.abc import Hashable, Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

LEVEL = 0.95
RESAMPLES = 9_999
NONE = (np.nan, np.nan)


class Spread(NamedTuple):
    """Values of one number over seeds."""

    n: int
    mean: float
    sd: float  # of one seed, ddof = 1
    se: float  # of the mean, sd / sqrt(n)


class Difference(NamedTuple):
    """An arm minus a control arm, over the seeds that both have."""

    n: int  # pairs
    unpaired: int  # seeds with a value in one of the two alone: left out
    mean: float
    bootstrap: tuple[float, float]
    t: tuple[float, float]


class Correlation(NamedTuple):
    """Pearson's r of n points, and its intervals."""

    r: float
    n: int
    fisher: tuple[float, float]  # takes all points as independent
    groups: int
    bootstrap: tuple[float, float]  # resamples whole groups; NaN for fewer than two


def spread(values: Sequence[float]) -> Spread:
    """Return number, mean, standard deviation (ddof = 1) and standard error of the finite ones of ``values``."""
    found = _finite(values)
    n = len(found)
    mean = found.mean() if n else np.nan
    sd = found.std(ddof=1) if n > 1 else np.nan
    return Spread(n, float(mean), float(sd), float(sd / np.sqrt(max(n, 1))))


class Bootstrap:
    """Percentile intervals of means (Efron and Tibshirani 1993, section 13.3).

    The resamples of n values are drawn once for each n, so that rows of a table share them: what is asked first, or
    beside it, changes nothing.
    """

    def __init__(self, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0):
        """``seed`` draws the resamples, ``level`` is the share of them inside the interval."""
        self._resamples, self._tail, self._seed = resamples, 50.0 * (1.0 - level), seed
        self._weights: dict[int, np.ndarray] = {}

    def weights(self, n: int) -> np.ndarray:
        """Return how often each of n items is in each resample: float64[resamples, n], rows with sum n."""
        if n not in self._weights:
            drawn = np.random.default_rng(self._seed).integers(0, n, (self._resamples, n))
            offsets = np.arange(self._resamples)[:, None] * n
            counts = np.bincount((drawn + offsets).ravel(), minlength=self._resamples * n)
            self._weights[n] = counts.reshape(self._resamples, n).astype(np.float64)
        return self._weights[n]

    def mean(self, values: np.ndarray) -> tuple[float, float]:
        """Return the interval of the mean of float64[n] ``values``; NaN for fewer than two.

        Too narrow for few values: the widest it can be is from the smallest to the largest, which for n = 3 values of a
        symmetric distribution holds the mean in 3 of 4 cases, not 19 of 20. Below n = 5 read `t_interval`.
        """
        if len(values) < 2:
            return NONE
        centre = values[0]  # equal values give exactly that value
        return self.interval(centre + self.weights(len(values)) @ (values - centre) / len(values))

    def interval(self, resampled: np.ndarray) -> tuple[float, float]:
        """Return the percentiles of a statistic's values on the resamples; NaN ones are left out."""
        if not np.isfinite(resampled).any():
            return NONE
        low, high = np.nanpercentile(resampled, (self._tail, 100.0 - self._tail))
        return float(low), float(high)


def t_interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of the mean of float64[n] ``values``, exact if they are normal; NaN for fewer than two.

    mean -+ t_{n-1} sd / sqrt(n), with t_{n-1} the (1 + level) / 2 quantile of Student's t.
    """
    if len(values) < 2:
        return NONE
    from scipy.special import stdtrit

    about = spread(values)
    half = float(stdtrit(about.n - 1, 0.5 * (1.0 + level))) * about.se
    return about.mean - half, about.mean + half


def paired_difference(
    arm: Mapping[Hashable, float], control: Mapping[Hashable, float], bootstrap: Bootstrap
) -> Difference:
    """Return the mean over seeds of ``arm`` minus ``control``, each a mapping seed -> value; a NaN counts as absent.

    Only seeds that both have are paired; the others (a chain that failed, say) are left out and counted.
    """
    mine, theirs = ({seed for seed, value in side.items() if np.isfinite(value)} for side in (arm, control))
    both = sorted(mine & theirs)
    differences = np.array([arm[seed] - control[seed] for seed in both], dtype=np.float64)
    return Difference(
        len(both),
        len(mine ^ theirs),
        float(differences.mean()) if both else np.nan,
        bootstrap.mean(differences),
        t_interval(differences),
    )


def pearson(
    x: Sequence[float],
    y: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Correlation:
    """Return Pearson's r of the points (x, y) with two intervals; points that are not finite are left out.

    Fisher's takes the points as independent: tanh(artanh r -+ z / sqrt(n - 3)) (Fisher 1921), -1..1 for n = 3. Points
    along one chain are not: give its name for each point as ``groups``, and the bootstrap draws whole chains, with
    replacement (Davison and Hinkley 1997, section 3.8). r is NaN for fewer than 3 points or where x or y is constant.
    """
    x, y = (np.asarray(values, dtype=np.float64) for values in (x, y))
    keep = np.isfinite(x) & np.isfinite(y)
    x, y = x[keep], y[keep]
    names = [] if groups is None else [group for group, kept in zip(groups, keep, strict=True) if kept]
    index = {name: position for position, name in enumerate(dict.fromkeys(names))}
    n, r = len(x), _correlation(np.ones((1, 1)), _sums(x, y, np.zeros(len(x), int), 1))[0]
    if n < 3 or not np.isfinite(r):
        return Correlation(np.nan, n, NONE, len(index), NONE)
    between = NONE
    if len(index) > 1:
        bootstrap = Bootstrap(resamples, level, seed)
        sums = _sums(x, y, np.array([index[name] for name in names]), len(index))
        between = bootstrap.interval(_correlation(bootstrap.weights(len(index)), sums))
    return Correlation(float(r), n, _fisher(float(r), n, level), len(index), between)


def _fisher(r: float, n: int, level: float) -> tuple[float, float]:
    if n == 3:
        return -1.0, 1.0
    if abs(r) == 1:
        return r, r
    half = NormalDist().inv_cdf(0.5 * (1.0 + level)) / np.sqrt(n - 3)
    return float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))


def _sums(x, y, group, groups) -> np.ndarray:
    """Return float64[groups, 6]: of each group the number of points and the sums of x, y, xx, yy, xy, standardised."""
    x, y = (_standardised(values) for values in (x, y))
    columns = (np.ones(len(x)), x, y, x * x, y * y, x * y)
    return np.stack([np.bincount(group, column, groups) for column in columns], axis=1)


def _standardised(values):
    """Return values with mean 0 and sd 1 (all 0 where they are constant), so that sums of squares lose nothing."""
    if not len(values) or values.min() == values.max():
        return np.zeros(len(values))
    return (values - values.mean()) / values.std()


def _correlation(weights: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Return r float64[R] of each union of groups: ``weights`` R x groups says how often each is in it."""
    n, x, y, xx, yy, xy = (weights @ sums).T
    spread_x, spread_y = n * xx - x * x, n * yy - y * y
    tiny = 1e-12 * n * n  # rounding of what would be 0
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (n * xy - x * y) / np.sqrt(spread_x * spread_y)
    return np.where((spread_x > tiny) & (spread_y > tiny), np.clip(r, -1.0, 1.0), np.nan)


def _finite(values: Sequence[float]) -> np.ndarray:
    found = np.asarray(values, dtype=np.float64)
    return found[np.isfinite(found)]
