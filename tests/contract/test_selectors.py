"""Every shipped selector through its command line, on made-up files; selectors in other languages; wrong answers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selfloop.contracts import make_table
from selfloop.errors import UserError
from selfloop.files import write_table
from selfloop.selector import run_selector

SELECTORS = Path(__file__).parents[2] / "workflow/plugins/selectors"
SHIPPED = ["greedy", "greedy_coreset", "keep_all", "random", "stratified", "threshold_decay"]
CHOOSING = [name for name in SHIPPED if name != "keep_all"]


def write_pool(path: Path, generation: int, size: int, d: int = 3, replicates: int = 0) -> Path:
    """Embeddings of one generation: standard normal, reproducible."""
    values = np.random.default_rng(generation).standard_normal((size, d)).astype(np.float32)
    ids = [f"g{generation}-{i:06d}" for i in range(size)]
    replicate = np.arange(size) % replicates if replicates else None
    generations = np.full(size, generation)
    table = make_table("embeddings", sample_id=ids, generation=generations, replicate=replicate, embedding=values)
    write_table(path, table, "embeddings")
    return path


@pytest.fixture
def files(tmp_path):
    """Two generations of 20 in the pool, and a reference of 10."""
    pool = [write_pool(tmp_path / f"pool{g}.parquet", g, 20) for g in (1, 2)]
    return {
        "pool": pool,
        "reference": [write_pool(tmp_path / "reference.parquet", 0, 10)],
        "output": tmp_path / "answer",
    }


def command_line(name, files, n, seed=0, params=None):
    """Run a shipped selector as a user would by hand."""
    arguments = ["--pool", *files["pool"], "--reference", *files["reference"], "--n", n, "--seed", seed]
    arguments += ["--params", json.dumps(params or {}), "--output", files["output"]]
    command = [sys.executable, SELECTORS / f"{name}.py", *arguments]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


@pytest.mark.parametrize("name", SHIPPED)
def test_command_line_with_empty_params(name, files):
    done = command_line(name, files, "all" if name == "keep_all" else 12)
    assert (done.returncode, done.stderr) == (0, "")
    answer = pq.read_table(files["output"])
    assert answer.column("sample_id").to_pylist()[::20] == ["g1-000000", "g2-000000"]
    assert sum(answer.column("selected").to_pylist()) == (40 if name == "keep_all" else 12)
    ranks = sorted(rank for rank in answer.column("rank").to_pylist() if rank is not None)
    assert ranks == (list(range(12)) if name in ("greedy", "greedy_coreset", "threshold_decay") else [])


@pytest.mark.parametrize("name", CHOOSING)
def test_same_seed_same_bytes_other_seed_other_choice(name, files):
    answers = []
    for seed in (0, 0, 1):
        assert command_line(name, files, 12, seed).returncode == 0
        answers.append(files["output"].read_bytes())
    assert answers[0] == answers[1] != answers[2]


@pytest.mark.parametrize("name", SHIPPED)
def test_unknown_parameter(name, files):
    done = command_line(name, files, "all", params={"tau_0": 3})
    known = {
        "greedy": "known: device, start",
        "greedy_coreset": "known: factor, shards, start",
        "threshold_decay": "did you mean 'tau0'? (known: alpha, schedule, shuffle, start, tau0)",
    }
    assert done.returncode == 2
    assert done.stderr.startswith(f"ERROR: {name}.py: unknown parameter 'tau_0'")
    assert known.get(name, "(it takes none)") in done.stderr
    assert done.stderr.count("\n") == 1
    assert not files["output"].exists()


@pytest.mark.parametrize(("name", "n"), [*((name, "41") for name in SHIPPED), ("random", "0"), ("random", "half")])
def test_impossible_n(name, n, files):
    done = command_line(name, files, n)
    assert done.returncode == 2
    assert done.stderr == f"ERROR: --n is {n}: it must be 'all' or 1 to 40, the items in the pool\n"
    assert not files["output"].exists()


@pytest.mark.parametrize(
    ("name", "n", "params", "message"),
    [
        ("keep_all", 12, {}, "keep_all: 12 of 40 items are wanted, and this rule keeps all; take random.py"),
        ("greedy", 12, {"start": 40}, "start is 40: it must be a position in the pool, 0 to 39"),
        ("greedy", 12, {"device": "gpu"}, "greedy: device is 'gpu': it must be cpu or cuda"),
        ("greedy_coreset", 12, {"factor": 0.5}, "factor is 0.5: it must be at least 1"),
        ("threshold_decay", 12, {"alpha": 1.0}, "alpha is 1.0: it must be at least 0 and below 1"),
        ("threshold_decay", 12, {"tau0": -1}, "tau0 is -1: it must be a distance >= 0"),
        ("threshold_decay", 12, {"schedule": "fast"}, "schedule is 'fast': it must be one of paper, released"),
        ("threshold_decay", 12, {"shuffle": 1}, "threshold_decay.py.shuffle: 1 is a whole number, not true/false"),
        ("random", 12, [1], "--params must be a JSON object such as {}, not [1]"),
    ],
)
def test_wrong_values(name, n, params, message, files):
    done = command_line(name, files, n, params=params)
    assert done.returncode == 2
    assert done.stderr.startswith("ERROR: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not files["output"].exists()


def test_stratified_shares(files):
    files["pool"].append(write_pool(files["output"].with_name("pool3.parquet"), 3, 4))
    assert command_line("stratified", files, 12).returncode == 0
    answer = pq.read_table(files["output"]).to_pylist()
    assert [sum(r["selected"] for r in answer if r["sample_id"].startswith(f"g{g}")) for g in (1, 2, 3)] == [4, 4, 4]
    done = command_line("stratified", files, 15)
    assert done.returncode == 2
    assert "generation 3 has 4 items in the pool and 5 are wanted from it" in done.stderr


@pytest.mark.parametrize("schedule", ["paper", "released"])
def test_threshold_decay_without_shuffle_is_the_pinned_order(schedule, tmp_path):
    ids, values = [f"g1-{i:06d}" for i in range(5)], np.array([[0], [1], [2], [3], [10]], np.float32)
    table = make_table("embeddings", sample_id=ids, generation=np.ones(5, int), embedding=values)
    write_table(tmp_path / "pool.parquet", table, "embeddings")
    files = {
        "pool": [tmp_path / "pool.parquet"],
        "reference": [tmp_path / "pool.parquet"],
        "output": tmp_path / "answer",
    }
    params = {"tau0": 4, "alpha": 0.5, "schedule": schedule, "shuffle": False, "start": 0}
    assert command_line("threshold_decay", files, 4, params=params).returncode == 0
    answer = pq.read_table(files["output"])
    assert answer.column("rank").to_pylist() == [0, 3, None, 2, 1]
    assert answer.column("score").to_pylist() == [None, 0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize("name", ["greedy", "threshold_decay"])
def test_copies_are_said_and_taken_by_lowest_position(name, tmp_path):
    table = make_table(
        "embeddings", sample_id=list("abcde"), generation=np.ones(5, int), embedding=np.ones((5, 2), np.float32)
    )
    write_table(tmp_path / "pool.parquet", table, "embeddings")
    files = {
        "pool": [tmp_path / "pool.parquet"],
        "reference": [tmp_path / "pool.parquet"],
        "output": tmp_path / "answer",
    }
    done = command_line(name, files, 3, params={"start": 0})
    assert done.returncode == 0
    assert f"{name}: 2 of 3 chosen are copies of others" in done.stderr
    assert pq.read_table(files["output"]).column("selected").to_pylist() == [True, True, True, False, False]


@pytest.mark.parametrize("name", SHIPPED)
def test_replicates_are_pools_of_their_own(name, tmp_path):
    """n from each, and what is chosen from one does not depend on the other's features."""
    files = {"reference": [write_pool(tmp_path / "reference.parquet", 0, 8)], "output": tmp_path / "answer"}
    n = "all" if name == "keep_all" else 4
    chosen = []
    for change in (0.0, 5.0):
        files["pool"] = [write_pool(tmp_path / "pool.parquet", 1, 20, replicates=2)]
        table = pq.read_table(files["pool"][0])
        values = np.array(table.column("embedding").to_pylist(), np.float32)
        values[1::2] *= 1 + change * np.arange(10)[:, None]
        columns = {key: table.column(key).combine_chunks() for key in ("sample_id", "generation", "replicate")}
        write_table(files["pool"][0], make_table("embeddings", **columns, embedding=values), "embeddings")
        script = SELECTORS / f"{name}.py"
        answer = run_selector(script, files["pool"], files["reference"], n, 7, {}, files["output"])
        chosen.append(np.array(answer.column("selected").to_pylist()))
        assert chosen[-1][::2].sum() == chosen[-1][1::2].sum() == (10 if n == "all" else 4)
    assert np.array_equal(chosen[0][::2], chosen[1][::2])


def test_works_without_selfloop_installed(files):
    """With the library on PYTHONPATH only, as stage scripts run it; -S leaves out the editable installation."""
    library = SELECTORS.parents[1] / "lib"
    packages = os.pathsep.join([str(library), *(p for p in sys.path if p.endswith("site-packages"))])
    arguments = ["--pool", *files["pool"], "--reference", *files["reference"], "--n", 3, "--seed", 0, "--output"]
    command = [sys.executable, "-S", SELECTORS / "random.py", *arguments, files["output"]]
    environment = os.environ | {"PYTHONPATH": packages}
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


# --- selectors that a user wrote


def write_script(path: Path, body: str, run_bit: bool = True) -> Path:
    path.write_text(body)
    path.chmod(0o755 if run_bit else 0o644)
    return path


# A whole selector that knows nothing of selfloop: the n with the largest first coordinate.
OWN = f"""#!/usr/bin/env -S {sys.executable}
import sys
import pyarrow as pa, pyarrow.parquet as pq
a = sys.argv[1:]
pool = pa.concat_tables(pq.read_table(f, partitioning=None) for f in a[a.index("--pool") + 1 : a.index("--reference")])
n, first = int(a[a.index("--n") + 1]), [e[0] for e in pool["embedding"].to_pylist()]
keep = set(sorted(range(len(first)), key=lambda i: -first[i])[:n])
ids = pool["sample_id"]
answer = {{"sample_id": ids, "selected": [i in keep for i in range(len(first))], "score": first}}
BREAK
pq.write_table(pa.table(answer), a[a.index("--output") + 1])
"""


def run_own(files, tmp_path, wrong="", n=12, name="rule", run_bit=True, body=OWN):
    script = write_script(tmp_path / name, body.replace("BREAK", wrong), run_bit)
    return run_selector(script, files["pool"], files["reference"], n, 0, {}, files["output"])


@pytest.mark.parametrize("name", ["rule", "rule.py"])
def test_own_script_through_its_shebang_or_python(name, files, tmp_path):
    answer = run_own(files, tmp_path, name=name)
    assert answer.column_names == ["sample_id", "selected", "score", "rank"]
    score, selected = answer.column("score").to_numpy(), answer.column("selected").to_numpy()
    assert score[selected].min() > score[~selected].max()
    assert answer.column("rank").null_count == 40


def test_shell_script(files, tmp_path):
    """No Python in sight: a shell script that copies an answer made elsewhere."""
    pool = pa.concat_tables([pq.read_table(path) for path in files["pool"]])
    made = pa.table({"sample_id": pool.column("sample_id"), "selected": [True] * 3 + [False] * 37})
    pq.write_table(made, tmp_path / "made.parquet")
    body = f"""#!/bin/sh
while [ $# -gt 1 ]; do [ "$1" = --output ] && output=$2; shift; done
cp "{tmp_path}/made.parquet" "$output"
"""
    assert sum(run_own(files, tmp_path, n=3, body=body).column("selected").to_pylist()) == 3


def test_an_answer_in_another_order_is_put_into_pool_order(files, tmp_path):
    answer = run_own(files, tmp_path, "answer = {k: list(v)[::-1] for k, v in answer.items()}")
    assert answer.column("sample_id").to_pylist()[0] == "g1-000000"
    assert answer.column("score").equals(run_own(files, tmp_path).column("score"))


WRONG = {
    "too few selected": ("keep.pop(); answer['selected'] = [i in keep for i in range(40)]",
                         "11 of 40 items are selected, not 12"),
    "too few ids": ("answer = {k: list(v)[:-5] for k, v in answer.items()}",
                    "5 of the pool's 40 ids are missing, such as 'g2-000015'; it must have one row per pool item"),
    "unknown id": ("answer['sample_id'] = ['g9-000000', *ids.to_pylist()[1:]]",
                   "1 ids are not in the pool, such as 'g9-000000'"),
    "duplicate id": ("answer['sample_id'] = [ids[1].as_py(), *ids.to_pylist()[1:]]",
                     "it has 1 ids more than once, such as 'g1-000001'"),
    "selected of a wrong type": ("answer['selected'] = [1] * 40", "column 'selected' is int64, not bool"),
    "score of a wrong type": ("answer['score'] = ['high'] * 40", "column 'score' is string, not double"),
    "score NaN": ("answer['score'][2] = float('nan')", "the score of 'g1-000002' is nan; leave it null"),
    "not Parquet": ("open(a[-1], 'w').write('selected'); sys.exit()", "not a whole Parquet file"),
    "nothing written": ("sys.exit()", "ended without writing its --output"),
    "crash": ("{}['tau']", "failed with exit status 1: KeyError: 'tau'"),
    "own error": ("sys.exit('ERROR: too dense')", "failed with exit status 1: too dense"),
    "killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was killed by signal 9 and printed nothing"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_answers_get_one_line_and_leave_no_output(case, files, tmp_path, capfd):
    wrong, message = WRONG[case]
    with pytest.raises(UserError) as raised:
        run_own(files, tmp_path, wrong)
    text = str(raised.value)
    assert message in text
    assert "\n" not in text
    assert text.startswith(str(files["output"] if case == "not Parquet" else tmp_path / "rule"))
    assert not files["output"].exists()
    said = capfd.readouterr().err
    if case == "crash":
        assert "Traceback" in said
    assert "too dense" not in said  # said once, in the UserError


def test_what_a_script_says_is_passed_on_in_order(files, tmp_path, capfd):
    said = ["first", "ERROR: of a part, which it got over", "then", "ERROR: at last"]
    run_own(files, tmp_path, f"print(*{said}, sep='\\n', file=sys.stderr)")
    assert capfd.readouterr().err.splitlines() == said


def test_scripts_that_cannot_be_run(files, tmp_path):
    with pytest.raises(UserError, match=r"rule: its run bit is not set; run 'chmod \+x .*rule'"):
        run_own(files, tmp_path, run_bit=False)
    with pytest.raises(UserError, match=r"rule: is no \.py file and has no shebang"):
        run_own(files, tmp_path, body="echo")
    with pytest.raises(UserError, match=r"rule: cannot be run \(No such file or directory\): is its interpreter"):
        run_own(files, tmp_path, body="#!/nowhere/interpreter\n")
    with pytest.raises(UserError, match=r"missing.R: no such file \(selector\)"):
        run_selector(tmp_path / "missing.R", files["pool"], files["reference"], 1, 0, {}, files["output"])
