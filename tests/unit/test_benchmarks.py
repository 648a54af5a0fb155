"""Every benchmark runs at toy size and prints a table, so that none rots. No number is looked at: nothing is timed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
TINY = ROOT / "tests/e2e/tiny.yaml"
TOY = {
    "bench_default_job.py": f"--generations 2 --config {TINY}",
    "bench_dry_run.py": "--generations 1 --arms 2 --repeats 1",
    "bench_neighbours.py": "--n 300 --d 8 --threads 1 --repeats 1 --data collapsed",
    "bench_sampling.py": "--network small --batches 2 --precisions fp32 --steps 2 --threads 1 --evaluations 2 --n 16 "
    "--nimg 128",
    "bench_selection.py": "--n 512 --d 8 --threads 1",
    "bench_selection.py --torch": "--n 512 --d 8 --threads 1",
    "bench_selection_million.py": "--sizes 400 800 --d 8 --threads 1",
    "bench_training.py": "--network small --batch 4 --precisions fp32 --steps 1 --warmup 1 --images 8 --threads 1 "
    "--curve-steps 10 --curve-batch 2",
}


@pytest.mark.parametrize("name", TOY)
def test_runs_at_toy_size(name):
    script, *more = name.split()
    command = [sys.executable, BENCHMARKS / script, *more, *TOY[name].split()]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert "cores" in done.stdout, "the machine stands in the head"
    assert "| --- |" in done.stdout


def test_every_benchmark_is_tried():
    assert {path.name for path in BENCHMARKS.glob("bench_*.py")} == {name.split()[0] for name in TOY}
