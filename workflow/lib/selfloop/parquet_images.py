"""Images in Parquet files of the Hugging Face convention: a column struct<bytes, path> and perhaps one of labels."""

import glob
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selfloop.errors import UserError
from selfloop.images import EncodedImages


def parquet_files(patterns: str | Sequence[str]) -> list[str]:
    """Return the files of one pattern or a list of patterns; each must match, sorted within a pattern."""
    files = []
    for pattern in [patterns] if isinstance(patterns, str | Path) else patterns:
        found = sorted(glob.glob(str(pattern), recursive=True))
        if not found:
            raise UserError(f"{pattern}: no such file")
        files += found
    return files


def rows(files: Sequence[str]) -> int:
    """Return the number of images in the files; only their footers are read."""
    return sum(_metadata(file).num_rows for file in files)


def parquet_split(files: Sequence[str], image: str, label: str | None, **settings) -> dict:
    """Return the samples and labels of the files, in their order and that of their rows.

    ``settings`` are those of EncodedImages. ``label`` None leaves labels out; where no file has the column there are
    none.
    """
    for file in files:
        _check_column(file, image)
    where = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    samples = EncodedImages(rows(files), _reader(files, image), where=str(where), **settings)
    return {"samples": samples, "labels": None if label is None else _labels(files, label)}


def image_column(file: str, names: Sequence[str]) -> str:
    """Return the first of ``names`` that is a column of the file, or the first of them all."""
    present = _metadata(file).schema.to_arrow_schema().names
    return next((name for name in names if name in present), names[0])


def _reader(files: Sequence[str], image: str) -> Callable[[np.ndarray], Iterator[tuple[str, bytes | Path]]]:
    """Return a function that yields (file and row, encoded bytes or path) at increasing positions."""

    def read(positions):
        first = 0
        for file in files:
            n = _metadata(file).num_rows
            here = positions[(positions >= first) & (positions < first + n)] - first
            try:
                yield from _items(file, here, image)
            except (pa.ArrowException, OSError) as error:
                raise UserError(f"{file}: not a whole Parquet file ({str(error).splitlines()[0]})") from None
            first += n

    return read


def _items(file: str, wanted: np.ndarray, image: str) -> Iterator[tuple[str, bytes | Path]]:
    """Yield the wanted rows of one file: row groups without any are passed over, a few hundred rows are in memory."""
    with pq.ParquetFile(file) as parquet:
        end = 0
        for group in range(parquet.num_row_groups):
            start, end = end, end + parquet.metadata.row_group(group).num_rows
            if not np.any((wanted >= start) & (wanted < end)):
                continue
            for batch in parquet.iter_batches(batch_size=256, row_groups=[group], columns=[image]):
                here = wanted[(wanted >= start) & (wanted < start + len(batch))]
                for row, item in zip(here, batch.column(0).take(pa.array(here - start)).to_pylist(), strict=True):
                    item = item or {}
                    data = item.get("bytes") or (Path(file).parent / item["path"] if item.get("path") else b"")
                    yield f"{Path(file).name} row {row}", data
                start += len(batch)


def _labels(files, label) -> np.ndarray | None:
    """Return int64 labels, or None where no file has the column."""
    present = [label in pq.read_schema(file).names for file in files]
    if not any(present):
        return None
    if not all(present):
        raise UserError(f"{files[present.index(False)]}: no column '{label}', but {files[present.index(True)]} has one")
    parts = []
    for file in files:
        column = pq.read_table(file, columns=[label], partitioning=None).column(0)
        if not pa.types.is_integer(column.type):
            raise UserError(f"{file}: column '{label}' is {column.type}, not integers; `label: null` leaves it out")
        if column.null_count:
            raise UserError(f"{file}: column '{label}' has {column.null_count} nulls; `label: null` leaves it out")
        parts.append(column.to_numpy().astype(np.int64))
    return np.concatenate(parts)


def _check_column(file, image) -> None:
    schema = _metadata(file).schema.to_arrow_schema()
    if image not in schema.names:
        raise UserError(f"{file}: no column '{image}' (has: {', '.join(schema.names)}); name it with `image`")
    kind = schema.field(image).type
    if not (pa.types.is_struct(kind) and {"bytes", "path"} & {field.name for field in kind}):
        raise UserError(f"{file}: column '{image}' is {kind}, not struct<bytes: binary, path: string>")


def _metadata(file):
    try:
        return pq.read_metadata(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{file}: not a whole Parquet file ({str(error).splitlines()[0]})") from None
