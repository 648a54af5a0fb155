"""gaussian: the maximum-likelihood fit against numpy, its samples against the distribution they are drawn from."""

from pathlib import Path

import numpy as np
import pytest

from selfloop.errors import UserError
from selfloop.plugins import load_plugin
from selfloop.seeds import item_seeds, normal

PLUGINS = Path(__file__).parents[2] / "workflow" / "plugins"


@pytest.fixture(scope="module")
def gaussian():
    return load_plugin(PLUGINS / "generators" / "gaussian.py", "generator")


def test_the_fit_is_numpy_s_per_replicate(gaussian):
    samples = normal(item_seeds(1, 90), (3,)) * [1, 2, 3] + [4, 5, 6]
    replicate = np.arange(90) % 4  # not contiguous, and not of equal size
    weights = gaussian.train(samples, replicate=replicate)
    assert weights["mean"].shape == (4, 3) and weights["cov"].shape == (4, 3, 3)
    for r in range(4):
        own = samples[replicate == r]
        np.testing.assert_allclose(weights["mean"][r], own.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(weights["cov"][r], np.cov(own.T, ddof=0), rtol=1e-12)


def test_the_variance_shrinks_by_one_over_n(gaussian):
    """E[variance of the fit] = 1 - 1/N (ddof = 0); 2,000 replicates of N = 10: standard error 0.0095."""
    n, replicates = 10, 2000
    weights = gaussian.train(normal(item_seeds(2, n * replicates), (1,)), replicate=np.repeat(np.arange(replicates), n))
    variance = weights["cov"][:, 0, 0]
    error = variance.std() / np.sqrt(replicates)
    assert error < 0.012
    assert abs(variance.mean() - (1 - 1 / n)) < 4 * error


def test_samples_have_the_fitted_moments(gaussian):
    mean, cov = np.array([[1.0, -2.0]]), np.array([[[2.0, 1.2], [1.2, 1.0]]])
    items = gaussian.load({"mean": mean, "cov": cov})(item_seeds(3, 40_000))
    assert items.dtype == np.float64 and items.shape == (40_000, 2)
    assert (np.abs(items.mean(axis=0) - mean[0]) < 4 * np.sqrt(np.diag(cov[0]) / 40_000)).all()
    spread = np.sqrt((cov[0] ** 2 + np.outer(np.diag(cov[0]), np.diag(cov[0]))) / 40_000)  # of a sample covariance
    assert (np.abs(np.cov(items.T) - cov[0]) < 4 * spread).all()


def test_a_covariance_without_full_rank_keeps_to_its_line(gaussian):
    direction = np.array([3.0, 4.0]) / 5
    weights = {"mean": np.zeros((1, 2)), "cov": 2.0 * np.outer(direction, direction)[None]}
    items = gaussian.load(weights)(item_seeds(4, 5000))
    np.testing.assert_allclose(items @ [-4.0, 3.0], 0, atol=5e-7)  # sqrt(float64 epsilon) * 5 * 6 deviations
    along = items @ direction
    assert abs(along.var() - 2.0) < 4 * 2.0 * np.sqrt(2 / 5000)


def test_a_collapsed_model_repeats_its_mean(gaussian):
    weights = gaussian.train(np.full((5, 1), 7.0), replicate=None)
    assert (gaussian.load(weights)(item_seeds(5, 4)) == 7.0).all()


def test_an_item_depends_on_its_own_seed_and_replicate(gaussian):
    weights = {"mean": np.arange(3.0)[:, None] * 100, "cov": np.ones((3, 1, 1))}
    sample, seeds, replicate = gaussian.load(weights), item_seeds(6, 9), np.arange(9) % 3
    whole = sample(seeds, replicate=replicate)
    for i in range(9):
        np.testing.assert_array_equal(sample(seeds[i : i + 1], replicate=replicate[i : i + 1])[0], whole[i])
    np.testing.assert_allclose(np.round(whole[:, 0], -2), replicate * 100)


def test_images_are_refused(gaussian):
    expected = r"^gaussian: takes float64 N x d \(a closed-form dataset such as normal.py\), not uint8 5 x 1 x 8 x 8$"
    with pytest.raises(UserError, match=expected):
        gaussian.train(np.zeros((5, 1, 8, 8), np.uint8), replicate=None)


def test_an_empty_replicate_is_named(gaussian):
    with pytest.raises(UserError, match=r"^gaussian: replicate 1 of 0\.\.2 has no items to fit$"):
        gaussian.train(np.zeros((4, 1)), replicate=np.array([0, 0, 2, 2]))
