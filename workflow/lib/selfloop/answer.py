"""The answer of a selection rule: one row per candidate, checked before anything is made of it."""

import numpy as np
import pyarrow as pa

from selfloop.contracts import check_table, make_table
from selfloop.errors import UserError


def count(n: int | str, size: int) -> int:
    """Return n, the number wanted of a pool of ``size``, or "all" of it, as an integer; UserError if it cannot be."""
    if n == "all":
        return size
    if not str(n).isdecimal() or not 1 <= int(n) <= size:
        raise UserError(f"--n is {n}: it must be 'all' or 1 to {size}, the items in the pool")
    return int(n)


def check_answer(answer: pa.Table, pool: pa.Table, n: int | str, where: str) -> pa.Table:
    """Return a selector's answer in pool order as a table of kind "selection"; UserError, naming ``where``, if wrong.

    ``pool`` has ``sample_id`` and, if there are any, ``replicate``. Checked: columns and types; the same ids as the
    pool, each once; exactly ``n`` selected in each replicate ("all": every one); finite scores; ranks 0 to n - 1 for
    the selected and none for the rejected.
    """
    import pyarrow.compute as pc

    from selfloop.training_set import replicate_rows

    check_table(answer, "selector_answer", where)
    ids = answer.column("sample_id").cast(pa.string()).combine_chunks()
    wanted = pool.column("sample_id").cast(pa.string()).combine_chunks()
    _check_ids(ids, wanted, where)
    answer = answer.take(pc.index_in(wanted, value_set=ids))
    selected = answer.column("selected").to_numpy()
    score = _numbers(answer, "score", pa.float64(), where)
    rank = _numbers(answer, "rank", pa.int64(), where)
    if score is not None and not np.isfinite(score.drop_null().to_numpy()).all():
        row = int(np.flatnonzero(~np.isfinite(score.fill_null(0).to_numpy()))[0])
        raise UserError(f"{where}: the score of '{wanted[row]}' is {score[row]}; leave it null where there is none")
    groups = replicate_rows(pool) if "replicate" in pool.column_names else [np.arange(len(pool))]
    for rows in groups:
        part = where if len(groups) == 1 else f"{where}, replicate {pool.column('replicate')[int(rows[0])]}"
        wanted_here = count(n, len(rows))
        if (found := int(selected[rows].sum())) != wanted_here:
            raise UserError(f"{part}: {found} of {len(rows)} items are selected, not {wanted_here}")
        if rank is not None and rank.null_count < len(rank):
            _check_ranks(rank.take(rows), selected[rows], part)
    return make_table("selection", sample_id=wanted, selected=selected, score=score, rank=rank)


def _check_ids(ids: pa.Array, wanted: pa.Array, where: str) -> None:
    import pyarrow.compute as pc

    for name, column in (("it", ids), ("the pool", wanted)):
        counts = pc.value_counts(column)
        if len(counts) < len(column):
            twice = counts.filter(pc.greater(counts.field("counts"), 1))
            example = twice.field("values")[0]
            raise UserError(f"{where}: {name} has {len(twice)} ids more than once, such as '{example}'")
    unknown = ids.filter(pc.invert(pc.is_in(ids, value_set=wanted)))
    if len(unknown):
        raise UserError(f"{where}: {len(unknown)} ids are not in the pool, such as '{unknown[0]}'")
    missing = wanted.filter(pc.invert(pc.is_in(wanted, value_set=ids)))
    if len(missing):
        raise UserError(f"{where}: {len(missing)} of the pool's {len(wanted)} ids are missing, such as '{missing[0]}'; "
                        "it must have one row per pool item, rejected ones included")  # fmt: skip


def _numbers(answer: pa.Table, name: str, kind: pa.DataType, where: str) -> pa.Array | None:
    """Return an optional column as ``kind``, or None where the answer has none."""
    if name not in answer.column_names or pa.types.is_null(answer.schema.field(name).type):
        return None
    found = answer.schema.field(name).type
    if not (pa.types.is_integer(found) or (pa.types.is_floating(found) and pa.types.is_floating(kind))):
        raise UserError(f"{where}: column '{name}' is {found}, not {kind}")
    return answer.column(name).cast(kind).combine_chunks()


def _check_ranks(rank: pa.Array, selected: np.ndarray, where: str) -> None:
    ranked = ~rank.is_null().to_numpy(zero_copy_only=False)
    if wrong := int((ranked != selected).sum()):
        raise UserError(f"{where}: {wrong} items are rejected and have a rank, or are selected and have none")
    if not np.array_equal(np.sort(rank.drop_null().to_numpy()), np.arange(selected.sum())):
        raise UserError(f"{where}: the ranks of the {int(selected.sum())} selected are not 0, 1, ..., each once")
