"""A small chain on a real Slurm cluster, through workflow/profiles/slurm.

Needs a cluster that takes jobs from here, with nothing else of this user on it. On a machine of one's own, as root:

    tests/slurm/cluster.sh up && SELFLOOP_SLURM=1 python -m pytest tests/slurm; tests/slurm/cluster.sh down
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ROOT, Checkout

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(os.environ.get("SELFLOOP_SLURM") != "1", reason="no Slurm cluster (set SELFLOOP_SLURM=1)"),
]
SOON = ("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2")  # short jobs


def _profile(config: Path, target: str) -> list[str]:
    return ["--profile", "workflow/profiles/slurm", *SOON, "--configfile", str(config), "--", target]


def _all_jobs() -> str:
    return subprocess.run(["squeue", "-h", "-o", "%A %T %k"], capture_output=True, text=True, check=True).stdout


@pytest.fixture(autouse=True)
def cluster():
    assert shutil.which("sbatch"), "SELFLOOP_SLURM=1, but sbatch is not on the path"
    yield
    subprocess.run(["scancel", "-u", str(os.getuid())], check=False)


def test_a_chain_runs_as_cluster_jobs(checkout):
    target = "results/gen2/fid.json"
    done = checkout.snakemake(*_profile(ROOT / "tests/slurm/small.yaml", target))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SLURM" in done.stdout + done.stderr
    assert (checkout.folder / target).is_file()


def test_a_cancelled_training_is_submitted_again_and_ends_in_the_same_weights(tmp_path):
    weights, config = "results/gen1/model/weights.safetensors", ROOT / "tests/e2e/slow.yaml"
    whole, cancelled = Checkout(tmp_path / "whole"), Checkout(tmp_path / "cancelled")
    assert whole.run(weights, config="slow.yaml").returncode == 0
    said = tmp_path / "said"
    with said.open("w") as file:
        command = [*cancelled.command()[:3], *_profile(config, weights)]
        head = subprocess.Popen(command, cwd=cancelled.folder, env=cancelled.environment(), stdout=file, stderr=file)
        checkpoint = cancelled.folder / "results/gen1/model.checkpoint/checkpoint.pt"
        deadline = time.monotonic() + 240
        while not checkpoint.exists():
            assert head.poll() is None and time.monotonic() < deadline, said.read_text()
            time.sleep(0.05)
        running = [line.split()[0] for line in _all_jobs().splitlines() if "RUNNING" in line and "train_g1" in line]
        assert len(running) == 1, _all_jobs()
        subprocess.run(["scancel", running[0]], check=True)
        assert head.wait(240) == 0, said.read_text()
    for name in ("model/weights.safetensors", "model/model.json", "logs/loss.tsv"):
        a, b = ((c.folder / "results/gen1" / name).read_bytes() for c in (cancelled, whole))
        assert a == b, name
    assert "resuming from the checkpoint at step" in (cancelled.folder / "results/gen1/logs/train.log").read_text()
