"""Distances between two sets of features as torch-fidelity defines them; all sums in float64.

The formulas stand here in numpy: torch-fidelity's modules bring torch, torchvision and its compiler, three seconds in
every evaluation. tests/unit/test_distribution.py compares each with torch-fidelity's.
"""

from dataclasses import dataclass

import numpy as np

from selfloop.errors import UserError

_ONE_KERNEL = 8192  # items up to which KID computes the kernel once for all subsets
_KERNEL_ROWS = 1024  # of that kernel, held at once


@dataclass(frozen=True)
class Statistics:
    """Mean float64[d] and covariance float64 d x d (ddof = 1) of features."""

    mean: np.ndarray
    covariance: np.ndarray


def statistics(features: np.ndarray) -> Statistics:
    """Return mean and covariance of ``features`` N x d, N >= 2."""
    if len(features) < 2:
        raise UserError(f"a covariance needs at least 2 items, there are {len(features)}")
    features = features.astype(np.float64)
    return Statistics(features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False)))


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """Return |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) (Heusel et al. 2017, equation 6).

    Of features of the FID-Inception network it is the FID; of any others, FD.
    """
    difference = a.mean - b.mean
    roots = np.sqrt(np.linalg.eigvals(a.covariance @ b.covariance).astype(np.complex128)).real
    return float(difference @ difference + np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * roots.sum())


def kid(samples: np.ndarray, real: np.ndarray, *, subsets: int, subset_size: int, seed: int) -> tuple[float, float]:
    """Return KID, (mean, standard deviation over subsets): unbiased MMD^2 with (x.y / d + 1)^3 (Binkowski et al. 2018).

    ``samples`` n x d and ``real`` N x d, neither smaller than ``subset_size``; ``seed`` chooses the subsets.
    """
    smallest = min(len(samples), len(real))
    if not 2 <= subset_size <= smallest:
        raise UserError(
            f"KID subsets of {subset_size} do not fit {len(samples)} samples against {len(real)} real images: "
            f"set evaluate.kid_subset_size to 2..{smallest}, or null"
        )
    x, y, seed = samples.astype(np.float64), real.astype(np.float64), seed % 2**32
    if max(len(x), len(y)) <= _ONE_KERNEL:
        values = _kid_by_subset(x, y, subsets, subset_size, seed)
    else:
        rng = np.random.RandomState(seed)
        values = [_squared_mmd(*(_subset(f, subset_size, rng) for f in (x, y))) for _ in range(subsets)]
    return float(np.mean(values)), float(np.std(values))


def _subset(features, size, rng):
    """Return ``size`` of the rows, drawn as torch-fidelity draws them."""
    return features[rng.choice(len(features), size, replace=False)]


def _squared_mmd(x, y):
    """Return the unbiased estimate of MMD^2 from m items each (Gretton et al. 2012, equation 4)."""
    m = len(x)
    within = sum(kernel.sum() - np.trace(kernel) for kernel in (_kernel(x, x), _kernel(y, y)))
    return within / (m * (m - 1)) - 2.0 * _kernel(x, y).sum() / m**2


def _kernel(x, y):
    """Return (x.y / d + 1)^3 for all pairs."""
    kernel = x @ y.T
    kernel /= x.shape[1]
    kernel += 1.0
    return kernel * kernel * kernel


def _kid_by_subset(x, y, subsets, size, seed):
    """Return the unbiased MMD^2 float64[subsets] on the subsets that kid_features_to_metric would draw, all at once.

    With K the kernel of all items and s the indicator of a subset, a sum over pairs of the subset is s'Ks. For all the
    subsets that is one product with K, 50 times cheaper at a thousand items than a kernel for each; equal to rounding.
    """
    rng = np.random.RandomState(seed)
    s_x, s_y = np.zeros((len(x), subsets)), np.zeros((len(y), subsets))
    for i in range(subsets):
        s_x[rng.choice(len(x), size, replace=False), i] = 1.0
        s_y[rng.choice(len(y), size, replace=False), i] = 1.0
    within = _pair_sums(x, x, s_x, s_x, True) + _pair_sums(y, y, s_y, s_y, True)
    return within / (size * (size - 1)) - 2.0 * _pair_sums(x, y, s_x, s_y, False) / size**2


def _pair_sums(a, b, s_a, s_b, skip_diagonal):
    """Return float64[subsets], the sum of the kernel over the pairs of each subset, in blocks of rows."""
    result = np.zeros(s_a.shape[1])
    for start in range(0, len(a), _KERNEL_ROWS):
        rows = slice(start, start + _KERNEL_ROWS)
        kernel = _kernel(a[rows], b)
        if skip_diagonal:
            kernel[np.arange(len(kernel)), start + np.arange(len(kernel))] = 0.0
        result += np.einsum("ns,ns->s", s_a[rows], kernel @ s_b)
    return result
