"""What the next model is trained on: pools, counts and D_{g+1} under each paradigm (docs/science.md, section 1)."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfloop.contracts import make_table
from selfloop.errors import UserError

PARADIGMS = ("replace", "accumulate", "subsample")


def real_count(size: int, real_fraction: float) -> int:
    """Return round(a N), the real items in every training set under a constant real fraction a."""
    return int(np.floor(real_fraction * size + 0.5))


def pool_generations(paradigm: str, generation: int) -> list[int]:
    """Return the generations whose items are candidates for D_{g+1}: {g}, or 0..g under ``subsample``.

    Rejected items of earlier generations stay candidates under ``subsample``.
    """
    return list(range(generation + 1)) if paradigm == "subsample" else [generation]


def items(embeddings: Sequence[pa.Table]) -> pa.Table:
    """Turn tables of embeddings, one a generation, into training-set rows; a row's place in its table is its index."""
    rows = [
        make_table(
            "training_set",
            sample_id=table.column("sample_id"),
            generation=table.column("generation"),
            index=np.arange(len(table)),
            label=table.column("label"),
            replicate=table.column("replicate"),
        )
        for table in embeddings
    ]
    return pa.concat_tables(rows)


def next_training_set(
    paradigm: str, pool: pa.Table, selected: np.ndarray, previous: pa.Table | None, real: pa.Table | None
) -> pa.Table:
    """Return D_{g+1}: the chosen of the pool, D_g under ``accumulate``, real items where a fraction is kept.

    ``pool``, ``previous`` (D_g) and ``real`` have training-set rows, ``selected`` is bool[len(pool)]. Rows stand in
    the order of (replicate, generation, index), real items first, whatever order the rule chose them in.
    """
    parts = [pool.filter(pa.array(selected))]
    if paradigm == "accumulate":
        parts.insert(0, previous)
    if real is not None:
        parts.insert(0, real)
    table = pa.concat_tables(parts)
    keys = [("replicate", "ascending"), ("generation", "ascending"), ("index", "ascending")]
    return table.take(pc.sort_indices(table, sort_keys=keys))


def check_counts(table: pa.Table, n_per_replicate: int, where: str) -> None:
    """Raise UserError unless every replicate has ``n_per_replicate`` rows and no sample stands twice."""
    if pc.count_distinct(table.column("sample_id")).as_py() != len(table):
        raise UserError(f"{where}: a sample stands twice in the training set")
    counts = replicate_counts(table)
    if set(counts) != {n_per_replicate}:
        raise UserError(f"{where}: {sorted(set(counts))} rows in a training set that must have {n_per_replicate}")


def replicate_counts(table: pa.Table) -> list[int]:
    """Return the number of rows of each replicate (one number where there are no replicates)."""
    return (
        table.group_by("replicate")
        .aggregate([("replicate", "count", pc.CountOptions(mode="all"))])["replicate_count"]
        .to_pylist()
    )


def fixed_real(real: pa.Table, n: int, rng: np.random.Generator) -> pa.Table:
    """Draw ``n`` real items per replicate, uniformly without replacement; the same rng state gives the same items."""
    chosen = [rng.permutation(rows)[:n] for rows in replicate_rows(real)]
    if any(len(rows) < n for rows in chosen):
        raise UserError(f"training_set.real_fraction asks for {n} real items, there are {min(map(len, chosen))}")
    return real.take(np.sort(np.concatenate(chosen)))


def replicate_rows(table: pa.Table) -> list[np.ndarray]:
    """Return the row positions of each replicate, in the order of replicates (one array where there are none)."""
    column = table.column("replicate")
    if column.null_count == len(column):
        return [np.arange(len(table))]
    replicate = column.to_numpy()
    order = np.argsort(replicate, kind="stable")
    borders = np.flatnonzero(np.diff(replicate[order])) + 1
    return np.split(order, borders)
