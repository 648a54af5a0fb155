"""Parquet files of the Hugging Face image convention: `image` struct<bytes, path> and, where there is one, `label`."""

import glob
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selfloop.errors import UserError
from selfloop.images import decode_images


def count(*, path=None, heldout=None):
    sizes = {"train": _rows(_files(path, "path"))}
    return sizes | ({"heldout": _rows(_files(heldout, "heldout"))} if heldout is not None else {})


def load(
    *,
    seed,
    path=None,  # a file, a pattern such as data/train-*.parquet, or a list of these
    heldout=None,  # the same for held-out images; None: the workflow keeps some of the first out
    size=None,  # pixels a side; None: as they are, all of one size
    mode=None,  # grey | rgb; None: that of the first image
    filter="lanczos",  # nearest | box | bilinear | hamming | bicubic | lanczos, antialiased
    crop=False,  # cut the centred square out of an image that is not square
    image="image",  # name of the column of images
    label="label",  # name of the column of labels; None: without labels
):
    """Return uint8 N x C x H x W in the order of the files (sorted within a pattern) and rows; no draws."""
    settings = {"size": size, "mode": mode, "resample": filter, "crop": crop}
    splits = {"train": _split(_files(path, "path"), image, label, settings)}
    if heldout is not None:
        splits["heldout"] = _split(_files(heldout, "heldout"), image, label, settings)
    return splits


def _split(files, image, label, settings):
    for file in files:
        _check_columns(file, image)
    where = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    samples = decode_images(_sources(files, image), _rows(files), where=where, **settings)
    return {"samples": samples, "labels": None if label is None else _labels(files, label)}


def _sources(files, image):
    """Yield (file and row, encoded bytes or path); a few hundred rows are in memory at a time."""
    for file in files:
        row = 0
        for batch in pq.ParquetFile(file).iter_batches(batch_size=256, columns=[image]):
            for item in batch.column(0).to_pylist():
                item = item or {}
                data = item.get("bytes") or (Path(file).parent / item["path"] if item.get("path") else b"")
                yield f"{Path(file).name} row {row}", data
                row += 1


def _labels(files, label):
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


def _check_columns(file, image):
    schema = _metadata(file).schema.to_arrow_schema()
    if image not in schema.names:
        raise UserError(f"{file}: no column '{image}' (has: {', '.join(schema.names)}); name it with `image`")
    kind = schema.field(image).type
    if not (pa.types.is_struct(kind) and {"bytes", "path"} & {field.name for field in kind}):
        raise UserError(f"{file}: column '{image}' is {kind}, not struct<bytes: binary, path: string>")


def _files(patterns, parameter):
    """Return the files of one pattern or a list of patterns; each must match, sorted within a pattern."""
    if patterns is None:
        raise UserError(f"hf_parquet: set the parameter '{parameter}' to a Parquet file, a pattern or a list of them")
    files = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found = sorted(glob.glob(pattern, recursive=True))
        if not found:
            raise UserError(f"{pattern}: no such file (hf_parquet, parameter '{parameter}')")
        files += found
    return files


def _rows(files):
    return sum(_metadata(file).num_rows for file in files)


def _metadata(file):
    try:
        return pq.read_metadata(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{file}: not a whole Parquet file ({str(error).splitlines()[0]})") from None
