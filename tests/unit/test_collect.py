"""metrics.json files of all chains -> one tidy metrics.csv."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from selfloop.collect import chain_files, metric_rows, write_metrics
from selfloop.errors import UserError
from selfloop.metrics_table import read_metrics

SCRIPT = Path(__file__).parents[2] / "workflow/scripts/collect.py"


def metric(name="fd", value=1.5, space="pixels", distance=None, n_reference=8):
    return {"metric": name, "value": value, "n": 10, "n_reference": n_reference, "space": space, "distance": distance}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return str(path)


def entry(path, arm="main", seed=0, generation=1):
    return {"arm": arm, "seed": seed, "generation": generation, "path": path}


def test_the_whole_way_as_a_program(tmp_path):
    for g in (1, 2):
        write(tmp_path / f"gen{g}/metrics.json", [metric(value=g / 3), metric("real_share", 0, None, None, None)])
    write(tmp_path / "greedy/gen2/metrics.json", [metric("gs", None, distance="l2")])
    chains = [
        entry(f"{tmp_path}/gen*/metrics.json", generation=[1, 2]),
        entry(f"{tmp_path}/gen1/metrics.json", "greedy"),
        entry(f"{tmp_path}/greedy/gen*/metrics.json", "greedy", generation=[2, 2]),
    ]
    command = [sys.executable, SCRIPT, "--chains", json.dumps(chains), "--output", tmp_path / "metrics.csv"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "metrics.csv").read_bytes().decode() == (
        "arm,seed,generation,metric,value,n,n_reference,space,distance\n"
        "main,0,1,fd,0.3333333333333333,10,8,pixels,\n"
        "main,0,1,real_share,0,10,,,\n"
        "main,0,2,fd,0.6666666666666666,10,8,pixels,\n"
        "main,0,2,real_share,0,10,,,\n"
        "greedy,0,1,fd,0.3333333333333333,10,8,pixels,\n"  # shared with the main chain, listed for both
        "greedy,0,1,real_share,0,10,,,\n"
        "greedy,0,2,gs,,10,8,pixels,l2\n"
    )


def test_values_come_back_with_all_their_digits(tmp_path):
    value = 0.1 + 0.2
    path = write(tmp_path / "metrics.json", [metric(value=value)])
    write_metrics(tmp_path / "metrics.csv", metric_rows("main", 0, 1, path))
    assert read_metrics(tmp_path / "metrics.csv")[0].value == value


def test_the_chains_may_stand_in_a_file(tmp_path):
    chains = [entry("results/gen*/metrics.json", generation=[1, 2])]
    path = write(tmp_path / "chains.json", chains)
    expected = [("main", 0, 1, "results/gen1/metrics.json"), ("main", 0, 2, "results/gen2/metrics.json")]
    assert list(chain_files(path)) == list(chain_files(json.dumps(chains))) == expected


@pytest.mark.parametrize(
    ("chains", "message"),
    [
        ("[", "--chains: not JSON"),
        ("{}", "--chains: a list of {arm, seed, generation, path}, not dict"),
        ("nowhere.json", "nowhere.json: no such file"),
        ('[{"arm": "main"}]', "--chains, entry 0: needs exactly the keys arm, seed, generation, path"),
        (json.dumps([entry("a", seed="0")]), "--chains, entry 0: 'seed' is '0', of the wrong type"),
        (json.dumps([entry("a", seed=True)]), "--chains, entry 0: 'seed' is True, of the wrong type"),
        (json.dumps([entry("a*", generation=[3, 1])]), "'generation' is [3, 1], not a number or [first, last]"),
        (json.dumps([entry("a", generation=[1, 2])]), "'path' needs one * for the generation: a"),
        (json.dumps([entry("a"), entry("b")]), "--chains: arm 'main', seed 0, generation 1 is listed twice"),
    ],
)
def test_wrong_chains(chains, message):
    with pytest.raises(UserError) as error:
        list(chain_files(chains))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"fd": 1}, "a list of metrics, not dict"),
        (
            [{"metric": "fd", "value": 1}],
            "entry 0 needs exactly the keys metric, value, n, n_reference, space, distance",
        ),
        ([metric(value="1.5")], "the value of 'fd' is no number: '1.5'"),
        ([metric(), metric()], "'fd' is there twice for space pixels and distance None"),
    ],
)
def test_a_wrong_metrics_json_is_named(tmp_path, content, message):
    path = write(tmp_path / "metrics.json", content)
    with pytest.raises(UserError) as error:
        list(metric_rows("main", 0, 1, path))
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)


def test_a_mistake_leaves_no_csv(tmp_path):
    command = [sys.executable, SCRIPT, "--chains", json.dumps([entry("no.json")]), "--output", tmp_path / "metrics.csv"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (2, "ERROR: no.json: no such file\n")
    assert list(tmp_path.iterdir()) == []
