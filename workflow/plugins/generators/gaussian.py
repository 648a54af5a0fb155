"""A normal distribution fitted by maximum likelihood: the smallest generator, whose chains have closed forms.

Each replicate is a model of its own, so that hundreds of independent chains are trained and sampled together.
"""

import numpy as np

from selfloop.errors import UserError
from selfloop.seeds import normal

FAMILY = "closed_form"


def train(samples, *, replicate):
    """Fit float64 N x d: {"mean": float64 R x d, "cov": float64 R x d x d}, the covariance divided by N (ddof = 0).

    `replicate` is int[N] with values 0..R-1, None for one model.
    """
    if samples.ndim != 2:
        raise UserError(f"gaussian: takes float64 N x d (a closed-form dataset such as normal.py), not {samples.dtype} "
                        f"{' x '.join(map(str, samples.shape))}")  # fmt: skip
    replicate = np.zeros(len(samples), int) if replicate is None else np.asarray(replicate)
    sizes = np.bincount(replicate)
    if not sizes.all():
        raise UserError(f"gaussian: replicate {int(np.argmin(sizes))} of 0..{len(sizes) - 1} has no items to fit")
    ordered = np.asarray(samples, np.float64)[np.argsort(replicate, kind="stable")]
    groups = np.split(ordered, np.cumsum(sizes)[:-1])
    mean = np.stack([group.mean(axis=0) for group in groups])
    centred = [group - m for group, m in zip(groups, mean, strict=True)]
    return {"mean": mean, "cov": np.stack([c.T @ c / len(c) for c in centred])}


def load(weights):
    """Return `sample(seeds int64[B], replicate int[B] or None) -> float64 B x d`, one stream of noise per item."""
    mean, cov = np.asarray(weights["mean"]), np.asarray(weights["cov"])
    factor = np.stack([_square_root(c) for c in cov])

    def sample(seeds, *, replicate=None):
        r = np.zeros(len(seeds), int) if replicate is None else np.asarray(replicate)
        noise = normal(seeds, (mean.shape[1],))
        return mean[r] + np.einsum("bij,bj->bi", factor[r], noise)

    return sample


def _square_root(cov: np.ndarray) -> np.ndarray:
    """Return A with A A' = cov, d x d: Cholesky, or through the eigenvectors where the covariance has not full rank."""
    try:
        return np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(cov)
        return vectors * np.sqrt(np.maximum(values, 0.0))
