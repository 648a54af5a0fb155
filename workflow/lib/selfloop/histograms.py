"""Counts for pictures of one generation: distances to the training set, and classes. Written to histograms.json."""

from collections.abc import Sequence

import numpy as np

BINS = 64  # of distances, at most
_IN_THRESHOLD = 4  # finest bins: a quarter of the threshold of near-duplicates


def distance_edges(farthest: float, threshold: float) -> np.ndarray:
    """Return the edges float64[B + 1] of at most 64 bins from 0 to beyond ``farthest``.

    Their width is a quarter of ``threshold`` times the smallest power of two that reaches that far: the bins of two
    generations are each other's multiples, and up to a width of ``threshold`` it is an edge, so that the bins below it
    hold the near-duplicates. Without a threshold (0), 64 bins.
    """
    if farthest == 0 and threshold == 0:
        return np.array([0.0, 1.0])
    width = threshold / _IN_THRESHOLD if threshold > 0 else np.nextafter(farthest, np.inf) / BINS
    while farthest >= BINS * width:
        width *= 2.0
    return width * np.arange(int(farthest / width) + 2)


def distance_histogram(samples: np.ndarray, heldout: np.ndarray | None, threshold: float) -> dict:
    """Return edges and counts of distances to the nearest training item: of samples float64[n], held-out float64[H].

    A bin holds its lower edge and not its upper one. ``heldout`` is null where there are no held-out items.
    """
    sets = {"samples": samples, "heldout": heldout}
    edges = distance_edges(float(max(d.max() for d in sets.values() if d is not None)), threshold)
    counts = {name: None if d is None else _counts(d, edges) for name, d in sets.items()}
    return {"edges": edges.tolist(), "threshold": threshold, **counts}


def _counts(distances, edges) -> list[int]:
    bins = np.searchsorted(edges, distances, side="right") - 1
    return np.bincount(bins, minlength=len(edges) - 1).tolist()


def class_counts(labels: np.ndarray, classes: Sequence[int]) -> list[int]:
    """Return how many of ``labels`` int[N] are of each of ``classes``, ascending; all of them are one of these."""
    positions = np.searchsorted(classes, labels)
    return np.bincount(positions, minlength=len(classes)).tolist()


def total_variation(a: Sequence[int], b: Sequence[int]) -> float:
    """Return the total variation distance of two histograms over the same classes: (1/2) sum |a/sum a - b/sum b|.

    0 for equal shares, 1 for no class in common: the share of items that would have to change class.
    """
    p, q = (np.asarray(counts, dtype=np.float64) / np.sum(counts) for counts in (a, b))
    return float(0.5 * np.abs(p - q).sum())
