"""On a GPU: one graph is the step itself, nothing waits, the same bytes twice, and images as a CPU makes them."""

import numpy as np
import pytest
import torch

from selfloop import descent as descent_module
from selfloop.model import setup_torch
from selfloop.plugins import load_plugin
from selfloop.seeds import item_seeds, normal, normal_torch
from selfloop.team import Team

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU"),
]
DDPM = load_plugin("workflow/plugins/generators/ddpm.py", "generator")
SMALL = {"block_out_channels": [32, 64], "attention": [False, True], "layers_per_block": 1, "norm_num_groups": 8,
         "nimg": 64 * 60, "batch_size": 64, "learning_rate": 0.001, "warmup_steps": 5, "ema_decay": 0.99,
         "checkpoint_every": 20}  # fmt: skip
IMAGES = np.random.default_rng(0).integers(0, 256, (500, 3, 16, 16), dtype=np.uint8)


class _Run:
    def __init__(self, checkpoint=None, watch=False):
        self.checkpoint, self.saved, self.losses, self.watch = checkpoint, [], [], watch

    def load_checkpoint(self):
        return self.checkpoint

    def save_checkpoint(self, state):
        torch.cuda.set_sync_debug_mode("default")
        self.saved.append(_copied(state))

    def progress(self, step, total, *, loss=None, nimg=1):
        self.losses.append(loss)
        if self.watch:  # from the second step on: the first records the graph
            torch.cuda.set_sync_debug_mode("error" if step < total else "default")


def _copied(value):
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list | tuple) else value


def train(run=None, precision="bf16", compile=False, deterministic=True, labels=None, **params):
    device = setup_torch("cuda", 1, deterministic)
    weights = DDPM.train(IMAGES, labels=labels, seed=1, device=device, precision=precision, compile=compile,
                         run=run or _Run(), team=Team(1, device), **SMALL | params)  # fmt: skip
    return {name: value.detach().cpu().numpy() for name, value in weights.items()}


def equal(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_same_training_twice_gives_the_same_bytes(precision):
    assert equal(train(precision=precision), train(precision=precision))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_one_graph_is_the_step_itself(monkeypatch, precision):
    """The recorded kernels are those of the plain step, so that nothing differs, to the bit."""
    recorded = train(precision=precision, horizontal_flips=True)

    class Plain:
        def __init__(self, function, *_, before_recording=None):
            self.function, self.clear = function, before_recording

        def __call__(self, *inputs):
            if self.clear:
                self.clear()
            return self.function(*inputs)

    monkeypatch.setattr(descent_module, "Replay", Plain)
    assert equal(recorded, train(precision=precision, horizontal_flips=True))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_resumed_training_ends_in_the_same_weights(precision):
    run = _Run()
    whole = train(run, precision)
    assert [state["step"] for state in run.saved] == [20, 40]
    assert equal(whole, train(_Run(run.saved[1]), precision))


def test_no_step_waits_for_the_gpu():
    try:
        train(_Run(watch=True), precision="fp16", checkpoint_every=10_000)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_half_precision_and_compilation_learn_the_same():
    """Loss of the last 20 steps, against fp32: the same noise and images, so that rounding alone differs."""
    last = {}
    for name, options in {"fp32": {}, "fp16": {}, "bf16": {}, "compiled": {"compile": True}}.items():
        run = _Run()
        train(run, precision="bf16" if name == "compiled" else name, **options)
        last[name] = torch.stack(run.losses[-20:]).mean().item()
    assert all(abs(value / last["fp32"] - 1) < 0.02 for value in last.values()), last


def test_noise_is_the_cpus():
    seeds = item_seeds(4, 300)
    ours = normal_torch(torch.as_tensor(seeds, device="cuda"), (3, 16, 16), 9).cpu().numpy()
    assert np.allclose(ours, normal(seeds, (3, 16, 16), 9), atol=1e-6)


@pytest.mark.parametrize(("sampler", "steps"), [("ddpm", 50), ("ddim", 20), ("dpmsolver++", 10)])
def test_a_gpu_samples_what_a_cpu_samples(sampler, steps):
    """One model, the same noise: fp32 images agree to a few grey levels, whatever the batch."""
    weights = train(precision="fp32")
    seeds = item_seeds(2, 24)
    images = {}
    for device in ("cpu", "cuda"):
        given = {"shape": (3, 16, 16), "model": SMALL, "precision": "fp32", "compile": False}
        sample = DDPM.load(weights, device=device, sampler=sampler, steps=steps, **given)
        images[device] = sample(seeds).astype(int)
    assert np.abs(images["cuda"] - images["cpu"]).max() <= 2
    assert np.array_equal(sample(seeds), images["cuda"])
    assert np.abs(sample(seeds[5:9]).astype(int) - images["cuda"][5:9]).max() <= 1


@pytest.mark.parametrize("guidance_scale", [1.0, 2.0])
def test_a_conditional_model_samples_what_a_cpu_samples(guidance_scale):
    """Labels are in the graphs of training and of sampling; guidance doubles the batch of the second."""
    labels = np.arange(len(IMAGES)) % 3
    weights = train(precision="fp32", labels=labels, num_classes=3)
    assert equal(weights, train(precision="fp32", labels=labels, num_classes=3))
    assert not equal(weights, train(precision="fp32", labels=labels[::-1].copy(), num_classes=3))
    seeds, asked, images = item_seeds(2, 24), np.arange(24) % 3, {}
    for device in ("cpu", "cuda"):
        given = {"shape": (3, 16, 16), "model": SMALL | {"num_classes": 3}, "precision": "fp32", "compile": False}
        sample = DDPM.load(
            weights, device=device, sampler="dpmsolver++", steps=10, guidance_scale=guidance_scale, **given
        )
        images[device] = sample(seeds, labels=asked).astype(int)
    assert np.abs(images["cuda"] - images["cpu"]).max() <= 2
    assert not np.array_equal(sample(seeds, labels=(asked + 1) % 3), images["cuda"])
