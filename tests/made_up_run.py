"""A made-up run of two arms, two seeds and four generations, and the page that explorer.py makes of it."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from selfloop.contracts import make_table
from selfloop.files import write_table
from selfloop.metrics_table import COLUMNS
from selfloop.samples import write_samples

ROOT = Path(__file__).parents[1]
SCRIPT, PAGE = ROOT / "workflow/scripts/explorer.py", ROOT / "workflow/resources/explorer"
GENERATIONS, N = 4, 40


def level(arm: str, seed: int, generation: int) -> int:
    """Return the grey level of all images of a generation: what a test reads back from the screen."""
    return 10 + 40 * generation + 20 * (arm == "greedy") + 5 * seed


def fd(arm: str, seed: int, generation: int) -> float:
    return 10.0 * generation + (3.0 if arm == "greedy" else 0.0) + 2.0 * seed


def write_run(folder: Path, arms=("main", "greedy"), seeds=(0, 1)) -> list[str]:
    """Write samples, training sets and metrics of a run, and return the arguments of explorer.py."""
    chains = [_write_chain(folder / f"{arm}{seed}", arm, seed) for arm in arms for seed in seeds]
    with open(folder / "metrics.csv", "w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        for arm in arms:
            for seed in seeds:
                for g in range(1, GENERATIONS + 1):
                    writer.writerow([arm, seed, g, "fd", fd(arm, seed, g), N, 2 * N, "classifier", ""])
                    writer.writerow([arm, seed, g, "precision", 0.8, N, N, "classifier", ""])
                    writer.writerow([arm, seed, g, "gs", 5 - g, N, N, "pixels", "l2"])
                    writer.writerow([arm, seed, g, "gs_heldout", 6, N, N, "pixels", "l2"])
                    writer.writerow([arm, seed, g, "kid", "" if g == 1 else g - 2.5, N, N, "classifier", ""])
    return [
        "--metrics",
        str(folder / "metrics.csv"),
        "--chains",
        json.dumps(chains),
        "--page",
        *map(str, sorted(PAGE.iterdir())),
    ]


def _write_chain(folder: Path, arm: str, seed: int) -> dict:
    for g in range(GENERATIONS + 1):
        images = np.full((N, 1, 8, 8), level(arm, seed, g), np.uint8)
        images[:, 0, 0, 0] = np.arange(N)  # a corner pixel tells the images apart
        ids = [f"s{g}-{i}" for i in range(N)]
        _write_samples(folder / f"gen{g}/samples.npy", images, g, ids)
        _write_samples(folder / f"tracked/gen{g}.npy", images[:6], 0, ids[:6])
        if g:
            previous = [f"s{g - 1}-{i}" for i in range(N)]
            table = make_table("training_set", sample_id=previous, generation=[g - 1] * N, index=range(N))
            write_table(folder / f"gen{g}/training_set.parquet", table, "training_set")
    every, models = f"0-{GENERATIONS}", f"1-{GENERATIONS}"
    return {
        "arm": arm, "seed": seed, "about": "selection.script: greedy.py" if arm == "greedy" else "", "evaluated": N,
        "pictured": list(range(GENERATIONS + 1)), "samples": {every: f"{folder}/gen*/samples.npy"},
        "training_set": {models: f"{folder}/gen*/training_set.parquet"}, "fresh": {},
        "tracked": {models: f"{folder}/tracked/gen*.npy"},
    }  # fmt: skip


def _write_samples(path: Path, images: np.ndarray, g: int, ids: list[str]) -> None:
    write_samples(path, images, {"stage": "test"}, sample_id=ids, index=range(len(ids)), seed=range(len(ids)))


def make_page(arguments: list[str], output: Path) -> Path:
    """Run explorer.py and return the page."""
    command = [sys.executable, str(SCRIPT), *arguments, "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return output
