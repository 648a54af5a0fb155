"""Tiles against a stable sort of all distances, on integers, whose float32 products are exact: ties must be right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from selfloop import tiles
from selfloop.tiles import tile_candidates


def slow_candidates(queries, base, count, among):
    squared = ((queries[:, None].astype(np.float64) - base) ** 2).sum(axis=2)
    if among:
        np.fill_diagonal(squared, np.inf)
    order = np.argsort(squared, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(squared, order, axis=1), order


def check(queries, base, count):
    squared, positions = tile_candidates(queries, base, count)
    wanted = slow_candidates(queries, base, count, queries is base)
    assert np.array_equal(squared, wanted[0])
    assert np.array_equal(positions, wanted[1])


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(2, 60), m=st.integers(2, 60), d=st.integers(1, 4), high=st.integers(1, 6), side=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1), data=st.data(),
)  # fmt: skip
def test_equal_a_stable_sort_with_ties_and_copies(n, m, d, high, side, seed, data):
    rng = np.random.default_rng(seed)
    base, queries = (rng.integers(0, high, (size, d)).astype(np.float32) for size in (n, m))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "_SIDE", side)
        check(base, base, data.draw(st.integers(1, n - 1)))
        check(queries, base, data.draw(st.integers(1, n)))


def test_all_alike_is_not_slow_and_right():
    """Each row of each tile is one tie: what passes must not grow with the square of the number of items."""
    items = np.ones((3000, 2), np.float32)
    squared, positions = tile_candidates(items, items, 3)
    assert not squared.any()
    assert positions[0].tolist() == [1, 2, 3] and (positions[3:] == [0, 1, 2]).all()


@pytest.mark.parametrize("among", [True, False])
def test_threads_do_not_matter(among, monkeypatch):
    monkeypatch.setattr(tiles, "_SIDE", 50)
    base = np.random.default_rng(0).standard_normal((600, 20)).astype(np.float32).round(1)
    queries = base if among else base[::-1].copy()
    answers = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads, "blas"):
            answers.append(tile_candidates(queries, base, 7))
    for other in answers[1:]:
        assert all(np.array_equal(x, y) for x, y in zip(answers[0], other, strict=True))
