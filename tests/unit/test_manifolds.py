"""Precision, recall, density and coverage: against prdc and torch-fidelity, closed forms, and loops with ties."""

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from torch_fidelity.metric_prc import prc_features_to_metric

from selfloop import neighbours
from selfloop.errors import UserError
from selfloop.manifolds import manifolds
from selfloop.neighbours import nearest_others, pairwise


def measured(samples, real, k=3, coverage_k=5):
    within = (nearest_others(x, max(k, coverage_k))[0] for x in (samples, real))
    return manifolds(samples, real, *within, k=k, coverage_k=coverage_k)


def gaussians(seed, n=120, m=90, d=4):
    rng = np.random.default_rng(seed)
    return [x.astype(np.float32) for x in (rng.standard_normal((n, d)), 1.2 * rng.standard_normal((m, d)) + 0.3)]


@pytest.mark.parametrize("chunk", [2**8, 2**20])
@pytest.mark.parametrize(("n", "m", "d"), [(120, 90, 4), (300, 401, 1), (80, 200, 50)])
def test_against_prdc(monkeypatch, n, m, d, chunk):
    """NAVER's package, one k for all four; in blocks of any size."""
    monkeypatch.setattr(neighbours, "_CHUNK", chunk)
    monkeypatch.setattr(neighbours, "_ROWS", 7)
    samples, real = gaussians(n + d, n, m, d)
    for k in (1, 3, 5):
        expected = compute_prdc(real.astype(np.float64), samples.astype(np.float64), k)
        found = measured(samples, real, k, k)._asdict()
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-12), (name, k)


def test_each_pair_has_its_own_k():
    samples, real = gaussians(0)
    found, three, five = measured(samples, real), *(compute_prdc(real, samples, k) for k in (3, 5))
    assert (found.precision, found.recall) == pytest.approx((three["precision"], three["recall"]))
    assert (found.density, found.coverage) == pytest.approx((five["density"], five["coverage"]))
    assert measured(samples, real, k=7, coverage_k=2).coverage == compute_prdc(real, samples, 2)["coverage"]


def test_against_torch_fidelity():
    samples, real = gaussians(1, 150, 130, 6)
    a, b = (torch.from_numpy(x.astype(np.float64)) for x in (samples, real))
    theirs = prc_features_to_metric(a, b, prc_neighborhood=3, prc_batch_size=64, save_cpu_ram=True, verbose=False)
    assert measured(samples, real)[:2] == pytest.approx((theirs["precision"], theirs["recall"]), abs=1e-6)


def slow(samples, real, k, coverage_k):
    """By the definitions, a loop over balls; the border is inside."""
    own, theirs, between = (pairwise(*pair) for pair in ((samples, samples), (real, real), (samples, real)))
    own_radii, radii, wide = (np.sort(x, axis=1)[:, j] for x, j in ((own, k), (theirs, k), (theirs, coverage_k)))
    return (
        np.mean([any(between[i, j] <= radii[j] for j in range(len(real))) for i in range(len(samples))]),
        np.mean([any(between[i, j] <= own_radii[i] for i in range(len(samples))) for j in range(len(real))]),
        sum(between[i, j] <= wide[j] for i in range(len(samples)) for j in range(len(real)))
        / (coverage_k * len(samples)),
        np.mean([any(between[i, j] <= wide[j] for i in range(len(samples))) for j in range(len(real))]),
    )


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e6])
def test_ties_and_copies(scale):
    """On a grid, far from the origin, with copies of real items: most distances tie, and the border is inside."""
    rng = np.random.default_rng(2)
    real = (scale * rng.integers(100, 104, (60, 3))).astype(np.float32)
    samples = np.concatenate([real[:20], (scale * rng.integers(100, 106, (30, 3))).astype(np.float32)])
    found = measured(samples, real, 3, 5)
    assert found[:4] == pytest.approx(slow(samples, real, 3, 5), abs=1e-12)
    assert np.array_equal(found.nearest, pairwise(samples, real).argmin(axis=1)), "of equally near ones the first"


def test_a_lost_mode_and_outliers():
    rng = np.random.default_rng(6)
    real = np.concatenate([rng.standard_normal((200, 3)), rng.standard_normal((200, 3)) + 20])
    one_mode = measured(rng.standard_normal((400, 3)), real)
    assert one_mode.precision > 0.9 and one_mode.recall < 0.6 and one_mode.coverage < 0.55
    outliers = measured(np.concatenate([real[:300], rng.standard_normal((100, 3)) + 99]), real)
    assert outliers.precision == 0.75 and outliers.recall > 0.7
    assert outliers.density > 0.7 and outliers.coverage > 0.9, "far outliers cost neither much"


def test_copies_of_all_real_items():
    """A ball of radius of the k-th other item holds k + 1 items: density (k + 1) / k, all else 1."""
    real = gaussians(3)[1]
    assert measured(real, real)[:4] == pytest.approx((1, 1, 6 / 5, 1), abs=1e-12)


def test_expected_coverage_of_the_same_distribution():
    """1 - (N-1)...(N-k) / (2N-1)...(2N-k) for n = N (Naeem et al. 2020, lemma 2), in any dimension; density has mean 1.

    Four standard errors over 30 draws.
    """
    n, k, values = 100, 5, []
    for seed in range(30):
        a, b = np.random.default_rng(seed).standard_normal((2, n, 3)).astype(np.float32)
        values.append(measured(a, b, 3, k)[2:4])
    mean, error = np.mean(values, axis=0), np.std(values, axis=0, ddof=1) / 30**0.5
    i = np.arange(1, k + 1)
    expected = 1 - np.prod((n - i) / (2 * n - i))
    assert error.max() < 0.02, "the test has no power"
    assert abs(mean[1] - expected) < 4 * error[1], (mean, expected, error)
    assert abs(mean[0] - 1) < 4 * error[0], (mean, error)


def test_too_few_items():
    a, b = gaussians(8, 10, 5)
    within = (nearest_others(x, 4)[0] for x in (a, b))
    with pytest.raises(UserError, match="coverage with k = 5 need more than 5 items in each set, there are 5"):
        manifolds(a, b, *within)
