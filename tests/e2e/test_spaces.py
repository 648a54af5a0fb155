"""Several feature spaces in one chain: each stage reads the one it names, and every number says which it is."""

import pytest
from conftest import ROOT

from selfloop.contracts import features
from selfloop.files import read_json, read_parquet, table_metadata
from selfloop.neighbours import nearest_others

CONFIG = "spaces.yaml"


@pytest.fixture(scope="module")
def results(checkout):
    pytest.importorskip("efficientnet_lite_pytorch")
    done = checkout.run("results/gen1/fid.json", "select_g1", config=CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout.folder / "results"


def test_every_number_says_in_which_space_it_is(results):
    fid = read_json(results / "gen1/fid.json")
    assert fid["label"] == "FD (efficientnet_lite0, 64 px)" and fid["weights_sha256"].startswith("57934424")
    rows = read_json(results / "gen1/metrics.json")
    spaces = {metric: {r["space"] for r in rows if r["metric"] == metric} for metric in ("fd", "precision", "gs")}
    assert spaces == {"fd": {"lite0", "classifier"}, "precision": {"lite0", "classifier"}, "gs": {"pixels"}}
    values = {r["space"]: r["value"] for r in rows if r["metric"] == "fd"}
    assert values["lite0"] == fid["fid"] and values["classifier"] != fid["fid"]


def test_every_file_of_features_says_what_it_is(results):
    named = {}
    for folder in (results / "gen1/embeddings").iterdir():
        metadata = table_metadata(read_parquet(folder / "part-0000.parquet"))
        named[folder.name] = (metadata["extractor"], int(metadata["d"]))
    assert named == {
        "classifier": ("classifier", 64),
        "pixels": ("pixels", 64),
        "small_lite0": ("efficientnet_lite0, 32 px", 1280),
        "lite0": ("efficientnet_lite0, 64 px", 1280),
    }


def test_the_rule_chose_in_the_space_that_it_names(results):
    """Farthest-point sampling in a space leaves chosen items further apart there than in the other one, relatively."""
    chosen = read_parquet(results / "gen1/selection.parquet").column("selected").to_numpy(zero_copy_only=False)
    gain = {}
    for space in ("small_lite0", "pixels"):
        of = features(read_parquet(results / f"gen1/embeddings/{space}/part-0000.parquet"))
        gain[space] = nearest_others(of[chosen], 1)[0].min() / nearest_others(of, 1)[0].min()
    assert gain["small_lite0"] > gain["pixels"] >= 1


def test_the_command_of_the_rule_names_one_space(results, checkout):
    config = str(ROOT / "tests/e2e" / CONFIG)
    said = checkout.snakemake(
        "-n", "-p", "--cores", "1", "--configfile", config, "--forcerun", "select_g1", "--", "select_g1"
    )
    command = next(line for line in said.stdout.splitlines() if "select.py" in line)
    assert "embeddings/small_lite0/part-0000.parquet" in command and "/lite0/" not in command
