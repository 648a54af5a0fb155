"""greedy_coreset: farthest-point sampling in two rounds, for pools of which exact greedy would take too long.

Random shards of the pool choose by greedy, then greedy chooses from the union of their choices (Malkomes et al. 2015).
Each shard puts forward factor * n / shards candidates, at most n; with factor >= shards the largest distance of an item
to the chosen is at most 4 times the smallest possible. Score: of the chosen, the distance to those chosen before (the
first has none); the rejected have none.

selfloop: groups by replicate
"""

import sys

from selfloop.coreset import greedy_coreset
from selfloop.selector import Selection, selector_script


def select(
    pool,
    reference,
    n,
    rng,
    *,
    shards: int = 16,  # number of random shards, 1 is exact greedy
    factor: float = 2.0,  # candidates of all shards together, in units of n; at least 1
    start: int | None = None,  # position of the first item in the pool; None draws it
):
    """Choose n."""
    start = int(rng.integers(len(pool))) if start is None else start
    chosen = greedy_coreset(pool, n, start, rng, shards=min(shards, len(pool)), factor=factor)
    if chosen.copies:
        print(f"greedy_coreset: {chosen.copies} of {n} chosen are copies of others: their shards had no more distinct "
              "points", file=sys.stderr)  # fmt: skip
    return Selection(chosen.order, chosen.score)


if __name__ == "__main__":
    selector_script(select)
