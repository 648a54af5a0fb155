"""stratified: the same number of items from each generation in the pool, drawn uniformly (released code of 2509.16499).

With k generations each gives n // k; which n % k of them give one more is drawn with the seed.

selfloop: groups by replicate
"""

from selfloop.selection import stratified
from selfloop.selector import selector_script


def select(pool, reference, n, rng, *, table):
    """Return n positions; UserError when a generation has too few."""
    return stratified(table.column("generation").to_numpy(), n, rng)


if __name__ == "__main__":
    selector_script(select)
