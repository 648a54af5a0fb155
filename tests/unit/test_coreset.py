"""Two-round greedy: one shard is exact greedy, the bound of the covering radius, what it holds and refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_selection import all_distances, float_pools, integer_pools

from selfloop.coreset import covering_radius, greedy_coreset
from selfloop.errors import UserError
from selfloop.selection import greedy


def radius(features, chosen):
    return all_distances(features)[:, chosen].min(axis=1).max()


@settings(deadline=None, max_examples=60)
@given(integer_pools(), st.data())
def test_one_shard_is_exact_greedy(features, data):
    n, start = data.draw(st.integers(1, len(features))), data.draw(st.integers(0, len(features) - 1))
    ours = greedy_coreset(features, n, start, np.random.default_rng(0), shards=1, factor=len(features))
    assert ours.order.tolist() == greedy(features, n, start).order.tolist()


@settings(deadline=None, max_examples=60)
@given(float_pools(), st.data())
def test_chooses_n_from_the_start_within_four_times_the_best_radius(features, data):
    """Greedy's radius is at least the best one, so four times it bounds ours wherever the shards choose n."""
    n, start = data.draw(st.integers(1, len(features))), data.draw(st.integers(0, len(features) - 1))
    shards = data.draw(st.integers(1, min(8, len(features))))
    chosen = greedy_coreset(features, n, start, np.random.default_rng(1), shards=shards, factor=shards)
    assert chosen.order[0] == start
    assert len(set(chosen.order.tolist())) == n
    exact = radius(features, greedy(features, n, start).order)
    assert radius(features, chosen.order) <= 4 * exact * (1 + 1e-5)


@pytest.mark.parametrize("factor", [1.0, 2.0, 5.0])
def test_few_candidates_cover_nearly_as_well(factor):
    features = np.random.default_rng(0).standard_normal((4000, 16)).astype(np.float32)
    exact = radius(features, greedy(features, 400, 0).order)
    chosen = greedy_coreset(features, 400, 0, np.random.default_rng(2), shards=10, factor=factor)
    assert radius(features, chosen.order) < 1.2 * exact


def test_scores_are_distances_to_those_chosen_before():
    features = np.random.default_rng(3).standard_normal((300, 5)).astype(np.float32)
    chosen = greedy_coreset(features, 40, 7, np.random.default_rng(3), shards=4)
    distance = all_distances(features)
    assert chosen.score.count() == 39 and chosen.score.mask[7]
    for k in range(1, 40):
        before = distance[chosen.order[k], chosen.order[:k]].min()
        assert chosen.score[chosen.order[k]] == pytest.approx(before, rel=1e-5)


def test_a_memory_map_is_read_and_a_seed_is_all_that_matters(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(4).standard_normal((500, 6)).astype(np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    a, b, c = (greedy_coreset(x, 50, 3, np.random.default_rng(seed), shards=5).order
               for x, seed in ((mapped, 0), (np.array(mapped), 0), (mapped, 1)))  # fmt: skip
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    assert np.array_equal(greedy(mapped, 50, 3).order, greedy(np.array(mapped), 50, 3).order)


@settings(deadline=None, max_examples=40)
@given(float_pools(), st.data())
def test_covering_radius(features, data):
    n = data.draw(st.integers(1, len(features)))
    chosen = np.random.default_rng(0).permutation(len(features))[:n]
    assert covering_radius(features, chosen) == pytest.approx(radius(features, chosen), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shards": 0}, "shards is 0: it must be 1 to 10"),
        ({"shards": 11}, "shards is 11: it must be 1 to 10"),
        ({"shards": 2, "factor": 0.5}, "factor is 0.5: it must be at least 1"),
        ({"shards": 2, "factor": float("inf")}, "factor is inf: it must be at least 1"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(UserError, match=message):
        greedy_coreset(np.zeros((10, 2), np.float32), 5, 0, np.random.default_rng(0), **options)
