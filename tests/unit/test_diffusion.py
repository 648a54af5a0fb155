"""The diffusion process against its formulas and against diffusers' own samplers."""

import numpy as np
import pytest
import torch

from selfloop.diffusion import Objective, Sampler, Timesteps, alphas_cumprod, to_images
from selfloop.errors import UserError

COMMON = {"num_train_timesteps": 100, "beta_schedule": "linear", "prediction_type": "epsilon",
          "timestep_spacing": "trailing"}  # fmt: skip


def test_linear_alphas_are_a_product_of_one_minus_beta():
    expected = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    assert np.allclose(alphas_cumprod("linear", 1000), expected, rtol=1e-4)
    with pytest.raises(UserError, match="'sqrt' is not one of linear, cosine"):
        alphas_cumprod("sqrt", 1000)


@pytest.mark.parametrize("prediction_type", ["epsilon", "sample", "v_prediction"])
def test_the_true_answer_has_no_loss(prediction_type):
    """A network that knows the clean images answers eps, x_0 or v exactly."""
    clean = torch.linspace(-1, 1, 4 * 16).reshape(4, 1, 4, 4)
    abar = alphas_cumprod("cosine", 100)

    def network(x, t, return_dict):
        signal, noise = (v[t].view(-1, 1, 1, 1) for v in (abar.sqrt(), (1 - abar).sqrt()))
        eps = (x - signal * clean) / noise
        return ({"epsilon": eps, "sample": clean, "v_prediction": signal * eps - noise * clean}[prediction_type],)

    objective = Objective(prediction_type, "cosine", "uniform", 5.0, Timesteps(100, "uniform", 0, 1, True), "cpu")
    drawn = objective.draw(clean, torch.Generator().manual_seed(0))
    assert objective(network, clean, *drawn) < 1e-6
    assert objective(lambda x, t, return_dict: (x * 0,), clean, *drawn) > 0.05


def test_min_snr_weights_are_one_loss_in_units_of_the_image():
    """min(SNR, gamma) times the error of x_0, whichever quantity is predicted (Hang et al. 2023, eq. 5)."""
    steps = Timesteps(100, "uniform", 0.0, 1.0, False)
    snr = alphas_cumprod("linear", 100) / (1 - alphas_cumprod("linear", 100))
    weight = {
        p: Objective(p, "linear", "min_snr", 5.0, steps, "cpu").weight for p in ("epsilon", "sample", "v_prediction")
    }
    assert torch.allclose(weight["sample"], snr.clamp(max=5.0))
    assert torch.allclose(weight["epsilon"] * snr, weight["sample"], rtol=1e-5)
    assert torch.allclose(weight["v_prediction"] * (snr + 1), weight["sample"], rtol=1e-5)


@pytest.mark.parametrize("stratified", [False, True])
def test_timesteps_follow_their_distribution(stratified):
    from scipy import stats

    draw = Timesteps(1000, "logit_normal", -0.4, 0.7, stratified).draw(20_000, torch.Generator().manual_seed(1), "cpu")
    assert draw.dtype == torch.int64 and draw.min() >= 0 and draw.max() < 1000
    z = torch.logit((draw + 0.5) / 1000).numpy()
    assert abs(z.mean() + 0.4) < 0.03 and abs(z.std() - 0.7) < 0.03
    u = Timesteps(1000, "uniform", 0, 1, stratified).draw(20_000, torch.Generator().manual_seed(1), "cpu")
    assert stats.kstest((u + 0.5) / 1000, "uniform").statistic < (0.001 if stratified else 0.02)


def test_ddpm_is_ancestral_sampling():
    """DDIM with eta = 1 and the same noise takes the steps of diffusers' DDPMScheduler (Song et al. 2021, eq. 16)."""
    from diffusers import DDPMScheduler

    ours, theirs = Sampler("ddpm", 0.0, 2, True, **COMMON), DDPMScheduler(**COMMON, clip_sample=True)
    theirs.set_timesteps(100)
    x = y = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    assert ours.stochastic and torch.equal(ours.set_timesteps(100), theirs.timesteps)
    for k, t in enumerate(theirs.timesteps):
        output = torch.tanh(3 * x) + 0.1
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(k))
        x = ours.step(output, t, x, noise)
        y = theirs.step(torch.tanh(3 * y) + 0.1, t, y, generator=torch.Generator().manual_seed(k), return_dict=False)[0]
        assert torch.allclose(x, y, atol=2e-4), t


@pytest.mark.parametrize(("sampler", "steps"), [("ddim", 500), ("dpmsolver++", 100)])
def test_deterministic_samplers_reach_a_known_gaussian(sampler, steps):
    """Data N(0, s^2): the optimal eps is known, and the flow ends in std s (within the error of few steps)."""
    s = 0.5
    process = Sampler(sampler, 0.0, 2, False, **COMMON | {"num_train_timesteps": 1000})
    abar = alphas_cumprod("linear", 1000)
    x = torch.randn(4000, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    start = x
    for t in process.set_timesteps(steps):
        eps = (1 - abar[t]).sqrt() * x / (abar[t] * s**2 + 1 - abar[t])
        x = process.step(eps, t, x, None)
    assert not process.stochastic
    assert x.std() == pytest.approx(s, rel=0.06)
    assert np.corrcoef(x.ravel(), start.ravel())[0, 1] > 0.9999, "the flow is a scaling of the start"


def test_images_are_rounded_and_clipped():
    x = torch.tensor([-2.0, -1.0, 0.0, 1.0 / 255, 1.0, 5.0]).reshape(1, 1, 1, 6)
    assert to_images(x).ravel().tolist() == [0, 0, 128, 128, 255, 255]


def test_an_unknown_sampler_is_named():
    with pytest.raises(UserError, match="'euler' is not one of ddpm, ddim, dpmsolver"):
        Sampler("euler", 0.0, 2, True, **COMMON)
