"""The diffusion process: noise schedules, the training objective, diffusers' samplers behind one signature.

Notation of Ho et al. 2020 (arXiv 2006.11239): x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps, images in [-1, 1].
"""

import numpy as np
import torch

from selfloop.errors import UserError
from selfloop.quick_start import diffusers_class

BETAS = {"linear": "linear", "cosine": "squaredcos_cap_v2"}


def alphas_cumprod(beta_schedule: str, num_train_timesteps: int) -> torch.Tensor:
    """Return abar_t, float32[T]: linear betas 1e-4..0.02 (Ho et al. 2020) or cosine (Nichol, Dhariwal 2021, eq. 17)."""
    return diffusers_class("DDIMScheduler")(
        num_train_timesteps, beta_schedule=diffusers_betas(beta_schedule)
    ).alphas_cumprod


class Timesteps:
    """How t in 0..T-1 is drawn in training: uniform, or t / T = sigmoid(mean + std z) (Esser et al. 2024, eq. 19).

    ``stratified`` takes one t from each of B equally likely strata, which lowers the variance of the loss.
    """

    def __init__(self, T: int, distribution: str, mean: float, std: float, stratified: bool):
        self.T, self.distribution, self.mean, self.std, self.stratified = T, distribution, mean, std, stratified

    def draw(self, n: int, stream: torch.Generator, device: str) -> torch.Tensor:
        """Return int64[n]."""
        u = torch.rand(n, generator=stream, device=device)
        if self.stratified:
            u = (u + torch.arange(n, device=device)) / n
        if self.distribution == "logit_normal":
            u = torch.sigmoid(self.mean + self.std * torch.special.ndtri(u.double().clamp(1e-6, 1 - 1e-6)))
        return (u * self.T).long().clamp_(max=self.T - 1)


class Objective:
    """The denoising loss of one batch: callable as ``objective(network, clean, t, eps) -> scalar``.

    The network is asked for eps, x_0 or v = sqrt(abar) eps - sqrt(1 - abar) x_0 (Salimans and Ho 2022); the loss is
    the mean square error, weighted with min(SNR, gamma) in x_0 units under ``min_snr`` (Hang et al. 2023, eq. 5).
    """

    def __init__(self, prediction_type, beta_schedule, weighting, min_snr_gamma, timesteps: Timesteps, device):
        abar = alphas_cumprod(beta_schedule, timesteps.T).to(device)
        self.signal, self.noise = abar.sqrt(), (1 - abar).sqrt()
        snr = abar / (1 - abar)
        clipped = snr.clamp(max=min_snr_gamma)
        per_type = {"epsilon": clipped / snr, "sample": clipped, "v_prediction": clipped / (snr + 1)}
        if prediction_type not in per_type:
            raise UserError(f"generator.params.prediction_type: '{prediction_type}' none of {', '.join(per_type)}")
        self.weight = per_type[prediction_type] if weighting == "min_snr" else None
        self.prediction_type, self.timesteps = prediction_type, timesteps

    def draw(self, clean: torch.Tensor, stream: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (t int64[B], eps like ``clean``) for a batch."""
        t = self.timesteps.draw(len(clean), stream, clean.device)
        return t, torch.randn(clean.shape, generator=stream, device=clean.device)

    def __call__(self, network, clean: torch.Tensor, t: torch.Tensor, eps: torch.Tensor, *classes) -> torch.Tensor:
        """Return the mean loss over the batch: ``clean``, ``eps`` B x C x H x W, ``t`` and ``classes`` int64[B]."""
        signal, noise = self.signal[t].view(-1, 1, 1, 1), self.noise[t].view(-1, 1, 1, 1)
        output = network(signal * clean + noise * eps, t, *classes, return_dict=False)[0].float()
        target = {"epsilon": eps, "sample": clean}.get(self.prediction_type)
        if target is None:
            target = signal * eps - noise * clean
        error = (output - target).square().mean((1, 2, 3))
        return (error if self.weight is None else error * self.weight[t]).mean()


class Sampler:
    """One signature over diffusers' schedulers: ``step(output, t, x, noise) -> x`` at the next, less noisy time.

    ``ddpm`` is ancestral sampling (Ho et al. 2020, algorithm 2), reached as DDIM with eta = 1, the same process
    (Song et al. 2021, eq. 16) and takes its noise from outside: it then comes from one stream per image, so that an
    image does not depend on its batch. ``ddim`` is Song et al. 2021, ``dpmsolver++`` Lu et al. 2022.
    """

    def __init__(self, sampler: str, eta: float, solver_order: int, clip_sample: bool, **common):
        if sampler in ("ddpm", "ddim"):
            self.scheduler = diffusers_class("DDIMScheduler")(**common, clip_sample=clip_sample)
            self.options = {"eta": 1.0 if sampler == "ddpm" else eta, "use_clipped_model_output": clip_sample}
        elif sampler == "dpmsolver++":
            clip = {"thresholding": clip_sample, "sample_max_value": 1.0}  # a threshold of at most 1 is a plain clip
            self.scheduler = diffusers_class("DPMSolverMultistepScheduler")(**common, **clip, solver_order=solver_order)
            self.options = {}
        else:
            raise UserError(f"sampling.params.sampler: '{sampler}' is not one of ddpm, ddim, dpmsolver++")

    def set_timesteps(self, steps: int) -> torch.Tensor:
        """Start a new trajectory and return its times, int64 on the CPU, most noisy first."""
        self.scheduler.set_timesteps(steps)
        return self.scheduler.timesteps

    @property
    def stochastic(self) -> bool:
        """Whether ``step`` uses its noise."""
        return self.options.get("eta", 0.0) > 0

    def step(self, output: torch.Tensor, t: torch.Tensor, x: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        """Return x at the next time from the network's float32 output at t (all B x C x H x W).

        ``t`` is one of ``set_timesteps``; it stays on the CPU, or diffusers would wait for the GPU to read it.
        """
        given = self.options | ({"variance_noise": noise} if self.stochastic else {})
        return self.scheduler.step(output, t, x, **given, return_dict=False)[0]


def to_images(x: torch.Tensor) -> np.ndarray:
    """Round float B x C x H x W in [-1, 1] to uint8, clipping what lies outside."""
    return x.add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def diffusers_betas(beta_schedule: str) -> str:
    """Return diffusers' name of a beta schedule."""
    if beta_schedule not in BETAS:
        raise UserError(f"generator.params.beta_schedule: '{beta_schedule}' is not one of {', '.join(BETAS)}")
    return BETAS[beta_schedule]
