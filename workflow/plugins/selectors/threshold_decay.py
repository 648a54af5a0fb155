"""threshold_decay: threshold decay filter (arXiv 2509.16499, Algorithm 2).

From one random item, passes over the pool add each item farther than tau from everything chosen; tau falls by the
factor alpha. Score: the tau at which an item was added (the first has none); for the rejected, the distance to the
chosen set. The paper's tau0 is 60 for DINOv2-small features and 2,000 for 0..255 pixels, its alpha 0.95. Both schedules
choose the same items: a pass leaves none that is farther than tau, so the paper's next pass adds nothing.

selfloop: groups by replicate
"""

import sys
from typing import Literal

from selfloop.selection import threshold_decay
from selfloop.selector import Selection, selector_script


def select(
    pool,
    reference,
    n,
    rng,
    *,
    tau0: float | None = None,  # first threshold, a distance; None: from the start to its farthest item
    alpha: float = 0.95,  # factor of each decay, in [0, 1)
    schedule: Literal["paper", "released"] = "paper",  # decay after a pass that added nothing, or after every pass
    shuffle: bool = True,  # visit in a seeded random order, that favours no place; False: pool order
    start: int | None = None,  # position of the first item in the pool; None draws it
):
    """Choose n."""
    start = int(rng.integers(len(pool))) if start is None else start
    visiting = rng.permutation(len(pool)) if shuffle else None
    chosen = threshold_decay(pool, n, start, tau0=tau0, alpha=alpha, schedule=schedule, visiting=visiting)
    if chosen.copies:
        print(f"threshold_decay: {chosen.copies} of {n} chosen are copies of others: the pool has no more distinct "
              "points, no threshold lets copies in; they were taken by lowest position", file=sys.stderr)  # fmt: skip
    return Selection(chosen.order, chosen.score)


if __name__ == "__main__":
    selector_script(select)
