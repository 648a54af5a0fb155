"""Means, paired differences and correlations: against closed forms, and against scipy on the same resamples."""

import math

import numpy as np
import pytest
from scipy import stats

from selfloop.statistics import Bootstrap, paired_difference, pearson, spread, t_interval


def test_spread_in_closed_form():
    assert spread([1, 2, 3, 4]) == pytest.approx((4, 2.5, math.sqrt(5 / 3), math.sqrt(5 / 12)), rel=1e-15)
    n, mean, sd, se = spread([7.0, np.nan])
    assert (n, mean) == (1, 7) and np.isnan([sd, se]).all(), "one seed has no spread, rather than none at all"
    assert spread([]).n == 0 and np.isnan(spread([]).mean)


@pytest.mark.parametrize("n", [2, 3, 12])
def test_bootstrap_equals_scipy_on_the_same_resamples(n):
    """scipy draws its resamples by one call of integers(), as here: equal to rounding, not just to the noise."""
    values = np.random.default_rng(n).standard_normal(n) + 3
    theirs = stats.bootstrap((values,), np.mean, n_resamples=999, method="percentile", rng=np.random.default_rng(5))
    assert Bootstrap(999, seed=5).mean(values) == pytest.approx(theirs.confidence_interval, rel=1e-12)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=999, method="percentile", rng=np.random.default_rng(5),
                             confidence_level=0.8)  # fmt: skip
    assert Bootstrap(999, 0.8, seed=5).mean(values) == pytest.approx(theirs.confidence_interval, rel=1e-12)


def test_bootstrap_against_the_normal_limit():
    """Of many values the interval is mean -+ 1.96 se, up to 1/sqrt(n) and to the noise of 9,999 resamples."""
    values = np.random.default_rng(0).standard_normal(2000)
    about = spread(values)
    expected = about.mean - 1.96 * about.se, about.mean + 1.96 * about.se
    assert Bootstrap().mean(values) == pytest.approx(expected, abs=0.08 * about.se)


def test_bootstrap_of_two_values_is_from_one_to_the_other():
    assert Bootstrap().mean(np.array([1.0, 4.0])) == (1.0, 4.0)
    assert Bootstrap().mean(np.array([0.1, 0.1, 0.1])) == (0.1, 0.1), "to the bit"


def test_bootstrap_is_a_function_of_its_values():
    a, b = np.random.default_rng(1).standard_normal((2, 5))
    one = Bootstrap()
    one.mean(b)
    assert one.mean(a) == Bootstrap().mean(a)
    assert Bootstrap(seed=1).mean(a) != Bootstrap(seed=2).mean(a)


def test_one_value_has_no_interval():
    assert np.isnan([*Bootstrap().mean(np.array([2.0])), *t_interval(np.array([2.0]))]).all()


def test_t_interval_in_closed_form():
    """The 0.975 quantile of Student's t is tan(0.475 pi) for one degree of freedom, 0.95 sqrt(2 / 0.0975) for two."""
    assert t_interval(np.array([0.0, 2.0])) == pytest.approx(
        (1 - math.tan(0.475 * math.pi), 1 + math.tan(0.475 * math.pi))
    )
    half = 0.95 * math.sqrt(2 / (1 - 0.95**2)) / math.sqrt(3)
    assert t_interval(np.array([-1.0, 0.0, 1.0])) == pytest.approx((-half, half), rel=1e-9)


def test_t_interval_against_scipy():
    values = np.random.default_rng(2).standard_normal(7)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert t_interval(values, 0.9) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_coverage_of_both_intervals_with_few_seeds():
    """Of three normal values the t interval holds the mean 95 % of the time; the bootstrap's, from the smallest to the
    largest, unless all three lie on one side: 1 - 2/8 (docs).
    """
    rng, one, held = np.random.default_rng(3), Bootstrap(999), np.zeros(2)
    for values in rng.standard_normal((3000, 3)):
        held += [low <= 0 <= high for low, high in (t_interval(values), one.mean(values))]
    assert held[0] / 3000 == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 3000))
    assert held[1] / 3000 == pytest.approx(0.75, abs=4 * math.sqrt(0.75 * 0.25 / 3000))


def test_pairs_are_of_one_seed():
    """Seeds differ by 100, arms by 1 and 2: the pairing takes the seeds out."""
    arm, control = {0: 1.0, 1: 102.0, 7: 5.0}, {1: 100.0, 0: 0.0, 8: 1.0}
    result = paired_difference(arm, control, Bootstrap())
    assert (result.n, result.unpaired, result.mean, result.bootstrap) == (2, 2, 1.5, (1.0, 2.0))
    assert result.t == t_interval(np.array([1.0, 2.0]))


def test_a_failed_chain_is_dropped_and_counted():
    result = paired_difference({0: 1.0, 1: np.nan}, {0: 0.5, 1: 2.0}, Bootstrap())
    assert (result.n, result.unpaired, result.mean) == (1, 1, 0.5)
    assert np.isnan([*result.bootstrap, *result.t]).all(), "one pair has no interval"
    assert np.isnan(paired_difference({0: 1.0}, {1: 1.0}, Bootstrap()).mean)


@pytest.mark.parametrize("n", [3, 4, 50])
def test_pearson_against_scipy(n):
    rng = np.random.default_rng(n)
    x = rng.standard_normal(n) * 1e-6 + 700  # far from 0: the sums must not cancel
    y = 1e9 * (x + 1e-6 * rng.standard_normal(n))
    theirs = stats.pearsonr(x, y)
    mine = pearson(x, y)
    assert mine.r == pytest.approx(theirs.statistic, rel=1e-7) and mine.n == n
    assert mine.fisher == pytest.approx(theirs.confidence_interval(), rel=1e-6)
    assert mine.groups == 0 and np.isnan(mine.bootstrap).all()


def test_pearson_over_chains_against_scipy():
    """Whole chains are drawn: the same interval as scipy's bootstrap of a statistic of the chains' numbers."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((6, 5)) + rng.standard_normal((6, 1))
    y = x + rng.standard_normal((6, 5)) + rng.standard_normal((6, 1))

    def correlation(chosen):
        return stats.pearsonr(x[chosen].ravel(), y[chosen].ravel()).statistic

    theirs = stats.bootstrap((np.arange(6),), correlation, n_resamples=500, method="percentile", vectorized=False,
                             rng=np.random.default_rng(9))  # fmt: skip
    mine = pearson(x.ravel(), y.ravel(), np.repeat(list("abcdef"), 5), resamples=500, seed=9)
    assert mine.groups == 6
    assert mine.bootstrap == pytest.approx(theirs.confidence_interval, rel=1e-9)


def test_pearson_leaves_out_what_is_not_finite():
    x, y = [1.0, 2.0, np.nan, 4.0, 3.0], [1.0, 3.0, 5.0, 2.0, np.inf]
    assert pearson(x, y, list("aabbc")) == pearson([1, 2, 4], [1, 3, 2], list("aab"))
    assert pearson(x, y).n == 3


def test_pearson_of_a_line_and_of_a_constant():
    assert pearson([1, 2, 3, 4], [2, 4, 6, 8]).r == pytest.approx(1, rel=1e-12)
    for x, y in (([0.1, 0.1, 0.1], [1, 2, 3]), ([1, 2, 3], [0.1, 0.1, 0.1]), ([1, 2], [1, 2]), ([], [])):
        result = pearson(x, y)
        assert np.isnan([result.r, *result.fisher]).all() and result.n == len(x)
