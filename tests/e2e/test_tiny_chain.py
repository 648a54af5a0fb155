"""A real chain of diffusion models on digits, as small as it can be: bytes, kills, reruns, shards."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ROOT, Checkout

CONFIG = "tiny.yaml"


def contents(folder: Path) -> dict[str, bytes]:
    """Return all result files but logs, timings and pictures."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    skipped = {"logs", "benchmarks", "figures"}
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if not skipped & set(p.parts)}


@pytest.fixture(scope="module")
def finished(checkout) -> Checkout:
    done = checkout.run("all", config=CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout


def test_everything_promised_is_there(finished):
    results = finished.folder / "results"
    for folder in ("gen3", "greedy/gen3", "subsample/gen3"):
        for name in ("model/weights.safetensors", "model/model.json", "samples/part-0000.npy", "training_set.parquet",
                     "samples/part-0000.parquet", "embeddings/classifier/part-0000.parquet", "fid.json", "metrics.json",
                     "histograms.json", "logs/train.log", "logs/loss.tsv", "benchmarks/train.tsv",
                     "benchmarks/train.json"):  # fmt: skip
            assert (results / folder / name).is_file(), (folder, name)
    assert not (results / "gen3/selection.parquet").exists() and (results / "gen2/selection.parquet").exists()
    assert not list(results.rglob("*.checkpoint")) and not list(results.rglob("*.tmp"))
    for name in ("metrics.csv", "summary.csv", "summary.html", "config.resolved.yaml", "figures/curves.png",
                 "figures/grid_g3.png", "explorer.html"):  # fmt: skip
        assert (results / name).is_file(), name
    for name in ("fd", "gs", "entropy", "entropy_gs", "trace_gs", "real_share", "pca", "evolution", "nearest_g3"):
        for ending in ("png", "svg", "pdf"):
            assert (results / f"figures/{name}.{ending}").is_file(), (name, ending)
    fid = json.loads((results / "gen3/fid.json").read_text())
    assert fid["label"] == "FD (classifier)" and fid["n_generated"] == fid["n_reference"] == 64
    header, *rows = (results / "metrics.csv").read_text().splitlines()
    assert header == "arm,seed,generation,metric,value,n,n_reference,space,distance"
    assert {row.split(",")[0] for row in rows} == {"main", "greedy", "subsample"}
    shared = [[row.split(",", 1)[1] for row in rows if row.startswith(f"{arm},0,1,")] for arm in ("main", "greedy")]
    assert shared[0] and shared[0] == shared[1], "generation 1 is shared and stands in the table for every arm"


@pytest.mark.parametrize(
    ("stage", "work"),
    [
        ("train", {"images": 640}),
        ("sample/part-0000", {"images": 128, "network_evaluations": 3 * 128}),
        ("embed/part-0000", {"images": 2 * 128}),  # two feature spaces
        ("select", {"candidates": 128}),
        ("evaluate", {"images": 64, "GB_of_distances": None}),
    ],
)
def test_every_stage_keeps_and_prints_its_throughput(finished, stage, work):
    folder = finished.folder / "results/gen2"
    record = json.loads((folder / f"benchmarks/{stage}.json").read_text())
    log = (folder / f"logs/{stage}.log").read_text()
    for unit, amount in work.items():
        assert record[unit] == amount or (amount is None and record[unit] > 0)
        assert record[f"{unit}_per_second"] > 0 and f" {unit.replace('_', ' ')}/s" in log


def test_the_same_command_again_does_nothing(finished):
    again = finished.run("all", config=CONFIG)
    assert "Nothing to be done" in again.stdout + again.stderr


def test_another_folder_gives_the_same_bytes(finished, tmp_path):
    other = Checkout(tmp_path)
    done = other.run("results/gen3/fid.json", config=CONFIG)
    assert done.returncode == 0, done.stderr
    mine, theirs = contents(other.folder / "results"), contents(finished.folder / "results")
    different = [name for name in mine if name != "config.resolved.yaml" and mine[name] != theirs[name]]
    assert not different


def test_a_deleted_generation_comes_back_to_the_byte(finished):
    before = contents(finished.folder / "results")
    names = ("model/weights.safetensors", "model/model.json", "samples/part-0000.npy", "samples/part-0000.parquet")
    for name in names:
        (finished.folder / "results/gen2" / name).unlink()
    done = finished.run(*[f"results/gen2/{name}" for name in names], config=CONFIG)
    assert done.returncode == 0, done.stderr
    assert contents(finished.folder / "results") == before
    after = finished.dry_run("results/gen3/fid.json", config=CONFIG)
    assert "Nothing to be done" in after, "the cascade stops where the bytes are the same"


def test_a_changed_selector_reruns_from_the_first_choice_on_and_a_touched_one_nothing(finished):
    script = finished.folder / "workflow/plugins/selectors/random.py"
    script.touch()
    assert "Nothing to be done" in finished.dry_run("results/gen3/fid.json", config=CONFIG)
    text = script.read_text()
    try:
        script.write_text(text + "# another rule\n")
        said = finished.dry_run("results/gen3/fid.json", config=CONFIG)
        assert "select_g1 " in said and "train_g2 " in said
        assert not re.search(r"^(train_g1|sample_g1|embed_g1|evaluate_g1|select_g0) ", said, re.MULTILINE)
    finally:
        script.write_text(text)


def test_an_edit_of_the_library_or_of_a_stage_script_reruns_nothing(finished):
    for name in ("lib/selfloop/selection.py", "lib/selfloop/diffusion.py", "scripts/train.py"):
        with open(finished.folder / "workflow" / name, "a") as handle:
            handle.write("# a comment\n")
    assert "Nothing to be done" in finished.dry_run("results/gen3/fid.json", config=CONFIG)


def test_shards_do_not_change_a_byte(finished, tmp_path):
    other = Checkout(tmp_path)
    sharded = (
        (ROOT / "tests/e2e/tiny.yaml")
        .read_text()
        .replace("batch_size: 32, params", "batch_size: 32, shards: 3, params")
    )
    assert sharded.count("shards: 3") == 1
    (tmp_path / "sharded.yaml").write_text(
        sharded.replace("embedder: {batch_size: 64", "embedder: {shards: 2, batch_size: 64")
    )
    done = other.snakemake("--cores", "2", "--configfile", "sharded.yaml", "--", "results/gen1/fid.json")
    assert done.returncode == 0, done.stderr
    for name in ("samples/part-0000.npy", "samples/part-0000.parquet", "embeddings/classifier/part-0000.parquet",
                 "metrics.json"):  # fmt: skip
        mine, theirs = (folder / "results/gen1" / name for folder in (other.folder, finished.folder))
        assert mine.read_bytes() == theirs.read_bytes(), name
    assert not list((other.folder / "results/gen1").rglob("shards/*.npy"))


def test_two_changes_at_once_leave_no_stale_number(finished):
    """A plug-in that trains the same model again, and a changed evaluation. (Last: it changes numbers.)"""
    numbers = [finished.folder / f"results/gen{g}/metrics.json" for g in (1, 2, 3)]
    before = [path.read_bytes() for path in numbers]
    plugin = finished.folder / "workflow/plugins/generators/ddpm.py"
    plugin.write_text(plugin.read_text() + "# the same model\n")
    (finished.folder / "changed.yaml").write_text(
        (ROOT / "tests/e2e/tiny.yaml").read_text().replace("kid_subsets: 5", "kid_subsets: 5, kid_subset_size: 10")
    )
    for _ in range(2):
        done = finished.snakemake("--cores", "2", "--configfile", "changed.yaml", "--", "results/gen3/fid.json")
        assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr
    for path, old in zip(numbers, before, strict=True):
        kid = {row["metric"]: row["value"] for row in json.loads(path.read_text()) if row["metric"].startswith("kid")}
        was = {row["metric"]: row["value"] for row in json.loads(old) if row["metric"].startswith("kid")}
        assert kid["kid_std"] != was["kid_std"], path


def _start(checkout: Checkout) -> subprocess.Popen:
    command = checkout.command("results/gen1/model/weights.safetensors", config="slow.yaml", cores=1)
    return subprocess.Popen(command, cwd=checkout.folder, env=checkout.environment(), start_new_session=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip


def _wait_for(path: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.02)


def _kill_training(process: subprocess.Popen) -> None:
    """Kill -9 the training alone; snakemake lives on and cleans up."""
    found = subprocess.run(["pgrep", "-s", str(process.pid), "-f", "train.py"], capture_output=True, text=True).stdout
    for pid in found.split():
        os.kill(int(pid), signal.SIGKILL)
    process.wait(60)


def _kill_everything(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    found = subprocess.run(["pgrep", "-s", str(process.pid)], capture_output=True, text=True).stdout
    for pid in found.split():
        os.kill(int(pid), signal.SIGKILL)
    process.wait(60)


@pytest.mark.parametrize("kill", [_kill_training, _kill_everything])
def test_a_killed_training_resumes_and_ends_in_the_same_weights(tmp_path, kill):
    weights = "results/gen1/model/weights.safetensors"
    killed, whole = Checkout(tmp_path / "killed"), Checkout(tmp_path / "whole")
    assert whole.run(weights, config="slow.yaml", cores=1).returncode == 0
    process = _start(killed)
    _wait_for(killed.folder / "results/gen1/model.checkpoint/checkpoint.pt", process)
    kill(process)
    assert not (killed.folder / weights).exists() and (killed.folder / "results/gen1/model.checkpoint").exists()
    done = killed.run(weights, config="slow.yaml", cores=1)
    if done.returncode and "--unlock" in done.stdout + done.stderr:
        killed.snakemake("--unlock", "--cores", "1")
        done = killed.run(weights, config="slow.yaml", cores=1)
    assert done.returncode == 0, done.stderr
    assert "resuming from the checkpoint at step" in done.stdout + done.stderr
    for name in ("model/weights.safetensors", "model/model.json", "logs/loss.tsv"):
        a, b = ((c.folder / "results/gen1" / name).read_bytes() for c in (killed, whole))
        assert a == b, name
