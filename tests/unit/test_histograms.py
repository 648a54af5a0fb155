"""Histograms of distances and classes: against numpy, scipy and counting."""

import json

import numpy as np
import pytest
from scipy.spatial.distance import cityblock

from selfloop.histograms import BINS, class_counts, distance_edges, distance_histogram, total_variation


@pytest.mark.parametrize("farthest", [0.0, 0.1, 0.999, 1.0, 15.9, 16.0, 17.0, 1000.0])
def test_edges(farthest):
    edges = distance_edges(farthest, 1.0)
    width = edges[1] - edges[0]
    assert edges[0] == 0 and edges[-2] <= farthest < edges[-1] and len(edges) - 1 <= BINS
    assert np.allclose(np.diff(edges), width, rtol=1e-12) and np.log2(width / 0.25) % 1 == 0
    assert width == 0.25 or farthest >= BINS * width / 2, "no wider than needed"


def test_edges_of_two_generations_are_each_others_multiples():
    fine, coarse = distance_edges(10.0, 0.7), distance_edges(90.0, 0.7)
    assert np.isin(coarse[coarse <= fine[-1]], fine).all()


def test_counts_are_numpys():
    rng = np.random.default_rng(0)
    samples, heldout = rng.gamma(2.0, 1.0, 500), rng.gamma(4.0, 1.0, 300)
    samples[:5] = 0
    result = distance_histogram(samples, heldout, 0.6)
    edges = np.array(result["edges"])
    assert result["samples"] == np.histogram(samples, edges)[0].tolist() and sum(result["samples"]) == 500
    assert result["heldout"] == np.histogram(heldout, edges)[0].tolist() and sum(result["heldout"]) == 300
    json.dumps(result, allow_nan=False)


def test_near_duplicates_are_the_bins_below_the_threshold():
    samples = np.random.default_rng(1).uniform(0, 3, 200)
    result = distance_histogram(np.append(samples, 0.5), None, 0.5)
    below = np.array(result["edges"])[1:] <= 0.5
    assert 0.5 in result["edges"] and result["heldout"] is None
    assert np.array(result["samples"])[below].sum() == np.count_nonzero(samples < 0.5)


@pytest.mark.parametrize(("samples", "threshold"), [([0.0, 0.0], 0.0), ([0.0, 2.0, 3.0], 0.0), ([0.0], 1.0)])
def test_nothing_but_copies_and_no_threshold(samples, threshold):
    result = distance_histogram(np.array(samples), np.array([0.0]), threshold)
    assert result["samples"][0] == samples.count(0.0) and sum(result["samples"]) == len(samples)
    assert result["heldout"][0] == 1 and len(result["samples"]) <= BINS


def test_class_counts():
    assert class_counts(np.array([7, 2, 7, 7]), [2, 5, 7]) == [1, 0, 3]
    labels = np.random.default_rng(2).integers(0, 10, 500)
    assert class_counts(labels, range(10)) == np.bincount(labels, minlength=10).tolist()


def test_total_variation():
    assert total_variation([5, 5], [50, 50]) == 0
    assert total_variation([1, 0], [0, 9]) == 1
    assert total_variation([3, 1], [1, 1]) == pytest.approx(0.25, rel=1e-15)
    a, b = np.random.default_rng(3).integers(1, 100, (2, 12))
    assert total_variation(a, b) == pytest.approx(cityblock(a / a.sum(), b / b.sum()) / 2, rel=1e-12)
