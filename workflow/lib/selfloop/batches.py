"""Batches of a fixed size: the last is padded to full size, so that no result depends on where a shard ends."""

from collections.abc import Callable, Mapping

import numpy as np

from selfloop.errors import UserError


def shard_rows(n: int, shard: int, shards: int, batch_size: int) -> np.ndarray:
    """Return the rows, int64, of one shard of ``n``: whole batches, spread evenly."""
    batches = -(-n // batch_size)
    if not 0 <= shard < shards <= batches:
        raise UserError(f"shard {shard} of {shards}: {n:,} items make {batches} batches of {batch_size}, so there can "
                        f"be at most {batches} shards, numbered from 0")  # fmt: skip
    first, last = (batches * k // shards * batch_size for k in (shard, shard + 1))
    return np.arange(min(first, n), min(last, n), dtype=np.int64)


def in_batches(function: Callable, columns: Mapping[str, np.ndarray], batch_size: int, progress=None) -> np.ndarray:
    """Apply ``function(first, **others)`` to batches of exactly ``batch_size`` rows and concatenate the answers.

    ``columns`` are arrays of N rows each; the first is passed by position. The last batch repeats its last row and
    the surplus of the answer is dropped. Raises UserError where an answer has the wrong number of rows.
    """
    (first, values), *others = columns.items()
    n = len(values)
    parts = []
    for start in range(0, n, batch_size):
        rows = np.minimum(np.arange(start, start + batch_size), n - 1)
        answer = np.asarray(function(values[rows], **{name: column[rows] for name, column in others}))
        if len(answer) != batch_size:
            raise UserError(f"the plug-in answered {len(answer)} items for a batch of {batch_size} {first}")
        kept = min(batch_size, n - start)
        parts.append(answer[:kept])
        if progress:
            progress(start + kept, n, work=kept)
    return np.concatenate(parts)
