"""FD and KID: against closed forms, and against torch-fidelity run from images."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from selfloop import distribution
from selfloop.distribution import frechet_distance, kid, statistics
from selfloop.errors import UserError
from selfloop.manifolds import manifolds
from selfloop.neighbours import nearest_others


def fd(a, b):
    return frechet_distance(statistics(a), statistics(b))


def gaussians(seed, n=400, m=300, d=6):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), 1.3 * rng.standard_normal((m, d)) @ rng.standard_normal((d, d)) + 0.5


def test_fd_in_one_dimension():
    a, b = np.random.default_rng(0).standard_normal((50, 1)), np.random.default_rng(1).standard_normal((60, 1)) * 3 + 2
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert fd(a, b) == pytest.approx(expected, rel=1e-12)


def test_fd_against_scipy():
    a, b = gaussians(0)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    overlap = np.trace(sqrtm(first @ second)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * overlap
    assert fd(a, b) == pytest.approx(expected, rel=1e-9)


def test_fd_of_a_set_with_itself_and_of_a_shift():
    a, _ = gaussians(1)
    assert fd(a, a) == pytest.approx(0, abs=1e-9)
    assert fd(a, a + 2.0) == pytest.approx(4.0 * a.shape[1], rel=1e-9)
    assert fd(a, 3.0 * a) == pytest.approx(fd(3.0 * a, a), rel=1e-9)


def test_fd_sums_in_float64():
    """float32 features far from the origin: float32 sums would lose the covariance (1e-7 * 1e4^2 = 10)."""
    a, b = (x.astype(np.float32) + np.float32(1e4) for x in gaussians(2))
    assert fd(a, b) == pytest.approx(fd(a.astype(np.float64) - 1e4, b.astype(np.float64) - 1e4), rel=1e-6)


def slow_kid(x, y):
    d = x.shape[1]
    total = 0.0
    for own in (x, y):
        n = len(own)
        pairs = [(own[i] @ own[j] / d + 1) ** 3 for i in range(n) for j in range(n) if i != j]
        total += np.mean(pairs)
    return total - 2.0 * np.mean([(a @ b / d + 1) ** 3 for a in x for b in y])


def test_kid_of_the_whole_sets_against_a_loop():
    a, b = gaussians(3, 30, 30)
    mean, std = kid(a, b, subsets=3, subset_size=30, seed=0)
    assert mean == pytest.approx(slow_kid(a, b), rel=1e-10)
    assert std == pytest.approx(0, abs=1e-10), "every subset is the whole"


@pytest.mark.parametrize(("subsets", "size"), [(20, 50), (7, 300), (1, 2)])
def test_kid_equals_torch_fidelity_on_its_subsets(monkeypatch, subsets, size):
    """All subsets at once, in several blocks of rows, and one by one, against torch-fidelity: equal to rounding."""
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    a, b = (x.astype(np.float32) for x in gaussians(4))
    theirs = kid_features_to_metric(*(torch.from_numpy(x.astype(np.float64)) for x in (a, b)), kid_subsets=subsets,
                                    kid_subset_size=size, rng_seed=5, verbose=False)  # fmt: skip
    expected = theirs[KEY_METRIC_KID_MEAN], theirs[KEY_METRIC_KID_STD]
    monkeypatch.setattr(distribution, "_KERNEL_ROWS", 64)
    for one_kernel in (8192, 1):
        monkeypatch.setattr(distribution, "_ONE_KERNEL", one_kernel)
        ours = kid(a, b, subsets=subsets, subset_size=size, seed=2**32 + 5)
        assert ours == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(500, 1), (300, 20), (40, 64)])
def test_fd_equals_torch_fidelity(n, d):
    """In float64, also with fewer items than dimensions, where the covariances are singular."""
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    rng = np.random.default_rng(n)
    a, b = rng.standard_normal((n, d)), 1.5 * rng.standard_normal((n + 7, d)) + 0.1
    theirs = [fid_features_to_statistics(torch.from_numpy(x)) for x in (a, b)]
    theirs = [t | {"sigma": np.atleast_2d(t["sigma"])} for t in theirs]
    assert fd(a, b) == pytest.approx(fid_statistics_to_metric(*theirs, False)[KEY_METRIC_FID], rel=1e-9)


def test_kid_depends_on_the_seed_alone():
    a, b = gaussians(5)
    first = kid(a, b, subsets=5, subset_size=40, seed=1)
    np.random.seed(0)  # the global state has no part in it
    assert kid(a, b, subsets=5, subset_size=40, seed=1) == first
    assert kid(a, b, subsets=5, subset_size=40, seed=2) != first


def test_kid_is_unbiased():
    """Two samples of one distribution: mean 0 within four standard errors over 30 pairs."""
    values = []
    for seed in range(30):
        a, b = np.random.default_rng(seed).standard_normal((2, 200, 4))
        values.append(kid(a, b, subsets=1, subset_size=200, seed=0)[0])
    assert abs(np.mean(values)) < 4 * np.std(values, ddof=1) / math.sqrt(30)


@pytest.fixture(scope="module")
def calculated():
    """torch-fidelity's calculate_metrics from images, with an extractor that flattens them; and the features."""
    import torch
    import torch_fidelity

    class Flatten(torch_fidelity.FeatureExtractorBase):
        def __init__(self, name, features_list, **_):
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list():
            return ("flat",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric):
            return "flat"

        def forward(self, x):
            return (x.flatten(1).float() / 255,)

    class Images(torch.utils.data.Dataset):
        def __init__(self, seed, n, high):
            self.images = np.random.default_rng(seed).integers(0, high, (n, 3, 2, 2), dtype=np.uint8)

        def __len__(self):
            return len(self.images)

        def __getitem__(self, i):
            return torch.from_numpy(self.images[i])

    torch_fidelity.register_feature_extractor("flatten", Flatten)
    sets = Images(0, 90, 200), Images(1, 80, 256)
    result = torch_fidelity.calculate_metrics(
        input1=sets[0], input2=sets[1], feature_extractor="flatten", fid=True, kid=True, prc=True, kid_subsets=10,
        kid_subset_size=50, rng_seed=3, cuda=False, cache=False, verbose=False,
    )  # fmt: skip
    return result, *(s.images.reshape(len(s), -1).astype(np.float32) / np.float32(255) for s in sets)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_equal_to_calculate_metrics(calculated):
    """Its float32 sums are ours in float64, so equality is to float32 rounding."""
    result, samples, real = calculated
    assert fd(samples, real) == pytest.approx(result["frechet_inception_distance"], rel=1e-5)
    mean, std = kid(samples, real, subsets=10, subset_size=50, seed=3)
    assert mean == pytest.approx(result["kernel_inception_distance_mean"], abs=1e-6)
    assert std == pytest.approx(result["kernel_inception_distance_std"], abs=1e-6)
    within = (nearest_others(x, 5)[0] for x in (samples, real))
    assert manifolds(samples, real, *within)[:2] == pytest.approx((result["precision"], result["recall"]), abs=1e-6)


def test_mistakes():
    a, b = gaussians(8, 10, 8)
    with pytest.raises(UserError, match="a covariance needs at least 2 items, there are 1"):
        statistics(a[:1])
    with pytest.raises(UserError, match=r"KID subsets of 9 do not fit 10 samples against 8 real images.*2..8, or null"):
        kid(a, b, subsets=2, subset_size=9, seed=0)
