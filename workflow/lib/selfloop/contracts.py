"""The schema of each table that passes between stages (docs/contracts.md has the prose)."""

import numpy as np
import pyarrow as pa

from selfloop.errors import UserError

_VERSION = {"samples": 1, "embeddings": 1, "selection": 1, "training_set": 1, "selector_answer": 1}

# column -> (type, nullable). Embeddings add `embedding` fixed_size_list<float32>[d] and any `score_*` column.
_COLUMNS = {
    "samples": {
        "sample_id": (pa.string(), False),
        "index": (pa.int64(), False),
        "label": (pa.int32(), True),
        "seed": (pa.int64(), True),
        "replicate": (pa.int32(), True),
    },
    "embeddings": {
        "sample_id": (pa.string(), False),
        "generation": (pa.int32(), False),
        "label": (pa.int32(), True),
        "replicate": (pa.int32(), True),
    },
    "selection": {
        "sample_id": (pa.string(), False),
        "selected": (pa.bool_(), False),
        "score": (pa.float64(), True),
        "rank": (pa.int64(), True),
    },
    "selector_answer": {"sample_id": (pa.string(), False), "selected": (pa.bool_(), False)},
    "training_set": {
        "sample_id": (pa.string(), False),
        "generation": (pa.int32(), False),
        "index": (pa.int64(), False),
        "label": (pa.int32(), True),
        "replicate": (pa.int32(), True),
    },
}


def schema_version(kind: str) -> int:
    """Return the version of the schema ``kind``."""
    return _VERSION[kind]


def make_table(kind: str, **columns) -> pa.Table:
    """Build a table of ``kind`` from arrays; a column left out or None is null (where the schema allows it)."""
    n = len(columns["sample_id"])
    arrays = {
        name: pa.nulls(n, kind_of) if columns.get(name) is None else pa.array(columns[name], kind_of)
        for name, (kind_of, _) in _COLUMNS[kind].items()
    }
    if kind == "embeddings":
        arrays["embedding"] = embedding_column(columns["embedding"])
        arrays |= {name: pa.array(value) for name, value in columns.items() if name.startswith("score_")}
    return pa.table(arrays)


def embedding_column(features: np.ndarray) -> pa.FixedSizeListArray:
    """Turn float32 N x d features into one fixed_size_list column, without a copy of the values."""
    values = np.ascontiguousarray(features, dtype=np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def features(table: pa.Table) -> np.ndarray:
    """Return the ``embedding`` column of a table as float32 N x d."""
    column = table.column("embedding").combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(table), column.type.list_size)


def check_table(table: pa.Table, kind: str, where: str) -> None:
    """Raise UserError, with one line that names ``where``, unless the table has the columns of ``kind``."""
    for name, (kind_of, nullable) in _COLUMNS[kind].items():
        if name not in table.column_names:
            raise UserError(f"{where}: column '{name}' is missing (has: {', '.join(table.column_names)})")
        column = table.column(name)
        if not _same_type(column.type, kind_of):
            raise UserError(f"{where}: column '{name}' is {column.type}, not {kind_of}")
        if column.null_count and not nullable:
            raise UserError(f"{where}: column '{name}' has {column.null_count} nulls and may have none")
    if kind == "embeddings":
        _check_embeddings(table, where)


def _check_embeddings(table: pa.Table, where: str) -> None:
    if "embedding" not in table.column_names:
        raise UserError(f"{where}: column 'embedding' is missing (has: {', '.join(table.column_names)})")
    kind_of = table.schema.field("embedding").type
    if not (pa.types.is_fixed_size_list(kind_of) and pa.types.is_float32(kind_of.value_type)):
        raise UserError(f"{where}: column 'embedding' is {kind_of}, not fixed_size_list<float32>[d]")
    if nulls := table.column("embedding").null_count:
        raise UserError(f"{where}: column 'embedding' has {nulls} nulls and may have none")
    bad = ~np.isfinite(features(table)).all(axis=1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise UserError(f"{where}: {int(bad.sum())} rows of 'embedding' are not finite, the first is row {row}")


def _same_type(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_string(wanted):
        return pa.types.is_string(found) or pa.types.is_large_string(found)
    return found == wanted
