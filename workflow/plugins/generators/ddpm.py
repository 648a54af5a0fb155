"""Denoising diffusion: a diffusers UNet2DModel, trained from scratch and sampled with a diffusers scheduler.

Every parameter of `train` is a key of `generator.params`, every parameter of `load` one of `sampling.params`:
another sampler does not retrain. Defaults are the paper's (arXiv 2509.16499, appendix) where it gives one.
"""

import math
from collections.abc import Callable

import numpy as np

from selfloop.diffusion import Objective, Sampler, diffusers_betas, to_images
from selfloop.errors import UserError
from selfloop.quick_start import diffusers_class, skip_compiler
from selfloop.seeds import derive, normal


def train(
    samples,  # uint8 N x C x H x W
    *,
    seed,
    device,
    precision,
    compile,
    run,
    # network: diffusers UNet2DModel
    block_out_channels=(48, 48, 96, 96, 192, 192),
    attention=(False, False, False, False, True, False),  # per resolution, finest first; the up path mirrors it
    layers_per_block=2,
    norm_num_groups=16,
    attention_head_dim=8,
    mid_attention=True,
    dropout=0.0,
    # objective
    prediction_type="epsilon",  # epsilon | sample | v_prediction
    beta_schedule="linear",  # linear | cosine
    num_train_timesteps=1000,
    loss_weighting="uniform",  # uniform | min_snr (Hang et al. 2023)
    min_snr_gamma=5.0,
    stratified_timesteps=False,  # one t from each of B equal strata, instead of B independent ones
    # optimisation
    nimg=None,  # images seen in training; None: epochs * N
    epochs=501,
    batch_size=128,
    learning_rate=1e-4,
    lr_schedule="cosine",  # cosine | constant, after the warm-up
    warmup_steps=500,
    adam_betas=(0.95, 0.999),
    adam_eps=1e-8,
    weight_decay=1e-6,
    gradient_clip=1.0,  # None: no clipping
    ema_decay=None,  # None: no moving average
    horizontal_flips=False,
    checkpoint_every=1000,  # optimizer steps
):
    """Fit one model and return its weights (the EMA where there is one) as a dict of float32 tensors.

    A step draws from a stream of (seed, step) alone, so that a resumed run meets the numbers of an uninterrupted
    one. Raises UserError for settings that cannot work on these images.
    """
    import torch

    if not compile:
        skip_compiler()
    network = make_network(samples.shape[1:], block_out_channels, attention, layers_per_block, norm_num_groups,
                           attention_head_dim, mid_attention, dropout, derive(seed, "weights", 0), device)  # fmt: skip
    total_steps = max(1, round((nimg or epochs * len(samples)) / batch_size))
    optimizer = torch.optim.AdamW(network.parameters(), learning_rate, tuple(adam_betas), adam_eps, weight_decay,
                                  fused=True)  # fmt: skip
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _learning_rate(lr_schedule, warmup_steps, total_steps))
    average = _Average(network, ema_decay)
    images = torch.as_tensor(np.array(samples), device=device)  # uint8, resident
    objective = Objective(prediction_type, beta_schedule, num_train_timesteps, loss_weighting, min_snr_gamma,
                          stratified_timesteps, device)  # fmt: skip
    autocast = _autocast(device, precision)
    scaler = torch.amp.GradScaler(torch.device(device).type, enabled=precision == "fp16")
    parts = {"network": network, "optimizer": optimizer, "schedule": schedule, "average": average, "scaler": scaler}

    checkpoint = run.load_checkpoint()
    if checkpoint is not None:
        for name, part in parts.items():
            part.load_state_dict(checkpoint[name])
    for step in range(checkpoint["step"] if checkpoint else 0, total_steps):
        stream = torch.Generator(device).manual_seed(derive(seed, "step", step))
        clean = _batch(images, step, batch_size, seed, stream, horizontal_flips)
        with autocast:
            loss = objective(network, clean, stream)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        if gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(network.parameters(), gradient_clip, foreach=True)
        scaler.step(optimizer)
        scaler.update()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(network, step + 1)
        run.progress(step + 1, total_steps, loss=loss, nimg=batch_size)
        if (step + 1) % checkpoint_every == 0 and step + 1 < total_steps:
            run.save_checkpoint({name: part.state_dict() for name, part in parts.items()} | {"step": step + 1})
    return average.weights(network)


def load(
    weights,
    *,
    shape,
    model,
    device,
    precision,
    compile,
    sampler="ddpm",  # ddpm | ddim | dpmsolver++
    steps=1000,  # network evaluations
    eta=0.0,  # ddim: 0 is deterministic, 1 has the variance of ddpm
    solver_order=2,  # dpmsolver++: 1 | 2 | 3
    timestep_spacing="trailing",  # leading | trailing | linspace
    clip_sample=True,  # clip the predicted image to [-1, 1] at each step (ddpm, ddim; dpmsolver++: thresholding off)
) -> Callable:
    """Return `sample(seeds) -> uint8 B x C x H x W`; `model` are the `generator.params` the weights were made with."""
    import torch

    settings = _train_defaults() | model
    network = make_network(shape, *(settings[name] for name in _NETWORK), 0, device)
    network.load_state_dict({name: torch.as_tensor(value) for name, value in weights.items()})
    network.eval().requires_grad_(False)
    process = Sampler(sampler, eta, solver_order, clip_sample, timestep_spacing=timestep_spacing,
                      prediction_type=settings["prediction_type"], num_train_timesteps=settings["num_train_timesteps"],
                      beta_schedule=diffusers_betas(settings["beta_schedule"]))  # fmt: skip
    autocast = _autocast(device, precision)

    @torch.inference_mode()
    def sample(seeds):
        x = torch.as_tensor(normal(seeds, tuple(shape)), dtype=torch.float32, device=device)
        noise = None
        for i, t in enumerate(process.set_timesteps(steps, device)):
            with autocast:
                output = network(x, t.expand(len(x)), return_dict=False)[0]
            if process.stochastic:
                noise = torch.as_tensor(normal(seeds, tuple(shape), step=i + 1), dtype=torch.float32, device=device)
            x = process.step(output.float(), t, x, noise)
        return to_images(x)

    return sample


_NETWORK = ("block_out_channels", "attention", "layers_per_block", "norm_num_groups", "attention_head_dim",
            "mid_attention", "dropout")  # fmt: skip


def make_network(shape, block_out_channels, attention, layers_per_block, norm_num_groups, attention_head_dim,
                 mid_attention, dropout, seed, device):  # fmt: skip
    """Build the UNet2DModel for C x H x W images with initial weights from `seed`; UserError if it cannot be built."""
    import torch

    channels, height, width = shape
    levels = len(block_out_channels)
    if len(attention) != levels:
        raise UserError(f"generator.params.attention: {len(attention)} entries for {levels} block_out_channels")
    if height % 2 ** (levels - 1) or width % 2 ** (levels - 1):
        raise UserError(f"generator.params.block_out_channels: {levels} resolutions need sides that {2 ** (levels - 1)} "
                        f"divides, the images are {height} x {width}")  # fmt: skip
    for c in block_out_channels:
        if c % norm_num_groups:
            raise UserError(f"generator.params.norm_num_groups: {norm_num_groups} does not divide {c} channels")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = diffusers_class("UNet2DModel")(
            sample_size=(height, width),
            in_channels=channels,
            out_channels=channels,
            block_out_channels=tuple(block_out_channels),
            down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attention),
            up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)),
            layers_per_block=layers_per_block,
            norm_num_groups=norm_num_groups,
            attention_head_dim=attention_head_dim,
            add_attention=mid_attention,
            dropout=dropout,
        )
    return torch.nn.Module.to(network, device)  # diffusers' own `to` loads its offloading hooks first


class _Average:
    """Exponential moving average of the weights (none where decay is None), warmed up as (1 + t) / (10 + t)."""

    def __init__(self, network, decay):
        self.decay = decay
        self.values = [p.detach().clone() for p in network.parameters()] if decay else []

    def update(self, network, step):
        if self.decay:
            import torch

            decay = min(self.decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.values, [p.detach() for p in network.parameters()], 1 - decay)

    def weights(self, network):
        names = [name for name, _ in network.named_parameters()]
        values = self.values or [p.detach() for p in network.parameters()]
        return dict(network.state_dict()) | dict(zip(names, values, strict=True))

    def state_dict(self):
        return {"values": self.values}

    def load_state_dict(self, state):
        for value, saved in zip(self.values, state["values"], strict=True):
            value.copy_(saved)


def _batch(images, step, batch_size, seed, stream, horizontal_flips):
    """Return float32 B x C x H x W in [-1, 1]: batch `step` of an endless sequence of shuffled epochs."""
    import torch

    n = len(images)
    first = step * batch_size
    index = [_epoch_order(n, epoch, seed) for epoch in range(first // n, (first + batch_size - 1) // n + 1)]
    index = torch.cat(index)[first % n : first % n + batch_size].to(images.device)
    batch = images[index].to(torch.float32).div_(127.5).sub_(1.0)
    if horizontal_flips:
        flip = torch.rand(len(batch), 1, 1, 1, generator=stream, device=images.device) < 0.5
        batch = torch.where(flip, batch.flip(3), batch)
    return batch


def _epoch_order(n, epoch, seed):
    import torch

    return torch.randperm(n, generator=torch.Generator().manual_seed(derive(seed, "epoch", epoch)))


def _learning_rate(schedule, warmup_steps, total_steps):
    """Return the factor at a step: linear warm-up, then constant, or half a cosine to 0 at the last step."""

    def factor(step):
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        if schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / max(1, total_steps - warmup_steps)))

    if schedule not in ("cosine", "constant"):
        raise UserError(f"generator.params.lr_schedule: '{schedule}' is not one of cosine, constant")
    return factor


def _autocast(device, precision):
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    return torch.autocast(torch.device(device).type, dtype, enabled=precision != "fp32")


def _train_defaults():
    return {name: train.__kwdefaults__[name] for name in train.__kwdefaults__}
