"""How a Python function becomes a selector, and what is said when its files, arguments or result are wrong."""

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selfloop.answer import check_answer
from selfloop.contracts import make_table
from selfloop.errors import UserError
from selfloop.files import write_table
from selfloop.selector import Selection, selector_script

VALUES = np.array([[3.0, 0], [1, 0], [4, 0], [1, 5]], np.float32)


def write_embeddings(path, values=VALUES, prefix="g1", **columns):
    ids = [f"{prefix}-{i:06d}" for i in range(len(values))]
    table = make_table("embeddings", sample_id=ids, generation=np.ones(len(values), int), embedding=values, **columns)
    write_table(path, table, "embeddings")
    return str(path)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Call selector_script on a pool of four; return its answer, or (exit status, stderr)."""
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "rule.py")])

    def run(select, *, pool=None, reference=None, n=2, seed=0, params="{}"):
        pool = pool or [write_embeddings(tmp_path / "pool.parquet")]
        reference = reference or [write_embeddings(tmp_path / "reference.parquet", VALUES[:3], "real")]
        output = tmp_path / "answer.parquet"
        options = ["--n", str(n), "--seed", str(seed), "--params", params, "--output", str(output)]
        try:
            selector_script(select, ["--pool", *pool, "--reference", *reference, *options])
        except SystemExit as stop:
            assert not output.exists()
            return stop.code, capsys.readouterr().err
        return pq.read_table(output).to_pydict()

    return run


def test_what_a_rule_is_given(run):
    seen = {}

    def select(pool, reference, n, rng, *, weight=1.0, table):
        seen.update(pool=pool, reference=reference, n=n, draw=rng.integers(1 << 30), weight=weight, table=table)
        return [2, 0]

    run(select, seed=5, params='{"weight": 2.5}')
    assert (seen["pool"].dtype, seen["pool"].tolist()) == (np.float32, VALUES.tolist())
    assert seen["reference"].shape == (3, 2)
    assert (seen["n"], seen["weight"]) == (2, 2.5)
    assert seen["draw"] == np.random.default_rng(5).integers(1 << 30)
    assert seen["table"].column_names == ["sample_id", "generation", "label", "replicate"]


def test_a_plain_array_has_no_order(run):
    answer = run(lambda pool, reference, n, rng: np.array([2, 0]))
    assert answer["selected"] == [True, False, True, False]
    assert answer["rank"] == answer["score"] == [None] * 4


def test_a_selection_has_an_order_and_scores_with_gaps(run):
    score = np.ma.masked_invalid([np.nan, 1, 2, 3])
    answer = run(lambda pool, reference, n, rng: Selection(np.array([2, 0]), score))
    assert answer["rank"] == [1, None, 0, None]
    assert answer["score"] == [None, 1, 2, 3]


def test_n_all_and_files_in_order(run, tmp_path):
    pool = [write_embeddings(tmp_path / f"{name}.parquet", prefix=name) for name in ("g2", "g1")]
    answer = run(lambda pool, reference, n, rng: np.arange(n), pool=pool, n="all")
    assert answer["sample_id"][::4] == ["g2-000000", "g1-000000"]
    assert answer["selected"] == [True] * 8


def test_a_score_column_that_only_some_files_have(run, tmp_path):
    pool = [write_embeddings(tmp_path / "a.parquet", prefix="g1", score_loss=np.arange(4.0)),
            write_embeddings(tmp_path / "b.parquet", prefix="g2")]  # fmt: skip
    seen = []
    run(lambda pool, reference, n, rng, *, table: seen.append(table) or np.arange(n), pool=pool)
    assert seen[0].column("score_loss").to_pylist() == [0, 1, 2, 3, None, None, None, None]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.array([0, 0]), "the rule chose 2 items, 1 of them different, not 2"),
        (np.array([0]), "the rule chose 1 items, not 2"),
        (np.array([0, 4]), "the rule chose positions 0 to 4 of a pool of 4"),
        (np.array([-1, 0]), "the rule chose positions -1 to 0 of a pool of 4"),
        (np.array([0.0, 1.0]), "the rule returned 1-d float64 positions, not 1-d integers"),
        (Selection(np.array([0, 1]), np.ones(2)), "the rule's score must be one finite number for each of the 4 pool"),
        (Selection(np.array([0, 1]), [1, 2, np.nan, 3]), "the rule's score must be one finite number"),
    ],
)
def test_wrong_results(result, message, run):
    code, error = run(lambda pool, reference, n, rng: result)
    assert code == 2
    assert error.startswith(f"ERROR: {message}")


def test_wrong_files(run, tmp_path):
    def select(pool, reference, n, rng):
        return np.arange(n)

    wide = write_embeddings(tmp_path / "wide.parquet", np.ones((2, 3), np.float32))
    holes = write_embeddings(tmp_path / "good.parquet")
    table = pq.read_table(holes)
    values = VALUES.copy()
    values[1, 0] = np.nan
    kind = pa.list_(pa.float32(), 2)
    pq.write_table(table.set_column(4, "embedding", pa.array(values.tolist(), kind)), tmp_path / "nan.parquet")
    pq.write_table(table.drop_columns("embedding"), tmp_path / "bare.parquet")
    for arguments, message in [
        ({"pool": [str(tmp_path / "no.parquet")]}, "no.parquet: no such file"),
        ({"pool": [holes, wide]}, "wide.parquet: embeddings are 3-d, those of "),
        ({"reference": [wide]}, "wide.parquet: embeddings are 3-d, not 2-d"),
        ({"pool": [str(tmp_path / "nan.parquet")]}, "1 rows of 'embedding' are not finite, the first is row 1"),
        ({"pool": [str(tmp_path / "bare.parquet")]}, "bare.parquet: column 'embedding' is missing"),
        ({"params": "{"}, "--params is not JSON"),
        ({"seed": -1}, "argument --seed: '-1' is no integer >= 0 (see --help)"),
    ]:
        code, error = run(select, **arguments)
        assert code == 2
        assert message in error
        assert error.count("\n") == 1


def test_a_bug_in_a_rule_keeps_its_traceback(run):
    with pytest.raises(ZeroDivisionError):
        run(lambda pool, reference, n, rng: 1 // 0)


def test_check_answer_counts_and_ranks_each_replicate():
    pool = pa.table({"sample_id": list("abcd"), "replicate": pa.array([0, 1, 0, 1], pa.int32())})
    answer = pa.table({"sample_id": list("abcd"), "selected": [True, True, False, False], "rank": [0, 0, None, None]})
    assert check_answer(answer, pool, 1, "rule").column("rank").to_pylist() == [0, 0, None, None]
    both = answer.set_column(1, "selected", pa.array([True, False, True, False]))
    with pytest.raises(UserError, match="rule, replicate 0: 2 of 2 items are selected, not 1"):
        check_answer(both.drop_columns("rank"), pool, 1, "rule")
    with pytest.raises(UserError, match="the pool has 1 ids more than once, such as 'a'"):
        check_answer(answer, pool.set_column(0, "sample_id", pa.array(list("aabc"))), 1, "rule")


WRONG_COLUMNS = {
    "no selected": ({"selected": None}, "column 'selected' is missing (has: sample_id)"),
    "selected null": ({"selected": [True, None, False]}, "column 'selected' has 1 nulls and may have none"),
    "ids are numbers": ({"sample_id": [1, 2, 3]}, "column 'sample_id' is int64, not string"),
    "score is text": ({"score": list("xyz")}, "column 'score' is string, not double"),
    "score infinite": ({"score": [1.0, np.inf, None]}, "the score of 'b' is inf; leave it null where there is none"),
    "rank is a fraction": ({"rank": [0.5, None, None]}, "column 'rank' is double, not int64"),
    "rank of the rejected": (
        {"rank": [0, 1, 2]},
        "2 items are rejected and have a rank, or are selected and have none",
    ),
    "rank not from 0": ({"rank": [1, None, None]}, "the ranks of the 1 selected are not 0, 1, ..., each once"),
}


@pytest.mark.parametrize("case", WRONG_COLUMNS)
def test_wrong_columns(case):
    change, message = WRONG_COLUMNS[case]
    columns = {"sample_id": list("abc"), "selected": [True, False, False]} | change
    answer = pa.table({name: values for name, values in columns.items() if values is not None})
    with pytest.raises(UserError) as raised:
        check_answer(answer, pa.table({"sample_id": list("abc")}), 1, "rule: its answer")
    assert str(raised.value) == f"rule: its answer: {message}"


def test_score_and_rank_may_be_integers_or_null_columns():
    answer = pa.table({"sample_id": list("ba"), "selected": [True, False], "score": [1, 2], "rank": pa.nulls(2)})
    checked = check_answer(answer, pa.table({"sample_id": list("ab")}), 1, "rule")
    assert checked.to_pydict() == {
        "sample_id": ["a", "b"], "selected": [False, True], "score": [2.0, 1.0], "rank": [None, None]
    }  # fmt: skip


def test_params_are_closed_and_typed(run):
    def select(pool, reference, n, rng, *, weight=1.0, name=None):
        return np.arange(n)

    code, error = run(select, params=json.dumps({"wieght": 1}))
    assert (code, error) == (
        2,
        "ERROR: rule.py: unknown parameter 'wieght'; did you mean 'weight'? (known: name, weight)\n",
    )
    code, error = run(select, params=json.dumps({"weight": "1"}))
    assert code == 2
    assert "rule.py.weight: '1' is text, not a number" in error
