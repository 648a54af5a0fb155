"""Several processes train one model as one does: the real stage script, on the CPU, in two processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from selfloop.contracts import make_table
from selfloop.files import write_table
from selfloop.samples import write_samples
from selfloop.team import Team

HOME = Path(__file__).parents[2] / "workflow"
PARAMS = {"block_out_channels": [8, 16], "attention": [False, False], "layers_per_block": 1, "norm_num_groups": 4,
          "mid_attention": False, "nimg": 30 * 15, "batch_size": 15, "learning_rate": 0.002, "warmup_steps": 5,
          "ema_decay": 0.9, "checkpoint_every": 10}  # fmt: skip


@pytest.fixture
def train(tmp_path):
    """Return a function that runs train.py on 40 made-up images and returns its result."""
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    ids = [f"g0-{i:06d}" for i in range(40)]
    write_samples(tmp_path / "part-0000.npy", images, {}, sample_id=ids, index=range(40))
    table = make_table("training_set", sample_id=ids, generation=[0] * 40, index=range(40))
    write_table(tmp_path / "training_set.parquet", table, "training_set")

    def run(name, processes, generator="ddpm", start=None, **params):
        options = {
            "generator": HOME / f"plugins/generators/{generator}.py",
            "params": json.dumps(PARAMS | params if generator == "ddpm" else params),
            "training-set": tmp_path / "training_set.parquet",
            "samples": tmp_path / "part-0000.npy",
            "generation": 1,
            "seed": 0,
            "results-version": 1,
            "processes": processes,
            "loss": tmp_path / name / "loss.tsv",
            "output": tmp_path / name / "model/weights.safetensors",
        }
        words = [word for option, value in options.items() for word in (f"--{option}", str(value))]
        command = [sys.executable, str(HOME / "scripts/train.py"), *words]
        return start(command) if start else subprocess.run(command, capture_output=True, text=True)

    return run


def weights(tmp_path, name):
    return load_file(tmp_path / name / "model/weights.safetensors")


def losses(tmp_path, name):
    return np.loadtxt(tmp_path / name / "loss.tsv", skiprows=1)[:, 1]


def test_two_processes_train_what_one_does(train, tmp_path):
    """An odd batch, so that the shares are unequal. Sums are in another order: float32 rounding, grown by 30 steps."""
    for name, processes in (("one", 1), ("two", 2), ("again", 2)):
        done = train(name, processes)
        assert done.returncode == 0, done.stderr
    one, two = weights(tmp_path, "one"), weights(tmp_path, "two")
    moved = max(np.abs(one[name] - value).max() for name, value in two.items())
    assert 0 < moved < 2e-3  # the learning rate is 2e-3 a step
    assert np.allclose(losses(tmp_path, "one"), losses(tmp_path, "two"), rtol=1e-3)
    files = [(tmp_path / name / "model/weights.safetensors").read_bytes() for name in ("two", "again")]
    assert files[0] == files[1], "two processes, twice: other bytes"


def test_a_killed_team_leaves_nobody_and_goes_on_from_its_checkpoint(train, tmp_path):
    assert train("whole", 2, nimg=150 * 15).returncode == 0
    process = train("killed", 2, nimg=150 * 15, start=subprocess.Popen)
    checkpoint = tmp_path / "killed/model.checkpoint/checkpoint.pt"
    for _ in range(600):
        if checkpoint.exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(100):
        if not _running(str(tmp_path / "killed/model")):
            break
        time.sleep(0.1)
    assert not _running(str(tmp_path / "killed/model")), "the second process is still there"
    resumed = train("killed", 2, nimg=150 * 15)
    assert resumed.returncode == 0 and resumed.stderr.count("resuming from the checkpoint at step") == 1
    files = [(tmp_path / name / "model/weights.safetensors").read_bytes() for name in ("whole", "killed")]
    assert files[0] == files[1]


def test_a_team_fails_as_a_whole(train):
    wrong = train("wrong", 2, batch_size=16, norm_num_groups=5)
    assert wrong.returncode == 2 and "norm_num_groups: 5 does not divide 8 channels" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    alone = train("alone", 2, generator="gaussian")
    assert alone.returncode == 2 and "so it trains in one process: set train_processes to 1" in alone.stderr


@pytest.mark.parametrize(("n", "size"), [(15, 2), (7, 3), (64, 5)])
def test_shares_are_the_batch(n, size, monkeypatch):
    rows = []
    for r in range(size):
        monkeypatch.setenv("SELFLOOP_TEAM_RANK", str(r))
        rows += list(range(n))[Team(size, "cpu").share(n)]
    assert rows == list(range(n))


def _running(text):
    """Return the live processes whose command line has ``text``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in entry.read_text() and int(entry.parent.name) != os.getpid():
                found.append(entry.parent.name)
        except OSError:
            continue
    return found
