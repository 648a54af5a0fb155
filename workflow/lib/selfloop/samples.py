"""Samples on disk: one .npy of values and one Parquet table beside it, and training sets gathered from several."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfloop.contracts import make_table
from selfloop.errors import UserError
from selfloop.files import read_array, read_table, write_array, write_table


def write_samples(path: str | Path, values: np.ndarray, metadata: dict, **columns) -> None:
    """Write ``part.npy`` (uint8 N x C x H x W or float64 N x d) and ``part.parquet``; the table comes last."""
    path = Path(path)
    write_array(path, values)
    table = make_table("samples", **columns)
    metadata = {"shape": list(values.shape[1:]), "dtype": str(values.dtype), **metadata}
    write_table(path.with_suffix(".parquet"), table, "samples", metadata)


def read_samples(path: str | Path) -> tuple[np.ndarray, pa.Table]:
    """Return (values, table) of one ``part.npy``, checked against each other; the values are memory-mapped."""
    values = read_array(path)
    table = read_table(Path(path).with_suffix(".parquet"), "samples")
    if len(values) != len(table):
        raise UserError(f"{path}: {len(values)} items, but its table has {len(table)} rows")
    kind = (str(values.dtype), values.ndim)
    if kind not in (("uint8", 4), ("float64", 2), ("int32", 2)):
        raise UserError(f"{path}: {kind[0]} of {kind[1]} dimensions; expected uint8 N x C x H x W, float64 N x d "
                        "or int32 N x L")  # fmt: skip
    return values, table


def gather(training_set: pa.Table, paths: Sequence[str | Path]) -> np.ndarray:
    """Return the values of the training set's rows, in their order, from the ``part.npy`` files that hold them."""
    wanted = training_set.column("sample_id").combine_chunks()
    result = None
    found = np.zeros(len(training_set), dtype=bool)
    for path in paths:
        values, table = read_samples(path)
        position = pc.index_in(wanted, table.column("sample_id").combine_chunks())
        here = position.is_valid().to_numpy(zero_copy_only=False)
        if result is None:
            result = np.empty((len(training_set), *values.shape[1:]), values.dtype)
        result[here] = values[position.filter(pa.array(here)).to_numpy()]
        found |= here
    if not found.all():
        first = wanted[int(np.flatnonzero(~found)[0])].as_py()
        raise UserError(
            f"{(~found).sum()} samples of the training set are in none of the sample files, such as {first}"
        )
    return result
