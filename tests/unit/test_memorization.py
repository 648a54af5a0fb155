"""Scores of copying against hand-made cases and loops over pairs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfloop import memorization
from selfloop.errors import UserError
from selfloop.memorization import (
    default_threshold,
    generalization_score,
    memorised_fraction,
    memorised_fraction_merged,
    merge_near_duplicates,
    near_duplicate_fraction,
)
from selfloop.neighbours import nearest, nearest_others


def column(*values):
    return np.array(values, dtype=np.float32)[:, None]


def gs(samples, training, distance="l2"):
    return generalization_score(nearest(samples, training, 1)[0][:, 0], samples.shape[1], distance)


def merged_set(items, threshold):
    return merge_near_duplicates(items, nearest_others(items, 1)[0][:, 0], threshold)


def merged_fraction(samples, training, threshold):
    distances, positions = nearest(samples, training, 2)
    kept = merged_set(training, threshold)
    return memorised_fraction_merged(samples, training, distances, positions, kept, threshold)


def test_gs_pinned():
    assert gs(column(0, 5), column(1, 3)) == 1.5


def test_gs_of_a_subset_is_zero():
    training = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    assert gs(training[10:20], training) == 0.0


def test_gs_on_a_circle():
    """Uniform on a circle of length 1 with arc distance: 1/(2 (N + 1)). 400 draws of N = 20, arcs from chords."""
    rng, size, means = np.random.default_rng(1), 20, []
    for _ in range(400):
        angles = 2 * math.pi * rng.random((2, size))
        samples, training = (np.stack([np.cos(a), np.sin(a)], axis=1) for a in angles)
        chords = nearest(samples, training, 1)[0][:, 0]
        means.append(generalization_score(np.arcsin(chords / 2) / math.pi, 2))
    error = np.std(means, ddof=1) / math.sqrt(len(means))
    assert error < 0.001, "the test has no power"
    assert abs(np.mean(means) - 1 / (2 * (size + 1))) < 4 * error


def test_gs_as_mse_is_the_square_over_d():
    samples, training = np.zeros((1, 4), np.float32), np.array([[1, 1, 1, 1], [3, 0, 0, 0]], np.float32)
    assert gs(samples, training) == 2.0
    assert gs(samples, training, "mse") == 1.0


def test_gs_of_an_unknown_distance():
    with pytest.raises(UserError, match="is l2 or mse, not 'cosine'"):
        generalization_score(np.ones(3), 2, "cosine")


def test_memorised_needs_a_ratio_below_a_third():
    first, second = np.array([1.0, 0.9, 2.0, 0.0, 0.0]), np.array([3.0, 3.0, 3.0, 1.0, 0.0])
    assert [memorised_fraction(first[i : i + 1], second[i : i + 1]) for i in range(5)] == [0, 1, 0, 1, 1]
    assert memorised_fraction(first, second) == 0.6


def test_raw_fraction_falls_under_copies_and_the_merged_one_does_not():
    """A sample near one of two near-copies: the ratio is near 1, until the two are merged."""
    samples, training = column(0.1, 10.1), column(0, 0.25, 10, 10.25, 100)
    assert memorised_fraction(*nearest(samples, training, 2)[0].T) == 0.0
    assert merged_fraction(samples, training, 0.5) == 1.0
    assert merged_set(training, 0.5).tolist() == [True, False, True, False, True]


def test_merging_takes_the_first_and_is_no_chain():
    """0 drops 0.4, which therefore cannot drop 0.8; 0.8 drops 1.2."""
    assert merged_set(column(0, 0.4, 0.8, 1.2, 5), 0.5).tolist() == [True, False, True, False, True]


def test_exact_duplicates_merge_at_any_threshold():
    assert merged_set(column(3, 1, 3, 1, 1), 1e-9).tolist() == [True, True, False, False, False]


def test_a_distance_equal_to_the_threshold_is_no_near_duplicate():
    assert merged_set(column(0, 0.5), 0.5).all()
    assert near_duplicate_fraction(np.array([0.5, 0.49, 0.0, 3.0]), 0.5) == 0.5


def test_one_item_left():
    """No second nearest: memorised is what lies within the threshold, or is an exact copy of a merged item."""
    training = column(0, 0.25, 0.5)
    assert merged_set(training, 1.0).sum() == 1
    assert merged_fraction(column(0.75, 2.0, 0.5, 50), training, 1.0) == 0.5


def test_a_copy_of_a_merged_item_is_memorised():
    """0.9 is merged into 0 and the next item kept is at 2: 0.9/1.1 is no small ratio, but it is a copy."""
    assert merged_fraction(column(0.9), column(0, 0.9, 2), 1.0) == 1.0


def slow_merge(items, threshold):
    kept = []
    for i, x in enumerate(items.astype(np.float64)):
        near = [np.linalg.norm(x - items[j]) for j in kept]
        if all(r >= threshold and r > 0 for r in near):
            kept.append(i)
    return np.isin(np.arange(len(items)), kept)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 60), distinct=st.integers(1, 60), threshold=st.floats(0.0, 2.0), seed=st.integers(0, 2**32 - 1),
    block=st.integers(1, 20),
)  # fmt: skip
def test_merging_and_fraction_against_loops(n, distinct, threshold, seed, block):
    rng = np.random.default_rng(seed)
    training = rng.standard_normal((distinct, 2)).astype(np.float32)[rng.integers(0, distinct, n)]
    samples = np.concatenate([training[:5] + np.float32(0.01), rng.standard_normal((15, 2)).astype(np.float32)])
    saved, memorization._BLOCK = memorization._BLOCK, block
    try:
        kept = merged_set(training, threshold)
        fraction = merged_fraction(samples, training, threshold)
    finally:
        memorization._BLOCK = saved
    assert np.array_equal(kept, slow_merge(training, threshold))
    if kept.sum() > 1:
        distances = np.linalg.norm(samples[:, None].astype(np.float64) - training[kept], axis=2)
        distances.sort(axis=1)
        copies = (samples[:, None] == training).all(axis=2).any(axis=1)
        assert fraction == np.mean(copies | (distances[:, 0] < distances[:, 1] / 3))


def test_default_threshold_is_half_the_median():
    """On 0, 1, 3, 7 the nearest others are at 1, 1, 2, 4: median 1.5."""
    assert default_threshold(column(0, 1, 3, 7)) == (0.75, 4)


def test_default_threshold_asks_at_most_2048_items():
    threshold, asked = default_threshold(np.arange(5000, dtype=np.float32)[:, None])
    assert (threshold, asked) == (0.5, 2048)
