"""Files between stages: written to a temporary name and renamed, stamped with a schema, checked on read."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selfloop.errors import UserError


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and rename it on success; on any error leave nothing.

    The temporary name carries the process id, so that two writers never share one, and the file is
    flushed to disk before the rename: a killed job leaves no half-written output that looks whole.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, value) -> None:
    """Write ``value`` as indented JSON; NaN and infinity are refused, since JSON has neither."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | Path):
    """Read a JSON file, naming it in the error."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: not JSON ({error})") from None


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write one .npy file (never pickled)."""
    with atomic(path) as temporary, open(temporary, "wb") as handle:
        np.save(handle, np.ascontiguousarray(array), allow_pickle=False)


def read_array(path: str | Path) -> np.ndarray:
    """Memory-map one .npy file, read-only."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path}: not a whole .npy file ({error})") from None


def write_table(path: str | Path, table: pa.Table, kind: str, metadata: Mapping[str, object] | None = None) -> None:
    """Write a Parquet file whose schema metadata says what it is: ``selfloop.kind``, ``.version`` and ``metadata``.

    Same table, same bytes: no dates, one row group, the writer's settings fixed here.
    """
    from selfloop.contracts import check_table, schema_version

    check_table(table, kind, str(path))
    stamp = {"selfloop.kind": kind, "selfloop.version": str(schema_version(kind))}
    stamp |= {f"selfloop.{key}": _text(value) for key, value in (metadata or {}).items()}
    table = table.replace_schema_metadata(stamp)
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=max(1, len(table)), write_statistics=False)


def read_table(path: str | Path, kind: str, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet file and check its columns and types against the contract ``kind``.

    Metadata are not asked for, so that a file written by a script in another language is as good.
    """
    from selfloop.contracts import check_table

    table = read_parquet(path)
    check_table(table, kind, str(path))
    return table.select(columns) if columns else table


def read_parquet(path: str | Path, columns: list[str] | None = None) -> pa.Table:
    """Read any Parquet file, or those of ``columns`` that it has; a missing or damaged one is one clear line."""
    try:
        return pq.read_table(path, columns=columns, memory_map=True, partitioning=None)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (pa.ArrowInvalid, pa.ArrowIOError, OSError) as error:
        first_line = str(error).splitlines()[0]
        raise UserError(f"{path}: not a whole Parquet file ({first_line})") from None


def table_metadata(table: pa.Table) -> dict[str, str]:
    """Return the ``selfloop.*`` metadata of a table, without the prefix."""
    pairs = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    return {key.removeprefix("selfloop."): value for key, value in pairs.items() if key.startswith("selfloop.")}


def sha256(path: str | Path) -> str:
    """Return the hex SHA-256 of a file."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
