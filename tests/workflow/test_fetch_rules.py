"""The rules `fetch_<name>`: runs of their own, in no other job, and the only ones that use a network."""

import functools
import hashlib
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, Checkout

CONTENT = {"a.bin": b"first" * 100, "b.bin": b"second" * 100}


@pytest.fixture
def published(tmp_path) -> Checkout:
    """A workflow whose `mnist` is two small files, on a mirror of this machine's own; and where that is."""
    checkout = Checkout(tmp_path / "checkout")
    files = [("http://example.invalid/" + name, hashlib.sha256(data).hexdigest(), len(data))
             for name, data in CONTENT.items()]  # fmt: skip
    with open(checkout.folder / "workflow/lib/selfloop/sources.py", "a") as handle:
        remotes = ", ".join(f"Remote(*{file!r})" for file in files)
        handle.write(f"\nSOURCES['mnist'] = SOURCES['mnist']._replace(files=({remotes},))\n")
    for name, data in CONTENT.items():
        (tmp_path / "mirror" / "mnist").mkdir(parents=True, exist_ok=True)
        (tmp_path / "mirror" / "mnist" / name).write_bytes(data)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "mirror"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        # The data set of the config is the one to be fetched: that it is not there yet must not stand in the way.
        config = {
            "dataset": {"plugin": "workflow/plugins/datasets/npy.py", "params": {"path": "resources/mnist/a.npy"}},
            "fetch": {"mirror": f"http://127.0.0.1:{server.server_address[1]}/"},
        }
        (checkout.folder / "mine.yaml").write_text(yaml.safe_dump(config))
        yield checkout
        server.shutdown()


def fetch(checkout, *targets):
    return checkout.snakemake("--cores", "1", "--configfile", "mine.yaml", "--", *targets)


def test_fetch_brings_the_files_of_a_mirror_and_does_nothing_twice(published):
    first = fetch(published, "fetch_mnist")
    assert first.returncode == 0, first.stdout + first.stderr
    for name, data in CONTENT.items():
        assert (published.folder / "resources/mnist" / name).read_bytes() == data
        assert f"resources/mnist/{name}: fetched, {len(data)} bytes, SHA-256 as published" in first.stdout
    assert "workflow/plugins/datasets/mnist.py finds them there" in first.stdout
    written = [(published.folder / "resources/mnist" / name).stat().st_mtime_ns for name in CONTENT]
    again = fetch(published, "fetch_mnist")
    assert again.returncode == 0 and again.stdout.count("there already") == 2
    assert written == [(published.folder / "resources/mnist" / name).stat().st_mtime_ns for name in CONTENT]


def test_a_fetch_runs_where_snakemake_runs_and_not_on_the_cluster(published):
    """There is no Slurm here: a job that was submitted would fail."""
    options = ["--profile", "workflow/profiles/slurm", "--configfile", "mine.yaml"]
    done = published.snakemake(*options, "--", "fetch_mnist")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (published.folder / "resources/mnist/a.bin").is_file()


def test_a_fetch_that_fails_says_why_in_one_line(published, tmp_path):
    (tmp_path / "mirror/mnist/b.bin").write_bytes(b"Second" * 100)
    done = fetch(published, "fetch_mnist")
    assert done.returncode != 0
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("ERROR: ")]
    assert len(lines) == 1 and re.search(
        r"/mnist/b\.bin: not the published file: its SHA-256 is [0-9a-f]{64}", lines[0]
    )
    assert [file.name for file in (published.folder / "resources/mnist").iterdir()] == ["a.bin"]


def test_a_fetch_is_a_run_of_its_own(published):
    done = fetch(published, "fetch_mnist", "all")
    assert done.returncode != 0 and "Missing input files for rule all" in done.stdout + done.stderr
    assert not (published.folder / "resources").exists()


def test_a_file_called_fetch_is_not_a_fetch(checkout):
    (checkout.folder / "fetch_mine.yaml").write_text("generations: 1")
    done = checkout.snakemake("-n", "--cores", "1", "--configfile", "fetch_mine.yaml", "--", "train_g1")
    assert done.returncode == 0 and "rule train_g1:" in done.stdout


def test_every_source_has_a_rule_that_no_other_job_asks_for(checkout):
    from selfloop.sources import SOURCES

    names = checkout.snakemake("--list-rules").stdout.split()
    assert {f"fetch_{name}" for name in SOURCES} == {name for name in names if name.startswith("fetch_")}
    assert "fetch" not in checkout.dry_run("all")


def test_nothing_but_the_fetch_script_can_download():
    """No other script or plug-in imports what opens a connection, nor the module that does."""
    modules = r"urllib\.request|http|socket|ssl|requests|huggingface_hub|selfloop\.fetch"
    network = re.compile(rf"^\s*(?:from|import) (?:{modules})", re.M)
    users = {
        str(path.relative_to(ROOT / "workflow"))
        for path in Path(ROOT / "workflow").rglob("*.py")
        if network.search(path.read_text(encoding="utf-8"))
    }
    assert users == {"lib/selfloop/fetch.py", "scripts/fetch.py"}
