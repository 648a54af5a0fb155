"""The loop itself against mathematics: chains of fitted normal distributions under every paradigm.

Real data are N(0, 1); model g is the maximum-likelihood normal (ddof = 0) of D_g. V_g = E[variance of model g] and
M_g = E[(mean of model g)^2] over independent chains. Each is held against its closed form with four standard errors
of the mean over replicates, and the standard error is capped so that the test has power: the closed forms of the
paradigms differ by more than that.
"""

import numpy as np
import pytest
from safetensors.numpy import load_file

GENERATIONS, LARGEST_ERROR = 5, 0.022


def replace(N, g):
    """V = (1 - 1/N)^g, and each generation adds V/N to M."""
    V = (1 - 1 / N) ** g
    return V, sum((1 - 1 / N) ** k for k in range(g)) / N


def accumulate(N, g):
    """V = prod_{k=1..g} (1 - 1/(N k^2))."""
    return float(np.prod([1 - 1 / (N * k**2) for k in range(1, g + 1)])), None


def fresh_real(N, g, a):
    """A fraction a of new real items: D has variance from both sources and from the distance of their means."""
    V, M = 1 - 1 / N, 1 / N
    for _ in range(g - 1):
        within = a + (1 - a) * V
        V, M = within * (1 - 1 / N) + a * (1 - a) * M, within / N + (1 - a) ** 2 * M
    return V, M


def fixed_real(N, g, a):
    """The same a N real items every time, with mean r: C is E[(mean of the model) r]."""
    n_real, n_model = a * N, (1 - a) * N
    V, M, C = 1 - 1 / N, 1 / N, 1 / N
    for _ in range(g - 1):
        M_next = a**2 / n_real + 2 * a * (1 - a) * C + (1 - a) ** 2 * (M + V / n_model)
        V, C, M = a + (1 - a) * (M + V) - M_next, a / n_real + (1 - a) * C, M_next
    return V, M


def test_the_recursions_reach_the_published_limits():
    assert fresh_real(20, 2000, 0.1)[0] == pytest.approx(0.78723, abs=5e-6)
    assert fresh_real(20, 2000, 0.5)[0] == pytest.approx(0.93548, abs=5e-6)
    assert fixed_real(20, 2000, 0.1)[0] == pytest.approx(0.40426, abs=5e-6)
    assert fixed_real(20, 2000, 0.5)[0] == pytest.approx(0.87097, abs=5e-6)
    assert accumulate(10, 20)[0] == pytest.approx(0.84756, abs=5e-6)


@pytest.fixture(scope="module")
def chains(checkout):
    folders = {"main": "results"} | {arm: f"results/{arm}" for arm in
               ("accumulate", "uniform", "equal_share", "fixed_real", "fresh_real")}  # fmt: skip
    files = {arm: f"{folder}/gen{GENERATIONS}/model/weights.safetensors" for arm, folder in folders.items()}
    second = [f"{folders[arm]}/gen2/model/weights.safetensors" for arm in ("uniform", "equal_share")]
    done = checkout.run(*files.values(), *second, config="gaussian.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    files |= {"uniform2": second[0], "equal_share2": second[1]}
    return {arm: load_file(checkout.folder / path) for arm, path in files.items()}


@pytest.mark.parametrize(
    ("arm", "variance", "square_of_mean"),
    [
        ("main", *replace(10, GENERATIONS)),
        ("accumulate", *accumulate(10, GENERATIONS)),
        ("uniform2", 0.83132, None),
        ("uniform", 0.77933, None),
        ("equal_share2", 0.8428, None),
        ("fixed_real", *fixed_real(20, GENERATIONS, 0.1)),
        ("fresh_real", *fresh_real(20, GENERATIONS, 0.1)),
    ],
)
def test_closed_form(chains, arm, variance, square_of_mean):
    models = chains[arm]
    pairs = [(models["cov"].ravel(), variance), (models["mean"].ravel() ** 2, square_of_mean)]
    for values, expected in pairs:
        if expected is not None:
            error = values.std(ddof=1) / np.sqrt(len(values))
            assert error < LARGEST_ERROR
            assert abs(values.mean() - expected) < 4 * error, (values.mean(), expected, error)


def test_chains_of_different_replicates_are_independent(chains):
    variances, means = chains["main"]["cov"].ravel(), chains["main"]["mean"].ravel()
    assert len(np.unique(variances)) == len(variances)
    # neighbours among the replicates are uncorrelated: standard deviation 1/sqrt(R)
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 5 / np.sqrt(len(means))
