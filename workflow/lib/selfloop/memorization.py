"""Is a sample new, or a copy of a training item? Scores from the distances of samples to the training set."""

import numpy as np

from selfloop.errors import UserError
from selfloop.neighbours import nearest, nearest_others, pairwise

RATIO = 1.0 / 3.0  # Yoon et al. 2023 (openreview shciCbSk9h): nearest over second nearest
THRESHOLD_FRACTION = 0.5  # of the median distance between neighbouring real images
_MEDIAN_ROWS = 2048  # real images whose neighbours give that median
_BLOCK = 512


def generalization_score(distances: np.ndarray, d: int, distance: str = "l2") -> float:
    """Return the mean over x in G of min over z in D of ||f(x) - f(z)|| (arXiv 2509.16499, GS).

    ``distances`` float64[n] are Euclidean, to the nearest training item. ``distance``: ``l2``, or ``mse`` for the
    squared distance over the ``d`` dimensions.
    """
    if distance == "l2":
        return float(np.mean(distances))
    if distance == "mse":
        return float(np.mean(np.square(distances)) / d)
    raise UserError(f"the distance of the generalization score is l2 or mse, not '{distance}'")


def memorised_fraction(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of samples with d(x, nearest) / d(x, second nearest) < 1/3 in the training set.

    ``first`` and ``second`` are float64[n] distances. A sample at distance 0 is memorised, although 0/0 has no value.
    """
    return float(np.mean((first == 0) | (first < RATIO * second)))


def memorised_fraction_merged(samples, training, distances, positions, kept, threshold) -> float:
    """Return the memorised fraction against the merged training set.

    ``samples`` n x d, ``training`` N x d; ``distances`` and ``positions`` n x 2 are the two nearest training items of
    each sample; ``kept`` bool[N] as merge_near_duplicates() gives it for ``threshold``. Only samples near a merged item
    are searched again. An exact copy of any training item, merged or not, is memorised. Where a single item is left
    there is no second nearest, and memorised is what lies within the threshold.
    """
    merged = training[kept]
    if len(merged) == 1:
        return near_duplicate_fraction(np.where(distances[:, 0] == 0, 0.0, pairwise(samples, merged)[:, 0]), threshold)
    first, second = distances[:, 0].copy(), distances[:, 1].copy()
    moved = np.flatnonzero(~kept[positions].all(axis=1) & (first > 0))
    if len(moved):
        first[moved], second[moved] = nearest(samples[moved], merged, 2)[0].T
    return memorised_fraction(first, second)


def merge_near_duplicates(items: np.ndarray, distances: np.ndarray, threshold: float) -> np.ndarray:
    """Return bool[N], the items left when each one with an earlier kept item nearer than ``threshold`` is dropped.

    ``items`` N x d in order of position; ``distances`` float64[N] to the nearest other item: those without a
    near-duplicate are kept and drop nobody, so that only the others are compared, in blocks. Exact duplicates are
    dropped at any threshold.
    """
    suspects = np.flatnonzero(is_near(distances, threshold))
    kept = np.ones(len(items), dtype=bool)
    kept[suspects] = False
    leaders = suspects[:0]
    for start in range(0, len(suspects), _BLOCK):
        block = suspects[start : start + _BLOCK]
        if len(leaders):
            block = block[~is_near(nearest(items[block], items[leaders], 1)[0][:, 0], threshold)]
        near = is_near(pairwise(items[block], items[block]), threshold)
        alive = np.ones(len(block), dtype=bool)
        for i in range(len(block)):
            if alive[i]:
                alive[i + 1 :] &= ~near[i, i + 1 :]
        leaders = np.concatenate([leaders, block[alive]])
    kept[leaders] = True
    return kept


def near_duplicate_fraction(distances: np.ndarray, threshold: float) -> float:
    """Return the share of samples nearer than ``threshold`` to a training item, float64[n] ``distances`` away."""
    return float(np.mean(is_near(distances, threshold)))


def is_near(distances: np.ndarray, threshold: float) -> np.ndarray:
    """Return where a distance is under the threshold of near-duplicates; 0 is, whatever the threshold."""
    return (distances < threshold) | (distances == 0)


def default_threshold(real: np.ndarray, distances: np.ndarray | None = None) -> tuple[float, int]:
    """Return (half the median nearest-neighbour distance of real images, number of images that it rests on).

    ``real`` N x d are the real training images. At most 2,048 of them, evenly spaced, are asked for their nearest other
    one among all N (``distances`` float64[N], where all are known). Two real images are rarely nearer than that: what
    is nearer is a copy in all but detail.
    """
    rows = np.unique(np.linspace(0, len(real) - 1, min(len(real), _MEDIAN_ROWS)).round().astype(np.int64))
    found = nearest_others(real, 1, rows)[0] if distances is None else distances[rows]
    return THRESHOLD_FRACTION * float(np.median(found)), len(rows)
