"""Denoising diffusion: a diffusers UNet2DModel, trained from scratch and sampled with a diffusers scheduler.

Every parameter of `train` is a key of `generator.params`, every parameter of `load` one of `sampling.params`:
another sampler does not retrain. Defaults are the paper's (arXiv 2509.16499, appendix) where it gives one.
"""

import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np

from selfloop.cpu_unet import lighten
from selfloop.descent import Descent, autocast, flushed_denormals
from selfloop.diffusion import Objective, Sampler, Timesteps, diffusers_betas, to_images
from selfloop.errors import UserError
from selfloop.guidance import Guidance, class_numbers, drop_classes, guided
from selfloop.image_batches import Batches
from selfloop.quick_start import diffusers_class, without_compiler
from selfloop.replay import Replay
from selfloop.seeds import derive, normal, normal_torch


def train(
    samples,  # uint8 N x C x H x W
    *,
    labels,
    seed,
    device,
    precision,
    compile,
    run,
    team,
    # network: diffusers UNet2DModel
    block_out_channels=(48, 48, 96, 96, 192, 192),
    attention=(False, False, False, False, True, False),  # per resolution, finest first; the up path mirrors it
    layers_per_block=2,
    norm_num_groups=16,
    attention_head_dim=8,
    mid_attention=True,
    dropout=0.0,
    zero_init=False,  # start every residual branch and the output at zero (Dhariwal and Nichol 2021)
    # classes
    num_classes: int | None = None,  # K: class-conditional on labels 0..K-1; None: unconditional
    cond_drop_prob=0.1,  # share of the labels replaced by "no class" (Ho and Salimans 2022), for guidance
    # objective
    prediction_type: Literal["epsilon", "sample", "v_prediction"] = "epsilon",
    beta_schedule: Literal["linear", "cosine"] = "linear",
    num_train_timesteps=1000,
    loss_weighting: Literal["uniform", "min_snr"] = "uniform",  # min_snr: Hang et al. 2023
    min_snr_gamma=5.0,
    timestep_distribution: Literal["uniform", "logit_normal"] = "uniform",  # logit_normal: Esser et al. 2024, eq. 19
    timestep_mean=0.0,  # logit_normal: t / T = sigmoid(mean + std * standard normal)
    timestep_std=1.0,
    stratified_timesteps=False,  # one t from each of B equally likely strata, instead of B independent ones
    # optimisation
    nimg: int | None = None,  # images seen in training; None: epochs * N
    epochs=501,
    batch_size=128,
    learning_rate=1e-4,
    lr_schedule: Literal["cosine", "constant"] = "cosine",  # after the warm-up
    warmup_steps=500,
    adam_betas=(0.95, 0.999),
    adam_eps=1e-8,
    weight_decay=1e-6,
    gradient_clip: float | None = 1.0,  # None: no clipping
    ema_decay: float | None = None,  # None: no moving average
    horizontal_flips=False,
    checkpoint_every=1000,  # optimizer steps
):
    """Fit one model and return its weights (the EMA where there is one) as a dict of float32 tensors.

    A step draws from a stream of (seed, step) alone, so that a resumed run meets the numbers of an uninterrupted
    one. Raises UserError for settings that cannot work on these images.
    """
    import torch

    network = make_network(samples.shape[1:], block_out_channels, attention, layers_per_block, norm_num_groups,
                           attention_head_dim, mid_attention, dropout, zero_init, num_classes,
                           derive(seed, "weights", 0), device)  # fmt: skip
    classes = None if num_classes is None else class_numbers(labels, num_classes)
    batches = Batches(samples, batch_size, seed, device, horizontal_flips, classes)
    timesteps = Timesteps(num_train_timesteps, timestep_distribution, timestep_mean, timestep_std, stratified_timesteps)
    objective = Objective(prediction_type, beta_schedule, loss_weighting, min_snr_gamma, timesteps, device)
    total_steps = max(1, round((nimg or epochs * len(samples)) / batch_size))
    rate = _learning_rate(lr_schedule, warmup_steps, total_steps)
    forward = _faster(network, compile, device)
    rows = team.share(batch_size)
    with without_compiler(skip=not compile), flushed_denormals():
        adamw = torch.optim.AdamW(network.parameters(), learning_rate, tuple(adam_betas), adam_eps, weight_decay,
                                  fused=True)  # fmt: skip
        descent = Descent(network, partial(objective, forward), adamw, rate, gradient_clip, ema_decay, precision,
                          device, team)  # fmt: skip
        for step in range(descent.resume(run.load_checkpoint()), total_steps):
            clean, stream = batches[step]
            batch = [clean, *objective.draw(clean, stream)]
            if num_classes is not None:
                batch.append(drop_classes(batches.labels(step), cond_drop_prob, num_classes, stream))
            if dropout:
                torch.manual_seed(derive(seed, "dropout", step, team.rank))
            loss = descent.step(*(each[rows] for each in batch), weight=(rows.stop - rows.start) / batch_size)
            run.progress(step + 1, total_steps, loss=loss, nimg=batch_size)
            if (step + 1) % checkpoint_every == 0 and step + 1 < total_steps:
                run.save_checkpoint(descent.state_dict())
    weights = descent.average_weights()
    return weights if num_classes is None else weights | {"class_counts": np.bincount(classes, minlength=num_classes)}


def load(
    weights,
    *,
    shape,
    model,
    device,
    precision,
    compile,
    sampler: Literal["ddpm", "ddim", "dpmsolver++"] = "ddpm",
    steps=1000,  # network evaluations
    eta=0.0,  # ddim: 0 is deterministic, 1 has the variance of ddpm
    solver_order=2,  # dpmsolver++: 1 | 2 | 3
    timestep_spacing: Literal["leading", "trailing", "linspace"] = "trailing",
    clip_sample=True,  # clip the predicted image to [-1, 1] at each step
    # of a class-conditional model (selfloop/guidance.py)
    guidance_scale=1.0,  # w: 1 is no guidance
    guidance_schedule: Literal["constant", "linear", "exponential", "interval"] = "constant",
    guidance_rate=5.0,  # exponential
    guidance_interval=(0.0, 1.0),  # interval: shares of T, 0 no noise, 1 pure noise
) -> Callable:
    """Return `sample(seeds) -> uint8 B x C x H x W`; of a class-conditional model, `sample(seeds, labels)`.

    `model` are the `generator.params` the weights were made with. `sample.evaluations()` is the number of evaluations
    of the network so far, each of one image.
    """
    import torch

    settings = _train_defaults() | model
    num_classes = settings["num_classes"]
    network = make_network(shape, *(settings[name] for name in _NETWORK), 0, device)
    network.load_state_dict({name: torch.as_tensor(v) for name, v in weights.items() if name != "class_counts"})
    network.eval().requires_grad_(False)
    if precision == "bf16" and not _on_gpu(device):
        network.bfloat16()  # once; autocast would do it at every evaluation
    dtype = network.conv_in.weight.dtype
    forward = _faster(network, compile, device)
    process = Sampler(sampler, eta, solver_order, clip_sample, timestep_spacing=timestep_spacing,
                      prediction_type=settings["prediction_type"], num_train_timesteps=settings["num_train_timesteps"],
                      beta_schedule=diffusers_betas(settings["beta_schedule"]))  # fmt: skip
    guidance = Guidance(guidance_scale, guidance_schedule, guidance_rate, guidance_interval,
                        settings["num_train_timesteps"])  # fmt: skip
    if num_classes is None and guidance_scale != 1:
        raise UserError(f"sampling.params.guidance_scale: {guidance_scale} guides towards a class, and this model has "
                        "none: set generator.params.num_classes")  # fmt: skip
    precise = autocast(device, precision)

    predictors = {}  # batch size -> the network, on a GPU as one graph
    evaluated = Counter()

    def evaluate(x, t, *classes):
        with precise:
            return forward(x.to(dtype), t, *classes, return_dict=False)[0].float()

    def predict(*inputs):
        n = len(inputs[0])
        if n not in predictors:
            predictors[n] = Replay(evaluate, *inputs) if _on_gpu(device) else evaluate
        evaluated["images"] += n
        return predictors[n](*inputs)

    @torch.inference_mode()
    def sample(seeds, labels=None):
        classes = None if labels is None else torch.as_tensor(labels, dtype=torch.int64, device=device)
        streams = torch.as_tensor(seeds, device=device) if _on_gpu(device) else seeds
        noise = partial(normal_torch if _on_gpu(device) else _normal_float32, streams, tuple(shape))
        x, times = noise(0), process.set_timesteps(steps)
        on_device = times.to(device)
        for i, t in enumerate(times):
            now = on_device[i].expand(len(x))
            output = predict(x, now) if classes is None else guided(predict, x, now, classes, num_classes, guidance(t))
            x = process.step(output, t, x, noise(i + 1) if process.stochastic else None)
        return to_images(x)

    draw = sample if num_classes is not None else lambda seeds: sample(seeds)
    draw.evaluations = lambda: evaluated["images"]
    return draw


def _normal_float32(seeds, shape, step):
    import torch

    return torch.as_tensor(normal(seeds, shape, step), dtype=torch.float32)


def _on_gpu(device) -> bool:
    return str(device).startswith("cuda")


_NETWORK = ("block_out_channels", "attention", "layers_per_block", "norm_num_groups", "attention_head_dim",
            "mid_attention", "dropout", "zero_init", "num_classes")  # fmt: skip


def make_network(shape, block_out_channels, attention, layers_per_block, norm_num_groups, attention_head_dim,
                 mid_attention, dropout, zero_init, num_classes, seed, device):  # fmt: skip
    """Build the UNet2DModel for C x H x W images with initial weights from `seed`; UserError if it cannot be built."""
    import torch

    channels, height, width = shape
    levels = len(block_out_channels)
    if len(attention) != levels:
        raise UserError(f"generator.params.attention: {len(attention)} entries for {levels} block_out_channels")
    if height % 2 ** (levels - 1) or width % 2 ** (levels - 1):
        raise UserError(f"generator.params.block_out_channels: {levels} resolutions need sides that "
                        f"{2 ** (levels - 1)} divides, the images are {height} x {width}")  # fmt: skip
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
            num_class_embeds=None if num_classes is None else num_classes + 1,  # the last is "no class"
        )
    if zero_init:
        last = [network.conv_out] + [module.conv2 for module in network.modules() if hasattr(module, "conv2")]
        for layer in last:
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    layout = torch.channels_last if _on_gpu(device) else torch.preserve_format
    return torch.nn.Module.to(network, device, memory_format=layout)  # diffusers' own `to` loads its offloading hooks


def _faster(network, compile, device):
    """Return what is called in place of the network: compiled, or on a CPU the same modules with less to do."""
    import torch

    if compile:
        return torch.compile(network)
    if not _on_gpu(device):
        lighten(network)
    return network


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


def _train_defaults():
    return dict(train.__kwdefaults__)
