"""greedy: farthest-point sampling (arXiv 2509.16499, Algorithm 1).

From one random item, repeatedly the item farthest from everything chosen. Score: that distance when it was chosen
(the first has none); for the rejected, the distance to the chosen set. It over-disperses: the chosen have a larger
spread and entropy than the pool, since outliers are always taken.

selfloop: groups by replicate
"""

import sys
from typing import Literal

from selfloop.errors import UserError
from selfloop.selection import greedy
from selfloop.selector import Selection, selector_script


def select(
    pool,
    reference,
    n,
    rng,
    *,
    start: int | None = None,  # position of the first item in the pool; None draws it
    device: Literal["cpu", "cuda"] = "cpu",  # a GPU chooses the same up to float32 near-ties
):
    """Choose n."""
    start = int(rng.integers(len(pool))) if start is None else start
    chosen = _engine(device)(pool, n, start)
    if chosen.copies:
        print(f"greedy: {chosen.copies} of {n} chosen are copies of others: the pool has no more distinct points; "
              "they were taken by lowest position", file=sys.stderr)  # fmt: skip
    return Selection(chosen.order, chosen.score)


def _engine(device):
    if device == "cpu":
        return greedy
    if device != "cuda":
        raise UserError(f"greedy: device is '{device}': it must be cpu or cuda")
    from selfloop import selection_torch

    return selection_torch.greedy


if __name__ == "__main__":
    selector_script(select)
