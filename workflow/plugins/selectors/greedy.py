"""greedy: farthest-point sampling (arXiv 2509.16499, Algorithm 1).

From one random item, repeatedly the item farthest from everything chosen. Score: that distance when it was chosen
(the first has none); for the rejected, the distance to the chosen set. It over-disperses: the chosen have a larger
spread and entropy than the pool, since outliers are always taken.

selfloop: groups by replicate
"""

import sys

from selfloop.selection import greedy
from selfloop.selector import Selection, selector_script


def select(pool, reference, n, rng, *, start: int | None = None):
    """Choose n. ``start``: position of the first item in the pool; None draws it."""
    chosen = greedy(pool, n, int(rng.integers(len(pool))) if start is None else start)
    if chosen.copies:
        print(f"greedy: {chosen.copies} of {n} chosen are copies of others: the pool has no more distinct points; "
              "they were taken by lowest position", file=sys.stderr)  # fmt: skip
    return Selection(chosen.order, chosen.score)


if __name__ == "__main__":
    selector_script(select)
