"""A training step of the paper's network: ours beside diffusers' train_unconditional loop, in one run.

    python benchmarks/bench_training.py --write                             # two CPU threads, a few steps
    python benchmarks/bench_training.py --device cuda --compile --write     # one GPU

The network is the UNet2DModel of arXiv 2509.16499 (16.0 M parameters, 3x32x32), the batch 128, the optimizer the
paper's. The diffusers loop is examples/unconditional_image_generation/train_unconditional.py in its plainest form: PNG
files in a folder, a DataLoader with its transforms, autocast, AdamW, clipping, loss.item() and a progress bar each
step; without accelerate, whose own work comes on top. Every row is a process of its own: a few steps that are not
counted, then steps that are.

The convolution rate is that of the network's own 3x3 convolutions, each alone on its own shapes, forward and backward;
a step's GFLOP/s are three times those of the forward pass. The memory limit is that of a step which moves every element
that a layer puts out five times (written, read; in the backward pass read again, its gradient written and read) at the
rate of a plain copy. Loss curves: both loops from the same images and the same first weights, with other random draws;
means over fifths of the run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _bench import keep, machine, peak_device_mib, reset_peak, table, wait_for

OPTIMIZER = {"learning_rate": 1e-4, "adam_betas": (0.95, 0.999), "adam_eps": 1e-8, "weight_decay": 1e-6}
CURVE = {"learning_rate": 5e-4}
IMAGES = 2048


class Stopwatch:
    """What both loops tell after each step: when the counted steps began and ended, and their losses."""

    def __init__(self, warmup: int, steps: int, device: str):
        self.warmup, self.total, self.device = warmup, warmup + steps, device
        self.losses, self.seconds = [], 0.0

    def progress(self, step: int, total: int, *, loss, nimg: int = 1) -> None:
        """Take the report of a step; ours calls this as it calls selfloop.run.Run."""
        self.losses.append(loss.detach().clone() if hasattr(loss, "detach") else loss)
        if step in (self.warmup, self.total):
            wait_for(self.device)
            self.seconds = time.perf_counter() - self.seconds

    def load_checkpoint(self):
        """Begin anew."""

    def save_checkpoint(self, state):
        """Keep nothing."""


def diffusers_loop(folder: Path, settings: dict, a, precision: str, watch: Stopwatch) -> None:
    """Train as train_unconditional.py does, for as many steps as ``watch`` counts."""
    import torch
    from _unet48 import diffusers_network
    from diffusers import DDPMScheduler
    from diffusers.optimization import get_scheduler
    from torchvision import datasets, transforms
    from tqdm import tqdm

    from selfloop.seeds import derive

    augmentations = transforms.Compose([
        transforms.Resize(32, interpolation=transforms.InterpolationMode.BILINEAR),
        transforms.CenterCrop(32),
        transforms.ToTensor(),
        transforms.Normalize([0.5], [0.5]),
    ])  # fmt: skip
    dataset = datasets.ImageFolder(folder, augmentations)
    dataloader = torch.utils.data.DataLoader(dataset, a.batch, shuffle=True, num_workers=a.workers, drop_last=True)
    model = diffusers_network(settings, derive(0, "weights", 0), a.device)  # ours begins with the same weights
    optimizer = torch.optim.AdamW(model.parameters(), a.rate, OPTIMIZER["adam_betas"], OPTIMIZER["adam_eps"],
                                  OPTIMIZER["weight_decay"])  # fmt: skip
    rate = get_scheduler("cosine", optimizer, num_warmup_steps=a.warmup_steps, num_training_steps=watch.total)
    noise_scheduler = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    scaler = torch.amp.GradScaler(a.device, enabled=precision == "fp16")
    step, bar = 0, tqdm(total=watch.total, file=sys.stderr)
    while step < watch.total:
        for clean, _ in dataloader:
            clean = clean.to(a.device)
            noise = torch.randn(clean.shape, device=a.device)
            t = torch.randint(0, 1000, (len(clean),), device=a.device).long()
            noisy = noise_scheduler.add_noise(clean, noise, t)
            with torch.autocast(a.device, dtype, enabled=precision != "fp32"):
                output = model(noisy, t).sample
            loss = torch.nn.functional.mse_loss(output.float(), noise.float())
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            rate.step()
            optimizer.zero_grad()
            step += 1
            bar.update(1)
            bar.set_postfix(loss=loss.detach().item(), lr=rate.get_last_lr()[0], step=step)
            watch.progress(step, watch.total, loss=loss.detach().item())
            if step == watch.total:
                break


def one(a, method: str, precision: str) -> dict:
    """Train by one method in this process: images/s, peak MiB, loss of each step."""
    import torch
    from _unet48 import NETWORKS, images, train_plugin, write_png

    torch.set_num_threads(a.threads)
    settings, samples = NETWORKS[a.network], images(a.images)
    watch = Stopwatch(a.warmup, a.steps, a.device)
    reset_peak()
    if method == "diffusers":
        with tempfile.TemporaryDirectory() as folder:
            write_png(samples, Path(folder))
            diffusers_loop(Path(folder), settings, a, precision, watch)
    else:
        optimizer = OPTIMIZER | {"learning_rate": a.rate, "warmup_steps": a.warmup_steps}
        train_plugin(samples, watch, a.device, precision, method == "ours, compiled", **settings, **optimizer,
                     batch_size=a.batch, nimg=watch.total * a.batch, checkpoint_every=10**9)  # fmt: skip
    return {
        "rate": a.steps * a.batch / watch.seconds,
        "mib": peak_device_mib(a.device),
        "losses": [float(loss) for loss in watch.losses],
    }


def limits(a, precisions: list[str]) -> dict:
    """Measure in this process what the machine can do: cost of the network, convolution rates, bandwidth."""
    import torch
    from _unet48 import NETWORKS, bandwidth, convolution_rate, cost, diffusers_network

    torch.set_num_threads(a.threads)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    network = diffusers_network(NETWORKS[a.network], 0, a.device)
    result = cost(network, a.device) | {"bandwidth": bandwidth(a.device)}
    result["parameters"] = sum(p.numel() for p in network.parameters()) / 1e6
    result["convolution"] = {p: convolution_rate(network, a.batch, a.device, p, True) for p in precisions}
    return result


def run(a, *what: str, **changed) -> dict:
    """Run this script for one measurement in a process of its own and return what it prints."""
    options = vars(a) | changed
    names = ("batch", "steps", "warmup", "device", "threads", "workers", "network", "images", "rate", "warmup_steps")
    command = [sys.executable, __file__, "--one", *what]
    command += [word for name in names for word in (f"--{name.replace('_', '-')}", str(options[name]))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(what)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def speed_table(a, precisions: list[str]) -> str:
    """Measure every method at every precision, and the machine; return the table with its explanation."""
    limit = run(a, "limits", ",".join(precisions))
    rows, theirs = [], {}
    for precision in precisions:
        bytes_moved = limit["elements"] * 1e6 * 5 * (4 if precision == "fp32" else 2)
        memory_limit = limit["bandwidth"] * 1e9 / bytes_moved
        for method in ("diffusers", "ours", *(["ours, compiled"] if a.compile else [])):
            found = run(a, method, precision)
            theirs.setdefault(precision, found["rate"])
            reached = 3 * limit["gflop"] * found["rate"]
            rows.append([
                method, precision, f"{found['rate']:,.1f}", f"{found['rate'] / theirs[precision]:.2f}",
                f"{found['rate'] / theirs[precisions[0]]:.2f}", f"{reached:,.0f}",
                f"{reached / limit['convolution'][precision]:.0%}", f"{found['rate'] / memory_limit:.0%}",
                f"{found['mib']:,.0f}",
            ])  # fmt: skip
    convolutions = ", ".join(f"{p} {rate:,.0f}" for p, rate in limit["convolution"].items())
    head = ["loop", "precision", "images/s", "ratio, same precision", f"ratio to diffusers in {precisions[0]}",
            "GFLOP/s", "of the convolution rate", "of the memory limit", "peak memory, MiB"]  # fmt: skip
    text = (f"{a.network}: {limit['parameters']:.2f} M parameters, {limit['gflop']:.3f} GFLOP and "
            f"{limit['elements']:.2f} M elements an image forward; batch {a.batch}, {a.steps} steps after {a.warmup}. "
            f"3x3 convolutions of the network, forward and backward: {convolutions} GFLOP/s. "
            f"Copy: {limit['bandwidth']:,.0f} GB/s read and written.")  # fmt: skip
    return f"{text}\n\n{table(head, rows)}"


def curve_table(a, precision: str) -> str:
    """Train by both loops from the same images and return the table of mean losses over fifths of the run."""
    import numpy as np

    settings = {"batch": a.curve_batch, "steps": a.curve_steps - 1, "warmup": 1, "rate": CURVE["learning_rate"]}
    settings |= {"warmup_steps": a.curve_steps // 10}
    ours, theirs = (np.array(run(a, method, precision, **settings)["losses"]) for method in ("ours", "diffusers"))
    rows, worst = [], 0.0
    for k, (x, y) in enumerate(zip(np.array_split(ours, 5), np.array_split(theirs, 5), strict=True)):
        error = np.sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y))
        worst = max(worst, abs(x.mean() - y.mean()) / error)
        rows.append([f"{k * 20}-{k * 20 + 20} %", f"{x.mean():.4f}", f"{y.mean():.4f}", f"{x.mean() - y.mean():+.4f}",
                     f"{error:.4f}"])  # fmt: skip
    text = (f"Loss curves, {precision}, batch {a.curve_batch}, {a.curve_steps} steps, learning rate "
            f"{CURVE['learning_rate']}: the largest difference is {worst:.1f} standard errors (of one run "
            "each; 5 comparisons, so that up to 3 is noise).")  # fmt: skip
    return f"{text}\n\n{table(['steps', 'ours', 'diffusers', 'difference', 'standard error'], rows)}"


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    p.add_argument("--precisions", nargs="+", help="default: fp32 bf16, and fp16 on a GPU")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--steps", type=int, help="that are counted (default: 3, on a GPU 200)")
    p.add_argument("--warmup", type=int, help="steps before them (default: 1, on a GPU 30)")
    p.add_argument("--threads", type=int, default=2, help="CPU threads of both")
    p.add_argument("--workers", type=int, default=0, help="DataLoader processes of the diffusers loop (its default: 0)")
    p.add_argument("--compile", action="store_true", help="ours with torch.compile as well")
    p.add_argument("--network", choices=["unet48", "small"], default="unet48")
    p.add_argument("--images", type=int, default=IMAGES, help="images to train on")
    p.add_argument("--curve-steps", type=int, help="steps of the loss curves (default: 60, on a GPU 1,000; 0: none)")
    p.add_argument("--curve-batch", type=int, help="their batch (default: 8, on a GPU 128)")
    p.add_argument("--write", action="store_true", help="write the tables to benchmarks/results/ as well")
    p.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    p.add_argument("--rate", type=float, default=OPTIMIZER["learning_rate"], help=argparse.SUPPRESS)
    p.add_argument("--warmup-steps", type=int, default=500, help=argparse.SUPPRESS)
    a = p.parse_args()
    cuda = a.device == "cuda"
    a.precisions = a.precisions or (["fp32", "bf16", "fp16"] if cuda else ["fp32", "bf16"])
    defaults = {"steps": (3, 200), "warmup": (1, 30), "curve_steps": (60, 1000), "curve_batch": (8, 128)}
    for name, values in defaults.items():
        if getattr(a, name) is None:
            setattr(a, name, values[cuda])
    return a


def main():
    a = arguments()
    if a.one:
        what, precision = a.one
        print(json.dumps(limits(a, precision.split(",")) if what == "limits" else one(a, what, precision)))
        return
    head = machine(a.threads, a.device, ("torch", "diffusers", "numpy"))
    parts = ["# Training", head, speed_table(a, a.precisions)]
    if a.curve_steps:
        parts += [curve_table(a, precision) for precision in a.precisions[-1:]]
    name = "training" if a.network == "unet48" else f"training_{a.network}"
    keep(f"{name}_{a.device}", "\n\n".join(parts), a.write)


if __name__ == "__main__":
    main()
