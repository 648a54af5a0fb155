"""Neighbours against a float64 brute force that takes differences, one pair at a time."""

import os
import sys
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfloop import neighbours, tiles
from selfloop.errors import UserError
from selfloop.neighbours import nearest, nearest_others, pairwise

# Sums of d squares in two orders differ by at most d roundings, and the root halves that.
RELATIVE = 1e-12


def slow_nearest(queries, base, k, own=None):
    distances = np.empty((len(queries), k))
    for i, q in enumerate(queries):
        all_of_them = np.array([np.linalg.norm(q.astype(np.float64) - b.astype(np.float64)) for b in base])
        if own is not None:
            all_of_them[own[i]] = np.inf
        distances[i] = np.sort(all_of_them)[:k]
    return distances


def check(queries, base, k, own=None):
    distances, positions = nearest(queries, base, k, own=own)
    assert distances.dtype == np.float64 and positions.dtype == np.int64
    np.testing.assert_allclose(distances, slow_nearest(queries, base, k, own), rtol=RELATIVE)
    found = np.linalg.norm(queries[:, None].astype(np.float64) - base[positions], axis=2)
    np.testing.assert_allclose(found, distances, rtol=RELATIVE, err_msg="positions are not those of the distances")
    assert own is None or not (positions == own[:, None]).any(), "an item is its own neighbour"
    assert all(len(set(row)) == k for row in positions), "one item twice among the neighbours of another"


def clusters(rng, n, d, spread, offset=0.0):
    """Return float32 n x d in ten tight clusters far apart, ``spread`` wide, ``offset`` away from the origin."""
    centres = 10.0 * rng.standard_normal((10, d)) + offset
    return (centres[rng.integers(0, 10, n)] + spread * rng.standard_normal((n, d))).astype(np.float32)


@pytest.fixture(params=["brute", "tiles", "faiss"])
def engine(request, monkeypatch):
    monkeypatch.setattr(neighbours, "_BRUTE_VALUES", 2**40 if request.param == "brute" else 0)
    monkeypatch.setattr(neighbours, "_FAISS_PAIRS", 0 if request.param == "faiss" else 2**40)
    monkeypatch.setattr(tiles, "_SIDE", 64)


@pytest.mark.parametrize("d", [1, 3, 64])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_random_items(engine, d, k):
    rng = np.random.default_rng(d)
    base = rng.standard_normal((150, d)).astype(np.float32)
    check(rng.standard_normal((60, d)).astype(np.float32), base, k)
    check(base, base, k, np.arange(150))


def test_exact_duplicates_stay_neighbours_of_each_other(engine):
    base = np.repeat(np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32), 15, axis=0)
    distances, positions = nearest_others(base, 3)
    assert (distances == 0).all(), "15 copies each: the three nearest others are at distance 0"
    assert (positions != np.arange(300)[:, None]).all(), "an item is its own neighbour"
    assert (positions // 15 == (np.arange(300) // 15)[:, None]).all(), "a neighbour is of another set of copies"


@pytest.mark.parametrize("spread", [1e-2, 1e-4, 1e-6])
def test_near_duplicates_far_apart_are_resolved(engine, spread):
    """Within a cluster float32 ||x||^2 + ||y||^2 - 2xy is all rounding error: 1e-7 * 10^2 * 64 against spread^2."""
    items = clusters(np.random.default_rng(1), 300, 64, spread)
    check(items, items, 3, np.arange(300))


@pytest.mark.parametrize("offset", [1e3, 1e5])
def test_a_large_offset_does_not_matter(engine, offset):
    items = (np.random.default_rng(2).standard_normal((300, 16)) + offset).astype(np.float32)
    check(items, items, 2, np.arange(300))


def test_plain_faiss_gets_the_cluster_wrong():
    """The test data are hard: faiss alone is off by more than the distances themselves."""
    import faiss

    items = clusters(np.random.default_rng(1), 3000, 64, 1e-4)
    index = faiss.IndexFlatL2(64)
    index.add(items)
    squared = index.search(items, 2)[0][:, 1]
    truth = nearest_others(items, 1)[0][:, 0]
    assert np.median(np.abs(np.sqrt(np.maximum(squared, 0)) - truth) / truth) > 0.5, "plain faiss is good enough now"


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 40), d=st.integers(1, 6), exponent=st.integers(-30, 30), distinct=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1), brute=st.booleans(), side=st.sampled_from([1, 5, 64]),
    dtype=st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
def test_any_scale_and_any_duplicates(n, d, exponent, distinct, seed, brute, side, dtype):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((distinct, d)) * 10.0**exponent
    items = values[rng.integers(0, distinct, n)].astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_BRUTE_VALUES", 2**40 if brute else 0)
        patch.setattr(tiles, "_SIDE", side)
        check(items, items, min(2, n - 1), np.arange(n))
        check(items, items + items[::-1], min(2, n))


def test_scaling_by_a_power_of_two_scales_to_the_bit(engine):
    items = np.random.default_rng(3).standard_normal((200, 10)).astype(np.float32)
    distances, positions = nearest_others(items, 2)
    scaled, same = nearest_others(items * np.float32(2.0**40), 2)
    assert np.array_equal(scaled, distances * 2.0**40) and np.array_equal(positions, same)


def test_ties_stand_in_order_of_position(engine):
    base = np.array([[1.0], [-1.0], [5.0], [9.0]], dtype=np.float32)
    assert nearest(np.zeros((1, 1), np.float32), base, 2)[1].tolist() == [[0, 1]]


def test_rows_of_a_larger_set():
    items = np.random.default_rng(4).standard_normal((400, 5)).astype(np.float32)
    rows = np.array([399, 0, 17])
    for part, whole in zip(nearest_others(items, 2, rows), nearest_others(items, 2), strict=True):
        assert np.array_equal(part, whole[rows])


def test_a_doubtful_row_is_searched_again_in_blocks(monkeypatch):
    monkeypatch.setattr(neighbours, "_CHUNK", 1000)
    monkeypatch.setattr(neighbours, "_BRUTE_VALUES", 0)
    items = clusters(np.random.default_rng(5), 200, 12, 1e-5)
    check(items, items, 2, np.arange(200))


def test_the_gpu_index_is_used_where_there_is_one(monkeypatch):
    """Only the wiring: the same search answers, and the index went through index_cpu_to_all_gpus."""
    import faiss

    moved = []
    fake = types.SimpleNamespace(
        IndexFlatL2=faiss.IndexFlatL2,
        get_num_gpus=lambda: 1,
        index_cpu_to_all_gpus=lambda index: moved.append(index) or index,
    )
    monkeypatch.setitem(sys.modules, "faiss", fake)
    monkeypatch.setattr(neighbours, "_FAISS_PAIRS", 100 * 100)
    items = np.random.default_rng(6).standard_normal((100, 200)).astype(np.float32)
    check(items, items, 1, np.arange(100))
    assert len(moved) == 1, "100 x 100 pairs are enough here, and one search makes one index"
    nearest(items[:99], items, 1)
    assert len(moved) == 1, "too few pairs for a GPU"


def test_the_environment_is_as_before_the_import_of_faiss(monkeypatch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    neighbours.import_faiss()
    assert "OPENBLAS_CORETYPE" not in os.environ
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Zen")
    neighbours.import_faiss()
    assert os.environ["OPENBLAS_CORETYPE"] == "Zen", "the user's own setting is kept"


def test_pairwise():
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((30, 4)).astype(np.float32), rng.standard_normal((20, 4)).astype(np.float32)
    np.testing.assert_allclose(pairwise(a, b), slow_all(a, b), rtol=RELATIVE)
    assert (np.diag(pairwise(a, a)) == 0).all()


def slow_all(a, b):
    return np.array([[np.linalg.norm(x.astype(float) - y.astype(float)) for y in b] for x in a])


@pytest.mark.parametrize(
    ("queries", "base", "k", "own", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 2)), 3, np.arange(3), "3 nearest neighbours were asked for among 2 items"),
        (np.zeros((3, 2)), np.zeros((0, 2)), 1, None, "1 nearest neighbours were asked for among 0 items"),
        (np.zeros((3, 2)), np.zeros((3, 4)), 1, None, "features of 2 and of 4 dimensions cannot be compared"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), 1, None, "features hold NaN or infinity"),
        (np.zeros((3, 2)), np.array([[0, np.inf]]), 1, None, "features hold NaN or infinity"),
    ],
)
def test_mistakes(queries, base, k, own, message):
    with pytest.raises(UserError, match=message):
        nearest(queries, base, k, own=own)
