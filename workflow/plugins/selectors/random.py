"""random: n of the pool, uniform without replacement: the paired control of every other rule.

selfloop: groups by replicate
"""

from selfloop.selection import uniform
from selfloop.selector import selector_script


def select(pool, reference, n, rng):
    """Return n positions, drawn without looking at the features."""
    return uniform(len(pool), n, rng)


if __name__ == "__main__":
    selector_script(select)
