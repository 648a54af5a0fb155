"""Kozachenko-Leonenko entropy against hand-computed values and a Gaussian's closed form."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from selfloop.entropy import FLOOR, digamma_difference, distinct_rows, entropy, entropy_report
from selfloop.errors import UserError
from selfloop.neighbours import nearest_others


def column(*values):
    return np.array(values, dtype=np.float64)[:, None]


def corners(d):
    return np.array(list(itertools.product([0.0, 1.0], repeat=d)))


@pytest.mark.parametrize(
    ("items", "k", "value"),
    [
        (column(0, 1), 1, 1.6931471805599452),
        (column(0, 1, 3), 1, 2.424196240746594),
        (column(*range(10)), 1, 3.522115434528199),
        (column(*range(10)), 3, 2.7963556367097775),
        (corners(2), 1, 2.978063219182733),
        (corners(3), 1, 4.025269101158324),
    ],
)
def test_pinned_values(items, k, value):
    assert entropy(items, k=k) == pytest.approx(value, rel=1e-13)


@pytest.mark.parametrize(
    ("k", "floor", "value"),
    [(1, FLOOR, 2.873579775142674), (5, FLOOR, 2.8295027939561717), (1, 0.0, 2.8735797700520207)],
)
def test_pinned_values_of_a_normal_sample(k, floor, value):
    """The floor shows in the ninth digit already at a typical distance of 0.03."""
    items = np.random.default_rng(0).standard_normal((1000, 2))
    assert entropy(items, k=k, floor=floor) == pytest.approx(value, rel=1e-13)


def test_duplicates_with_the_floor():
    assert entropy(column(0, 0, 1), floor=FLOOR) == pytest.approx(-13.157420106033692, rel=1e-13)


def test_duplicates_without_the_floor_have_no_density():
    assert entropy(column(0, 0, 1)) == -math.inf


@settings(max_examples=50, deadline=None)
@given(
    d=st.integers(1, 8), k=st.integers(1, 4), exponent=st.floats(-8, 8), shift=st.floats(-1e3, 1e3),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_scaling_adds_d_log_a_and_shifting_nothing(d, k, exponent, shift, seed):
    a = 10.0**exponent
    items = np.random.default_rng(seed).standard_normal((60, d))
    assert entropy(a * items, k=k) - entropy(items, k=k) == pytest.approx(d * math.log(a), abs=1e-9)
    assert entropy(items + shift, k=k) == pytest.approx(entropy(items, k=k), abs=1e-7)  # items + shift is rounded


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_gaussian(d):
    """H of N(0, I_d) is d/2 log(2 pi e). Standard error of the mean of 20 estimates, four of them allowed."""
    estimates = [entropy(np.random.default_rng(seed).standard_normal((2000, d))) for seed in range(20)]
    error = np.std(estimates, ddof=1) / math.sqrt(20)
    assert error < 0.02, "the test has no power"
    bias = 0.01 * d  # of the estimator at N = 2000: neighbours at the edge, O(N^(-2/d)) and less
    assert abs(np.mean(estimates) - 0.5 * d * math.log(2 * math.pi * math.e)) < 4 * error + bias


@pytest.mark.parametrize(("n", "k"), [(2, 1), (10, 3), (1000, 5), (50, 50)])
def test_digamma(n, k):
    assert digamma_difference(n, k) == pytest.approx(digamma(n) - digamma(k), abs=1e-13)


@settings(max_examples=50, deadline=None)
@given(n=st.integers(2, 50), distinct=st.integers(1, 50), seed=st.integers(0, 2**32 - 1))
def test_report_equals_separate_computations(n, distinct, seed):
    rng = np.random.default_rng(seed)
    items = rng.standard_normal((distinct, 3)).astype(np.float32)[rng.integers(0, distinct, n)]
    items[rng.integers(0, n)] *= 0.0  # one more value, sometimes -0.0
    unique = np.unique(items, axis=0)
    report = entropy_report(items, nearest_others(items, 1)[0][:, 0])
    assert report.floored == pytest.approx(entropy(items, floor=FLOOR), rel=1e-12)
    assert report.n_distinct == len(unique)
    assert report.duplicates == n - len(unique)
    if len(unique) > 1:
        assert report.distinct == pytest.approx(entropy(unique), rel=1e-12)
    else:
        assert report.distinct is None, "one distinct row has no neighbour"


def test_distinct_rows_are_the_first_of_each():
    items = np.array([[1, 2], [0.0, 3], [1, 2], [-0.0, 3], [1, 2], [9, 9]], dtype=np.float32)
    assert distinct_rows(items, nearest_others(items, 1)[0][:, 0]).tolist() == [0, 1, 5]


@pytest.mark.parametrize(("n", "k"), [(1, 1), (3, 3), (0, 1)])
def test_too_few_items(n, k):
    with pytest.raises(UserError, match=f"entropy with k = {k} needs more than {k} items, there are {n}"):
        entropy(np.zeros((n, 2)), k=k)
