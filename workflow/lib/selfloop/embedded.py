"""Embeddings files read as arrays: one feature space of several files, and the rows of a training set among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfloop.contracts import features
from selfloop.errors import UserError
from selfloop.files import read_table, table_metadata

_IDENTITY = ("extractor", "weights_sha256", "preprocessing")


@dataclass(frozen=True)
class Embedded:
    """Items in one feature space, in the order of the files and of their rows."""

    ids: pa.Array  # string[N]
    features: np.ndarray  # float32 N x d
    replicate: np.ndarray | None  # int32[N], or None where there are no replicates
    extractor: Mapping[str, str]  # metadata: extractor, weights_sha256, preprocessing
    label: pa.Array | None = None  # int32[N], null where unknown
    generation: np.ndarray | None = None  # int32[N]

    def take(self, rows: np.ndarray) -> "Embedded":
        """Return the items at the positions ``rows`` int64[]."""
        replicate, generation = (None if c is None else c[rows] for c in (self.replicate, self.generation))
        label = None if self.label is None else self.label.take(pa.array(rows))
        return Embedded(
            self.ids.take(pa.array(rows)), self.features[rows], replicate, self.extractor, label, generation
        )

    def classes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (labels int64[N], bool[N] where they are known)."""
        label = pa.nulls(len(self.features), pa.int32()) if self.label is None else self.label
        return label.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64), ~np.asarray(label.is_null())


def read_embedded(paths: Sequence[str], cache: dict | None = None) -> Embedded:
    """Read embeddings files of one feature space; UserError where they are of different extractors or dimensions.

    ``cache`` path -> Embedded keeps what was read, for a file that stands in more than one list.
    """
    cache = {} if cache is None else cache
    for path in paths:
        if path not in cache:
            cache[path] = _read_one(path)
    parts = [cache[path] for path in paths]
    for path, part in zip(paths, parts, strict=True):
        check_same_space(parts[0], part, paths[0], path)
    if len(parts) == 1:
        return parts[0]
    replicated = all(part.replicate is not None for part in parts)
    return Embedded(
        pa.concat_arrays([part.ids for part in parts]),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.replicate for part in parts]) if replicated else None,
        parts[0].extractor,
        pa.concat_arrays([part.label for part in parts]),
        np.concatenate([part.generation for part in parts]),
    )


def read_spaces(files: Mapping[str, Sequence[str]], spaces: Sequence[str]) -> dict[str, dict[str, Embedded]]:
    """Read sets of embeddings given as SPACE=FILE, each file once: set -> space -> Embedded (empty for a set of none).

    UserError when a space of ``spaces`` has no file in a set that has any, or when files of one space are of different
    extractors.
    """
    cache, result = {}, {}
    for name, options in files.items():
        paths: dict[str, list[str]] = {}
        for option in options:
            space, equals, path = option.partition("=")
            if not (space and equals and path):
                raise UserError(f"--{name}-embeddings: '{option}' is not SPACE=FILE")
            paths.setdefault(space, []).append(path)
        missing = [space for space in spaces if options and space not in paths]
        if missing:
            raise UserError(f"--{name}-embeddings: no file of space {', '.join(missing)} (has: {', '.join(paths)})")
        result[name] = {space: read_embedded(paths[space], cache) for space in spaces if options}
    for space in spaces:
        sets = [(f"{name} ({space})", of[space]) for name, of in result.items() if of]
        for name, other in sets[1:]:
            check_same_space(sets[0][1], other, sets[0][0], name)
    return result


def check_same_space(a: Embedded, b: Embedded, name_a: str, name_b: str) -> None:
    """Raise UserError unless both are features of one extractor with the same weights."""
    mine, yours = ((*e.extractor.values(), e.features.shape[1]) for e in (a, b))
    if mine != yours:
        raise UserError(f"{name_a} and {name_b} hold features of different spaces, which cannot be compared: "
                        f"{mine}, {yours}")  # fmt: skip


def first_rows(items: Embedded, n: int, where: str) -> Embedded:
    """Return the first ``n`` items, of each replicate where there are replicates."""
    groups = replicate_groups(items.replicate, len(items.features))
    shortest = min(map(len, groups))
    if shortest < n:
        raise UserError(f"{where}: {shortest} samples, fewer than the {n} to evaluate (evaluate.n)")
    return items.take(np.sort(np.concatenate([rows[:n] for rows in groups])))


def lookup(training_set: pa.Table, pool: Embedded) -> Embedded:
    """Return the rows of a training set, in its order, from the embeddings ``pool``; UserError where one is missing."""
    wanted = training_set.column("sample_id").combine_chunks().cast(pa.string())
    positions = pc.index_in(wanted, value_set=pool.ids)
    if positions.null_count:
        first = wanted[int(np.flatnonzero(positions.is_null())[0])].as_py()
        raise UserError(f"{positions.null_count} rows of the training set are in none of the pool's embeddings files, "
                        f"such as {first}")  # fmt: skip
    return pool.take(positions.to_numpy())


def replicate_groups(replicate: np.ndarray | None, n: int) -> list[np.ndarray]:
    """Return the row positions int64[] of each replicate, in the order of replicates (all rows if there are none)."""
    if replicate is None:
        return [np.arange(n)]
    order = np.argsort(replicate, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(replicate[order])) + 1)


def _read_one(path: str) -> Embedded:
    table = read_table(path, "embeddings")
    if not len(table):
        raise UserError(f"{path}: no rows")
    metadata = table_metadata(table)
    replicate = table.column("replicate")
    if 0 < replicate.null_count < len(table):
        raise UserError(f"{path}: 'replicate' is null in some rows and not in others")
    return Embedded(
        pa.concat_arrays(table.column("sample_id").cast(pa.string()).chunks),
        features(table),
        None if replicate.null_count else replicate.to_numpy(),
        {key: metadata.get(key, "unknown") for key in _IDENTITY},
        pa.concat_arrays(table.column("label").chunks),
        table.column("generation").to_numpy(),
    )
