"""Files between stages: atomic, stamped, checked on read, the same bytes for the same content."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selfloop import files
from selfloop.contracts import features, make_table
from selfloop.errors import UserError


def training_rows(n=3):
    return make_table("training_set", sample_id=[f"g1-{i}" for i in range(n)], generation=[1] * n, index=range(n))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), files.atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert files.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_json_refuses_nan_and_names_a_broken_file(tmp_path):
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "x.json", float("nan"))
    assert not list(tmp_path.iterdir())
    (tmp_path / "y.json").write_text("{")
    with pytest.raises(UserError, match=r"y\.json: not JSON"):
        files.read_json(tmp_path / "y.json")
    with pytest.raises(UserError, match="no such file"):
        files.read_json(tmp_path / "z.json")


def test_a_truncated_array_or_table_is_one_clear_line(tmp_path):
    files.write_array(tmp_path / "a.npy", np.zeros((100, 3)))
    files.write_table(tmp_path / "t.parquet", training_rows(), "training_set")
    for name in ("a.npy", "t.parquet"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"a\.npy: not a whole \.npy file"):
        files.read_array(tmp_path / "a.npy")
    with pytest.raises(UserError, match=r"t\.parquet: not a whole Parquet file"):
        files.read_table(tmp_path / "t.parquet", "training_set")


def test_the_same_table_gives_the_same_bytes_and_says_what_it_is(tmp_path):
    for name in ("a", "b"):
        files.write_table(tmp_path / name, training_rows(), "training_set", {"generation": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    metadata = files.table_metadata(pq.read_table(tmp_path / "a"))
    assert metadata == {"kind": "training_set", "version": "1", "generation": "2"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns("label"), "column 'label' is missing"),
        (lambda t: t.set_column(2, "index", pa.array([0.0, 1.0, 2.0])), "column 'index' is double, not int64"),
        (lambda t: t.set_column(0, "sample_id", pa.array(["a", None, "b"])), "'sample_id' has 1 nulls"),
    ],
)
def test_a_wrong_table_is_refused_with_its_column(tmp_path, change, message):
    pq.write_table(change(training_rows()), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=message):
        files.read_table(tmp_path / "t.parquet", "training_set")


def test_embeddings_keep_their_values_and_must_be_finite(tmp_path):
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    table = make_table("embeddings", sample_id=list("abcde"), generation=[0] * 5, embedding=x)
    files.write_table(tmp_path / "e.parquet", table, "embeddings")
    assert np.array_equal(features(files.read_table(tmp_path / "e.parquet", "embeddings")), x)
    assert np.array_equal(features(files.read_table(tmp_path / "e.parquet", "embeddings").slice(2, 2)), x[2:4])
    nulls = table.set_column(4, "embedding", pa.array([[1, 2, 3], None] * 2 + [None], pa.list_(pa.float32(), 3)))
    pq.write_table(nulls, tmp_path / "n.parquet")
    with pytest.raises(UserError, match="column 'embedding' has 3 nulls"):
        files.read_table(tmp_path / "n.parquet", "embeddings")
    x[3, 1] = np.inf
    table = make_table("embeddings", sample_id=list("abcde"), generation=[0] * 5, embedding=x)
    with pytest.raises(UserError, match="1 rows of 'embedding' are not finite, the first is row 3"):
        files.write_table(tmp_path / "f.parquet", table, "embeddings")
    assert not (tmp_path / "f.parquet").exists()
