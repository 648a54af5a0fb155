"""Classifier-free guidance against closed forms, with exact denoisers of Gaussians in place of a network."""

import math

import numpy as np
import pytest
import torch

from selfloop.diffusion import Sampler, alphas_cumprod
from selfloop.errors import UserError
from selfloop.guidance import Guidance, class_numbers, drop_classes, guided

T, S, S_ALL = 1000, 0.5, math.sqrt(1.25)  # classes N(+-1, 0.5^2) inside N(0, 1.25)
ABAR = alphas_cumprod("linear", T).double()
NULL = 2
COMMON = {"num_train_timesteps": T, "beta_schedule": "linear", "prediction_type": "epsilon",
          "timestep_spacing": "leading"}  # fmt: skip


def exact(x, t, classes):
    """The optimal eps for items of class 0 (mean -1), 1 (mean 1) and all together (NULL)."""
    mean = torch.tensor([-1.0, 1.0, 0.0], dtype=x.dtype)[classes].view(-1, 1, 1, 1)
    variance = torch.tensor([S**2, S**2, S_ALL**2], dtype=x.dtype)[classes].view(-1, 1, 1, 1)
    abar = ABAR[t].view(-1, 1, 1, 1)
    return (1 - abar).sqrt() * (x - abar.sqrt() * mean) / (abar * variance + 1 - abar)


def generate(guidance, sampler="ddim", n=4000):
    """Return float64[n] samples of class 1 in T steps."""
    process, stream = Sampler(sampler, 0.0, 2, False, **COMMON), torch.Generator().manual_seed(0)
    x = torch.randn(n, 1, 1, 1, generator=stream, dtype=torch.float64)
    x = (x - x.mean()) / x.std()  # the flow is affine: its slope is then exactly the standard deviation
    classes = torch.ones(n, dtype=torch.int64)
    for t in process.set_timesteps(T):
        output = guided(exact, x, t.expand(n), classes, NULL, guidance(t))
        noise = torch.randn(x.shape, generator=stream, dtype=torch.float64) if process.stochastic else None
        x = process.step(output, t, x, noise)
    return x.ravel().numpy()


def scale(w, schedule="constant", rate=5.0, interval=(0.0, 1.0)):
    return Guidance(w, schedule, rate, interval, T)


@pytest.mark.parametrize(("w", "limit", "with_1000_steps"), [(2.0, 0.22361, 0.22234), (3.0, 0.1, 0.09903)])
def test_ddim_sharpens_a_class_to_a_known_width(w, limit, with_1000_steps):
    """In the limit of small steps the standard deviation is s^w S^(1-w)."""
    width = generate(scale(w)).std(ddof=1)
    assert limit == pytest.approx(S**w * S_ALL ** (1 - w), abs=5e-6)
    assert width == pytest.approx(with_1000_steps, abs=1e-4)
    assert width == pytest.approx(limit, rel=0.011)


def test_w_1_is_the_class_itself_and_w_0_is_all():
    items = generate(scale(1.0))
    assert items.mean() == pytest.approx(1.0, abs=0.01) and items.std(ddof=1) == pytest.approx(S, rel=0.01)
    items = generate(scale(0.0))
    assert items.mean() == pytest.approx(0.0, abs=0.01) and items.std(ddof=1) == pytest.approx(S_ALL, rel=0.01)


def test_ancestral_sampling_at_w_2():
    """Simulated with diffusers' DDPM sampler, 1,000 steps: mean 1.2003, standard deviation 0.3171."""
    items = generate(scale(2.0), "ddpm", 20_000)
    assert items.mean() == pytest.approx(1.2003, abs=4 * 0.3171 / math.sqrt(20_000))
    assert items.std() == pytest.approx(0.3171, abs=4 * 0.3171 / math.sqrt(40_000))


def width_by_integration(guidance):
    """Standard deviation of the flow dx/dsigma = sigma (w / (s^2 + sigma^2) + (1 - w) / (S^2 + sigma^2)) x."""
    sigma = ((1 - ABAR) / ABAR).sqrt().numpy()
    w = np.array([guidance(t) for t in range(T)])
    rate = sigma * (w / (S**2 + sigma**2) + (1 - w) / (S_ALL**2 + sigma**2))
    return math.hypot(sigma[-1], 1.0) * math.exp(-np.trapezoid(rate, sigma))


@pytest.mark.parametrize("schedule", ["constant", "linear", "exponential"])
def test_a_schedule_gives_the_width_of_its_integral(schedule):
    guidance = scale(3.0, schedule, rate=2.0)
    assert generate(guidance).std(ddof=1) == pytest.approx(width_by_integration(guidance), rel=0.015)


def test_guidance_in_an_interval_has_a_closed_form():
    """s ((s^2 + a^2) (S^2 + b^2) / ((s^2 + b^2) (S^2 + a^2)))^((w - 1)/2), a and b the noise at the interval's ends."""
    guidance = scale(3.0, "interval", interval=(0.2, 0.6))
    inside = [t for t in range(T) if guidance(t) == 3.0]
    assert len(inside) == 400 and guidance(199) == guidance(600) == 1.0
    a, b = (float(((1 - ABAR[t]) / ABAR[t]).sqrt()) for t in (inside[0], inside[-1]))
    expected = S * ((S**2 + a**2) * (S_ALL**2 + b**2) / ((S**2 + b**2) * (S_ALL**2 + a**2)))
    assert generate(guidance).std(ddof=1) == pytest.approx(expected, rel=0.015)
    assert expected < 0.9 * S, "the guidance makes a difference that the tolerance would not hide"


def test_the_scale_at_both_ends():
    assert [scale(3.0)(t) for t in (0, T - 1)] == [3.0, 3.0]
    assert [scale(3.0, "linear")(t) for t in (0, T - 1)] == [1.0, 3.0]
    assert scale(3.0, "exponential", rate=2.0)(0) == pytest.approx(1 + 2 * math.exp(-2))
    assert scale(3.0, "exponential", rate=2.0)(torch.tensor(T - 1)) == pytest.approx(3.0)
    assert all(scale(1.0, schedule)(t) == 1.0 for t in (0, 500, 999) for schedule in ("linear", "exponential"))


def test_without_guidance_the_null_class_is_not_evaluated():
    asked = []

    def predict(x, t, classes):
        asked.append(classes.tolist())
        return x * 0 + classes.view(-1, 1, 1, 1)

    x, t, classes = torch.zeros(2, 1, 1, 1), torch.zeros(2, dtype=torch.int64), torch.tensor([0, 1])
    assert guided(predict, x, t, classes, 5, 1.0).ravel().tolist() == [0, 1]
    assert guided(predict, x, t, classes, 5, 3.0).ravel().tolist() == [5 + 3 * (0 - 5), 5 + 3 * (1 - 5)]
    assert asked == [[0, 1], [0, 1, 5, 5]]


def test_classes_are_dropped_at_the_given_rate():
    classes = torch.arange(10_000) % 7
    dropped = drop_classes(classes, 0.2, 7, torch.Generator().manual_seed(3))
    lost = dropped == 7
    assert abs(lost.double().mean() - 0.2) < 4 * math.sqrt(0.2 * 0.8 / 10_000)
    assert torch.equal(dropped[~lost], classes[~lost])
    assert torch.equal(drop_classes(classes, 0.0, 7, torch.Generator()), classes)
    assert (drop_classes(classes, 1.0, 7, torch.Generator()) == 7).all()


def test_wrong_settings_are_named():
    with pytest.raises(UserError, match="guidance_schedule: 'cosine' is not one of constant, linear, exponential"):
        scale(2.0, "cosine")
    with pytest.raises(UserError, match=r"guidance_interval: \[0.6, 0.2\] is not \[low, high\] in \[0, 1\]"):
        scale(2.0, "interval", interval=(0.6, 0.2))
    with pytest.raises(UserError, match="num_classes: 3 classes are numbered 0 to 2, the training set has labels from"):
        class_numbers(np.array([0, 3]), 3)
    with pytest.raises(UserError, match="needs a label for every item of its training set, and some have none"):
        class_numbers(None, 3)
