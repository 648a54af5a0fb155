"""Sampling: ours beside diffusers' DDPMPipeline for each network evaluation; and how few evaluations will do.

    python benchmarks/bench_sampling.py --write                                # two CPU threads
    python benchmarks/bench_sampling.py --device cuda --compile --write        # one GPU
    python benchmarks/bench_sampling.py --evaluations 10 20 50 100 250 1000 --seeds 3 --write

First table: the UNet48 of arXiv 2509.16499 with random weights, ancestral sampling, the time of one call over the
number of evaluations; each row in a process of its own, after a first call that is not counted. The pipeline runs as
people run it: in float32, with fp16 weights, and under bf16 autocast.

Second table: a trained model, each sampler at each number of evaluations, and the Frechet distance of its samples from
held-out real images in the space of a classifier that was fitted on the others: FD (classifier), not FID. The model is
that of the default experiment on the digits, or (--data) the paper's on images of your own: an .npz with ``samples``
uint8 N x C x H x W and ``labels`` int N, of which the last fifth is held out.
"""

import argparse
import contextlib
import itertools
import json
import subprocess
import sys
import time

from _bench import ROOT, keep, machine, peak_device_mib, reset_peak, table, wait_for

SAMPLERS = ("ddpm", "ddim", "dpmsolver++")


def one(a, method: str, precision: str, batch: int) -> dict:
    """Sample by one method in this process: milliseconds of an evaluation, images times evaluations a second, MiB."""
    import torch

    torch.set_num_threads(a.threads)
    make = pipeline if method == "DDPMPipeline" else ours
    reset_peak()
    sample = make(a, precision, method == "ours, compiled")
    sample(batch)
    wait_for(a.device)
    start = time.perf_counter()
    sample(batch)
    wait_for(a.device)
    seconds = (time.perf_counter() - start) / a.steps
    return {"ms": 1000 * seconds, "rate": batch / seconds, "mib": peak_device_mib(a.device)}


def pipeline(a, precision: str, compile: bool):
    """Return `sample(batch)` of diffusers' pipeline: fp16 weights, or bf16 autocast (it cannot return bf16)."""
    import torch
    from _unet48 import NETWORKS, diffusers_network
    from diffusers import DDPMPipeline, DDPMScheduler

    network = diffusers_network(NETWORKS[a.network], 0, a.device)
    made = DDPMPipeline(network.half() if precision == "fp16" else network, DDPMScheduler(1000))
    generator = torch.Generator(a.device).manual_seed(0)

    def sample(batch):
        with torch.autocast(a.device, torch.bfloat16, enabled=precision == "bf16"):
            return made(batch, generator, num_inference_steps=a.steps, output_type="np").images

    return sample


def ours(a, precision: str, compile: bool):
    """Return `sample(batch)` of the ddpm plug-in."""
    import numpy as np
    from _unet48 import NETWORKS, diffusers_network, load_plugin_sampler

    settings = NETWORKS[a.network]
    weights = diffusers_network(settings, 0, "cpu").state_dict()

    draw = load_plugin_sampler(weights, settings, a.device, precision, compile, sampler="ddpm", steps=a.steps)
    return lambda batch: draw(np.arange(batch))


def run(a, *what: str) -> dict:
    """Run this script for one row in a process of its own and return what it prints."""
    command = [sys.executable, __file__, "--one", *what]
    for name in ("steps", "device", "threads", "network"):
        command += [f"--{name}", str(getattr(a, name))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(what)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def speed_table(a) -> str:
    """Measure every method at every precision and batch size."""
    methods = ("DDPMPipeline", "ours", *(["ours, compiled"] if a.compile else []))
    rows = []
    for batch in a.batches:
        best: dict[tuple, dict] = {}
        for _ in range(a.repeats):  # in turn: another user of the machine slows all of them
            for row in itertools.product(a.precisions, methods):
                found = run(a, row[1], row[0], str(batch))
                best[row] = max(found, best.get(row, found), key=lambda each: each["rate"])
        for (precision, method), found in best.items():
            ratios = [f"{found['rate'] / best[p, methods[0]]['rate']:.2f}" for p in (precision, a.precisions[0])]
            rows.append([method, precision, batch, f"{found['ms']:,.1f}", f"{found['rate']:,.0f}", *ratios,
                         f"{found['mib']:,.0f}"])  # fmt: skip
    head = ["sampler", "precision", "batch", "ms an evaluation", "images x evaluations / s", "ratio, same precision",
            f"ratio to the pipeline in {a.precisions[0]}", "peak memory, MiB"]  # fmt: skip
    text = f"{a.network}, ancestral sampling, {a.steps} evaluations, the fastest of {a.repeats} processes."
    return f"{text}\n\n{table(head, rows)}"


def trained(a, seed: int):
    """Train one model; return (train images, labels, held-out images, weights, settings)."""
    import numpy as np
    from _unet48 import PAPER, train_plugin

    if a.data:
        with np.load(a.data) as data:
            samples, labels = data["samples"], data["labels"]
        kept, settings = len(samples) * 4 // 5, dict(PAPER)
    else:
        from selfloop.plugins import load_plugin

        data = load_plugin(ROOT / "workflow/plugins/datasets/digits.py", "dataset").load(seed=0)["train"]
        mixed = np.random.default_rng(0).permutation(len(data["samples"]))
        samples, labels, kept = data["samples"][mixed], data["labels"][mixed], 600
        settings = default_settings()
    settings |= {"nimg": a.nimg} if a.nimg else {}
    weights = train_plugin(samples[:kept], Silent(), a.device, a.precision, False, seed=seed, **settings)
    return samples[:kept], labels[:kept], samples[kept:], weights, settings


def default_settings() -> dict:
    """Return generator.params of the default experiment."""
    import yaml

    return yaml.safe_load((ROOT / "config.yaml").read_text())["generator"]["params"]


class Silent:
    """A run that keeps nothing."""

    def progress(self, step, total, *, loss=None, nimg=1):
        """Say nothing."""

    def load_checkpoint(self):
        """Begin anew."""

    def save_checkpoint(self, state):
        """Keep nothing."""


def quality_table(a) -> str:
    """Train, sample by every sampler at every number of evaluations, and measure the Frechet distance."""
    import numpy as np
    import torch

    torch.set_num_threads(a.threads)
    found: dict[tuple, list] = {}
    for seed in range(a.seeds):
        train, labels, heldout, weights, settings = trained(a, seed)
        embed = classifier(train, labels, a.device)
        real = embed(heldout)
        found.setdefault(("real images", "train"), []).append((distance(embed(train), real), np.nan))
        for sampler in SAMPLERS:
            for steps in a.evaluations:
                with contextlib.redirect_stderr(None):
                    samples, seconds = drawn(a, weights, settings, train.shape[1:], sampler, steps, seed)
                found.setdefault((sampler, steps), []).append((distance(embed(samples), real), seconds))
    rows = []
    for (sampler, steps), values in found.items():
        fd, seconds = np.array(values).T
        spread = f" ± {fd.std(ddof=1):.1f}" if len(fd) > 1 else ""
        rows.append([sampler, steps, f"{fd.mean():.1f}{spread}", f"{1000 * seconds.mean() / a.n:.2f}"])
    what = "the paper's network on images of your own" if a.data else "the default experiment's network on 600 digits"
    text = f"{what}, {a.seeds} model(s), {a.n} samples against {len(heldout):,} held-out images, {a.precision}."
    return f"{text}\n\n{table(['sampler', 'evaluations', 'FD (classifier)', 's for 1,000 images'], rows)}"


def drawn(a, weights, settings, shape, sampler: str, steps: int, seed: int):
    """Return (uint8 n x C x H x W, seconds)."""
    import numpy as np
    from _unet48 import load_plugin_sampler

    from selfloop.batches import in_batches

    spacing = {"dpmsolver++": "linspace"}.get(sampler, "trailing")
    draw = load_plugin_sampler(weights, settings, a.device, a.precision, False, shape=shape, sampler=sampler,
                               steps=steps, timestep_spacing=spacing)  # fmt: skip
    start = time.perf_counter()
    samples = in_batches(draw, {"seeds": np.arange(a.n) + 10**6 * (seed + 1)}, min(256, a.n))
    return samples, time.perf_counter() - start


def classifier(images, labels, device: str):
    """Fit the shipped classifier and return its `embed`."""
    from selfloop.plugins import load_plugin

    plugin = load_plugin(ROOT / "workflow/plugins/embedders/classifier.py", "embedder")
    return plugin.load(state=plugin.fit(images, labels, seed=0, device=device), device=device)


def distance(features, real) -> float:
    """Return the Frechet distance of two sets of features."""
    from selfloop.distribution import frechet_distance, statistics

    return frechet_distance(statistics(features), statistics(real))


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    p.add_argument("--precisions", nargs="+", help="of the first table; default: fp32 bf16, and fp16 on a GPU")
    p.add_argument("--batches", type=int, nargs="+", help="default: 32 128, on a GPU 16 256 1024")
    p.add_argument("--steps", type=int, help="evaluations that are timed (default: 4, on a GPU 50)")
    p.add_argument(
        "--repeats", type=int, default=3, help="processes of each row, in turn with the other rows; the fastest counts"
    )
    p.add_argument("--threads", type=int, default=2, help="CPU threads of both")
    p.add_argument("--compile", action="store_true", help="ours with torch.compile as well")
    p.add_argument("--network", choices=["unet48", "small"], default="unet48", help="of the first table")
    p.add_argument("--evaluations", type=int, nargs="*", default=[10, 20, 50], help="of the second table; or none")
    p.add_argument("--n", type=int, default=600, help="samples of the second table")
    p.add_argument("--seeds", type=int, default=1, help="models of the second table, from seed 0")
    p.add_argument("--nimg", type=int, help="images they see in training (default: the config's, the paper's)")
    p.add_argument("--precision", default="fp32", help="of the second table")
    p.add_argument("--data", help="real images for the second table, .npz (default: the digits)")
    p.add_argument("--no-speed", action="store_true", help="the second table alone")
    p.add_argument("--write", action="store_true", help="write the tables to benchmarks/results/ as well")
    p.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    a = p.parse_args()
    cuda = a.device == "cuda"
    a.precisions = a.precisions or (["fp32", "bf16", "fp16"] if cuda else ["fp32", "bf16"])
    a.batches = a.batches or ([16, 256, 1024] if cuda else [32, 128])
    a.steps = a.steps or (50 if cuda else 4)
    return a


def main():
    a = arguments()
    if a.one:
        print(json.dumps(one(a, *a.one[:2], int(a.one[2]))))
        return
    parts = ["# Sampling", machine(a.threads, a.device, ("torch", "diffusers", "numpy"))]
    parts += [] if a.no_speed else [speed_table(a)]
    parts += [quality_table(a)] if a.evaluations else []
    keep(f"sampling_{a.device}", "\n\n".join(parts), a.write)


if __name__ == "__main__":
    main()
