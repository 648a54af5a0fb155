"""The network of arXiv 2509.16499 (UNet48, 16.0 M parameters), its cost, and what the machine's convolutions reach."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _bench import ROOT, wait_for

PLUGIN = ROOT / "workflow" / "plugins" / "generators" / "ddpm.py"
SHAPE = (3, 32, 32)
PAPER = {  # the plug-in's defaults are the paper's; these spell out what the diffusers loop must share
    "block_out_channels": (48, 48, 96, 96, 192, 192),
    "attention": (False, False, False, False, True, False),
    "layers_per_block": 2,
    "norm_num_groups": 16,
}
SMALL = {"block_out_channels": (16, 32), "attention": (False, False), "layers_per_block": 1, "norm_num_groups": 8}
NETWORKS = {"unet48": PAPER, "small": SMALL}


def diffusers_network(settings: dict, seed: int, device: str):
    """Build the UNet2DModel as a user of diffusers does."""
    from diffusers import UNet2DModel

    torch.manual_seed(seed)
    attention = settings["attention"]
    return UNet2DModel(
        sample_size=SHAPE[1:],
        block_out_channels=settings["block_out_channels"],
        down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attention),
        up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)),
        layers_per_block=settings["layers_per_block"],
        norm_num_groups=settings["norm_num_groups"],
    ).to(device)


def images(n: int) -> np.ndarray:
    """Return uint8 n x 3 x 32 x 32: coloured blobs on coloured grounds, something to learn; the same every time."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:32, 0:32] / 31.0
    centre, size = rng.uniform(0.25, 0.75, (2, n, 1, 1, 1)), rng.uniform(0.1, 0.3, (n, 1, 1, 1))
    blob = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / size**2)
    ground, colour = rng.uniform(0, 255, (2, n, 3, 1, 1))
    return np.round(ground + (colour - ground) * blob).astype(np.uint8)


def cost(network, device: str) -> dict[str, float]:
    """Return of one image forward: GFLOP (multiply and add are two), and millions of elements that layers put out."""
    from torch.utils.flop_counter import FlopCounterMode

    elements = 0

    def count(module, _, output):
        nonlocal elements
        elements += output.numel() if isinstance(output, torch.Tensor) else 0

    hooks = [module.register_forward_hook(count) for module in network.modules() if not any(module.children())]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *SHAPE, device=device), torch.zeros(1, dtype=torch.int64, device=device))
    for hook in hooks:
        hook.remove()
    return {"gflop": counter.get_total_flops() / 1e9, "elements": elements / 1e6}


def convolution_rate(network, batch: int, device: str, precision: str, backward: bool) -> float:
    """Return GFLOP/s over the 3x3 convolutions of the network, each alone on its own shapes and as often as it occurs.

    Forward, and with ``backward`` the two products of the backward pass as well; the better of the two memory layouts.
    """
    shapes = _convolution_shapes(network, batch, device)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    best = 0.0
    for layout in (torch.contiguous_format, torch.channels_last):
        flops = seconds = 0.0
        for (layer, shape), count in shapes.items():
            x = torch.randn(shape, device=device, dtype=dtype).to(memory_format=layout).requires_grad_(backward)
            made = torch.nn.Conv2d(*layer[:2], 3, *layer[2:], bias=False, device=device, dtype=dtype)
            made = made.to(memory_format=layout).requires_grad_(backward)
            seconds += count * _fastest(lambda x=x, f=made: _once(f, x, backward), device)
            out = [(side + 2 * layer[3] - 3) // layer[2] + 1 for side in shape[2:]]
            flops += count * 2 * 9 * layer[0] * layer[1] * batch * out[0] * out[1] * (3 if backward else 1)
        best = max(best, flops / seconds / 1e9)
    return best


def bandwidth(device: str) -> float:
    """Return GB/s read and written together, of copying 256 MiB."""
    source = torch.zeros(2**26, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() * 4 / _fastest(lambda: target.copy_(source), device, repeats=10) / 1e9


def train_plugin(samples: np.ndarray, run, device: str, precision: str, compile: bool, seed: int = 0, **params):
    """Train through the public `train` of the ddpm plug-in, as the stage script does."""
    from selfloop.model import setup_torch
    from selfloop.plugins import call, load_plugin
    from selfloop.team import Team

    given = {"labels": None, "replicate": None, "seed": seed, "run": run, "team": Team(1, device)}
    given |= {"precision": precision, "compile": compile}
    given |= {"device": setup_torch(device, torch.get_num_threads(), False)}
    return call(load_plugin(PLUGIN, "generator").train, given, params, "benchmark", samples)


def load_plugin_sampler(weights, model: dict, device: str, precision: str, compile: bool, shape=SHAPE, **params):
    """Return `sample(seeds) -> images` through the public `load` of the ddpm plug-in, as the stage script does."""
    from selfloop.model import setup_torch
    from selfloop.plugins import call, load_plugin

    given = {"shape": tuple(shape), "model": model, "precision": precision, "compile": compile}
    given |= {"device": setup_torch(device, torch.get_num_threads(), False)}
    return call(load_plugin(PLUGIN, "generator").load, given, params, "benchmark", weights)


def write_png(samples: np.ndarray, folder: Path) -> None:
    """Write one PNG file an image, in the one class folder that an image folder has."""
    from PIL import Image

    (folder / "all").mkdir(parents=True)
    for i, image in enumerate(samples):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / "all" / f"{i:06d}.png")


def _convolution_shapes(network, batch: int, device: str) -> dict[tuple, int]:
    """Return ((in, out, stride, padding), input shape) of every 3x3 convolution, with the number of times it occurs."""
    found: dict[tuple, int] = {}

    def note(module, inputs, _):
        if module.kernel_size == (3, 3):
            layer = (module.in_channels, module.out_channels, module.stride[0], module.padding[0])
            key = layer, (batch, *inputs[0].shape[1:])
            found[key] = found.get(key, 0) + 1

    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    hooks = [module.register_forward_hook(note) for module in convolutions]
    with torch.no_grad():
        network(torch.zeros(1, *SHAPE, device=device), torch.zeros(1, dtype=torch.int64, device=device))
    for hook in hooks:
        hook.remove()
    return found


def _once(layer, x, backward: bool) -> None:
    with torch.set_grad_enabled(backward):
        y = layer(x)
    if backward:
        y.backward(torch.ones_like(y))


def _fastest(function: Callable, device: str, repeats: int = 3) -> float:
    """Return the seconds of the fastest of ``repeats`` calls, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        wait_for(device)
        start = time.perf_counter()
        function()
        wait_for(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])
