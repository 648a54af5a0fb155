"""keep_all: choose the whole pool, the loop without selection. n must be "all" or the size of the pool.

selfloop: groups by replicate
"""

import numpy as np

from selfloop.errors import UserError
from selfloop.selector import selector_script


def select(pool, reference, n, rng):
    """Return every position."""
    if n != len(pool):
        raise UserError(f"keep_all: {n} of {len(pool)} items are wanted, and this rule keeps all; take random.py")
    return np.arange(n)


if __name__ == "__main__":
    selector_script(select)
