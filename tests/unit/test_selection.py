"""Selection rules against pinned values (science.md of arXiv 2509.16499) and against slow float64 references."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from selfloop.errors import UserError
from selfloop.selection import greedy, stratified, threshold_decay, uniform

LINE = np.array([[0], [1], [2], [3], [10]], np.float32)
GRID = np.array([[i, j] for i in range(3) for j in range(3)], np.float32)
TOLERANCE = 1e-5  # float32 near-ties: relative, on distances


def all_distances(features: np.ndarray) -> np.ndarray:
    """Float64 N x N in the difference form: no cancellation."""
    x = features.astype(np.float64)
    return np.stack([np.sqrt(((x - row) ** 2).sum(axis=1)) for row in x])


def slow_greedy(features: np.ndarray, n: int, start: int) -> list[int]:
    distance = all_distances(features)
    order = [start]
    while len(order) < n:
        nearest = distance[:, order].min(axis=1)
        nearest[order] = -1
        order.append(int(nearest.argmax()))
    return order


def slow_threshold_decay(features, n, start, tau0, alpha, schedule, visiting) -> list[int]:
    """Algorithm 2 as written: one candidate at a time, one decay at a time."""
    distance = all_distances(features)
    order, decays = [start], 0
    tau0 = distance[start].max() if tau0 is None else tau0
    while len(order) < n:
        rest = [i for i in range(len(features)) if i not in order]
        if distance[np.ix_(rest, order)].min(axis=1).max() == 0:
            return order + rest[: n - len(order)]
        before = len(order)
        for i in visiting:
            if len(order) < n and i not in order and distance[i, order].min() > tau0 * alpha**decays:
                order.append(int(i))
        decays += schedule == "released" or len(order) == before
    return order


@st.composite
def integer_pools(draw):
    """Small integers: ties and copies everywhere, distances exact in float32."""
    size, d = draw(st.integers(1, 60)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    unit = 2.0 ** draw(st.integers(-20, 20))
    return (rng.integers(0, draw(st.integers(1, 6)), (size, d)) * unit).astype(np.float32)


@st.composite
def float_pools(draw):
    """Any scale and offset, clusters much tighter than their distance from the origin, near and exact copies."""
    size, d = draw(st.integers(1, 200)), draw(st.sampled_from([1, 2, 5, 40]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    centres = rng.standard_normal((draw(st.integers(1, 4)), d)) * draw(st.sampled_from([0.0, 1.0, 1e3]))
    spread = draw(st.sampled_from([1e-6, 1e-3, 1.0]))
    x = centres[rng.integers(0, len(centres), size)] + spread * rng.standard_normal((size, d))
    x = x[rng.integers(0, size, size)] if draw(st.booleans()) else x
    x = x + draw(st.sampled_from([0.0, 100.0]))
    return (x * draw(st.sampled_from([1e-6, 1.0, 1e6]))).astype(np.float32)


@pytest.mark.parametrize(
    ("features", "n", "wanted"), [(LINE, 4, [0, 4, 3, 1]), (GRID, 5, [0, 8, 2, 6, 4])], ids=["line", "grid"]
)
def test_greedy_pinned(features, n, wanted):
    assert greedy(features, n, start=0).order.tolist() == wanted


def test_greedy_scores():
    chosen = greedy(LINE, 4, start=0)
    assert chosen.score.mask.tolist() == [True, False, False, False, False]
    assert chosen.score.data[1:].tolist() == [1, 1, 3, 10]  # 2 is rejected, at distance 1 from the chosen


@pytest.mark.parametrize("schedule", ["paper", "released"])
@pytest.mark.parametrize(
    ("features", "n", "tau0", "wanted"),
    [(LINE, 4, 4.0, [0, 4, 3, 1]), (LINE, 4, 0.0, [0, 1, 2, 3]), (np.ones((5, 2), np.float32), 3, 4.0, [0, 1, 2])],
    ids=["line", "tau0 0", "copies"],
)
def test_threshold_decay_pinned(features, n, tau0, wanted, schedule):
    chosen = threshold_decay(features, n, 0, tau0=tau0, alpha=0.5, schedule=schedule)
    assert chosen.order.tolist() == wanted


def test_a_threshold_of_nothing_where_the_processor_flushes_denormals():
    """Squares below the smallest normal number are then 0 to a square root, whatever is left of them."""
    torch.set_flush_denormal(True)
    try:
        for tau0 in (0.0, 1e-300, 1e-160):
            assert threshold_decay(LINE, 4, 0, tau0=tau0).order.tolist() == [0, 1, 2, 3]
    finally:
        torch.set_flush_denormal(False)


def test_threshold_decay_scores():
    chosen = threshold_decay(LINE, 4, 0, tau0=4.0, alpha=0.5)
    assert chosen.score.mask.tolist() == [True, False, False, False, False]
    assert chosen.score.data[1:].tolist() == [0.5, 1.0, 2.0, 4.0]  # 10 at tau 4, 3 at 2, 1 at 0.5; 2 is 1 away


def test_threshold_decay_strictly_greater():
    """tau0 None is the distance to the farthest item, which is therefore not added before the first decay."""
    chosen = threshold_decay(LINE, 2, 0, alpha=0.9)
    assert chosen.order.tolist() == [0, 4]
    assert chosen.score[4] == pytest.approx(9.0)


@pytest.mark.parametrize("rule", [greedy, threshold_decay])
def test_copies_are_counted_and_fill_by_lowest_position(rule):
    features = np.array([[5], [5], [7], [5], [7], [7]], np.float32)
    chosen = rule(features, 5, 3)
    assert chosen.order.tolist() == [3, 2, 0, 1, 4]
    assert chosen.copies == 3
    assert chosen.score[[0, 1, 4, 5]].tolist() == [0, 0, 0, 0]


@settings(deadline=None, max_examples=150)
@given(integer_pools(), st.data())
def test_greedy_equals_the_slow_one_on_integers(features, data):
    n = data.draw(st.integers(1, len(features)))
    start = data.draw(st.integers(0, len(features) - 1))
    assert greedy(features, n, start).order.tolist() == slow_greedy(features, n, start)


@settings(deadline=None, max_examples=150)
@given(integer_pools(), st.data())
def test_threshold_decay_equals_the_slow_one_on_integers(features, data):
    n = data.draw(st.integers(1, len(features)))
    start = data.draw(st.integers(0, len(features) - 1))
    unit = float(np.abs(features).max()) or 1.0
    tau0 = data.draw(st.sampled_from([None, 0.0, unit / 2, unit, 3 * unit]))
    alpha = data.draw(st.sampled_from([0.0, 0.5, 0.95]))
    schedule = data.draw(st.sampled_from(["paper", "released"]))
    visiting = np.random.default_rng(data.draw(st.integers(0, 99))).permutation(len(features))
    ours = threshold_decay(features, n, start, tau0=tau0, alpha=alpha, schedule=schedule, visiting=visiting)
    assert ours.order.tolist() == slow_threshold_decay(features, n, start, tau0, alpha, schedule, visiting)


def check_greedy(features, n, start):
    chosen = greedy(features, n, start)
    assert len(chosen.order) == n
    check_chosen(chosen, features, start)


def check_chosen(chosen, features, start):
    """Each is the farthest of those left, up to float32 near-ties, and the scores are the distances."""
    assert len(set(chosen.order.tolist())) == len(chosen.order)
    distance = all_distances(features)
    nearest = distance[start].copy()
    left = np.ones(len(features), bool)
    left[start] = False
    for position in chosen.order[1:]:
        assert nearest[position] >= (1 - TOLERANCE) * nearest[left].max()
        assert abs(chosen.score.data[position] - nearest[position]) <= TOLERANCE * nearest[position]
        left[position] = False
        nearest = np.minimum(nearest, distance[position])
    rejected = np.flatnonzero(left)
    np.testing.assert_allclose(chosen.score[rejected].filled(np.nan), nearest[rejected], rtol=TOLERANCE)


@settings(deadline=None, max_examples=150)
@given(float_pools(), st.data())
def test_greedy_takes_the_farthest_up_to_near_ties(features, data):
    check_greedy(features, data.draw(st.integers(1, len(features))), data.draw(st.integers(0, len(features) - 1)))


@settings(deadline=None, max_examples=150)
@given(float_pools(), st.data())
def test_threshold_decay_adds_above_tau_only(features, data):
    n = data.draw(st.integers(1, len(features)))
    chosen = threshold_decay(features, n, 0, alpha=data.draw(st.sampled_from([0.0, 0.5, 0.95])))
    assert len(set(chosen.order.tolist())) == n
    distance = all_distances(features)
    for k in range(1, n - chosen.copies):
        tau = chosen.score[chosen.order[k]]
        assert distance[chosen.order[k], chosen.order[:k]].min() > tau * (1 - TOLERANCE)
        if k > 1 and (previous := chosen.score[chosen.order[k - 1]]) > tau:  # the pass at the larger tau left nothing
            left = np.setdiff1d(np.arange(len(features)), chosen.order[:k])
            assert distance[np.ix_(left, chosen.order[:k])].min(axis=1).max() <= previous * (1 + TOLERANCE)


@pytest.mark.parametrize("spread", [1.0, 1e-2, 1e-4, 1e-6], ids=str)
def test_greedy_over_many_blocks_in_many_dimensions(spread):
    """Several blocks and compactions; clusters so tight that float32 products (1e-4) and float64 ones (1e-6) cancel."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((5, 96))
    features = (centres[rng.integers(0, 5, 2000)] + spread * rng.standard_normal((2000, 96))).astype(np.float32)
    check_greedy(features, 1000, start=7)


def test_near_copies_beside_a_large_offset():
    """Distances of 1 ulp at 4096: through ||x||^2 + ||y||^2 - 2xy in float32 they are noise of about 8."""
    features = np.full((6, 2), 4096, np.float32)
    features[:, 0] += np.array([0, 1, 2, 4, 7, 5000]) * 2.0**-11
    assert greedy(features, 5, start=0).order.tolist() == [0, 5, 4, 3, 2]


def test_only_copies_and_one_point():
    assert greedy(np.ones((1, 3), np.float32), 1, 0).order.tolist() == [0]
    assert threshold_decay(np.ones((1, 3), np.float32), 1, 0).order.tolist() == [0]
    assert greedy(np.zeros((4, 1), np.float32), 4, 2).order.tolist() == [2, 0, 1, 3]


def test_features_are_not_changed():
    features = np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32)
    before = features.copy()
    greedy(features, 50, 0)
    assert np.array_equal(features, before)


def test_same_bits_whatever_the_number_of_threads():
    features = np.random.default_rng(0).standard_normal((5000, 30)).astype(np.float32)
    answers = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads, user_api="blas"):
            answers.append(greedy(features, 2500, 0))
            assert {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"} == {
                threads
            }
    for answer in answers[1:]:
        assert np.array_equal(answer.order, answers[0].order)
        assert np.array_equal(answer.score.filled(-1), answers[0].score.filled(-1))


def test_uniform_is_seeded_and_without_repeats():
    first, second = (uniform(100, 40, np.random.default_rng(seed)) for seed in (0, 1))
    assert len(set(first.tolist())) == 40
    assert not np.array_equal(first, second)
    assert np.array_equal(first, uniform(100, 40, np.random.default_rng(0)))
    counts = np.bincount(np.concatenate([uniform(10, 5, np.random.default_rng(s)) for s in range(2000)]))
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(2000 * 0.25)  # binomial(2000, 1/2), 4 standard errors


def test_stratified_takes_the_same_from_each_generation():
    generation = np.repeat([0, 1, 3], [20, 30, 40])
    chosen = stratified(generation, 24, np.random.default_rng(0))
    assert np.bincount(generation[chosen]).tolist() == [8, 8, 0, 8]


def test_stratified_draws_who_gives_the_remainder():
    generation = np.repeat([0, 1, 2], 10)
    extra = [np.bincount(generation[stratified(generation, 16, np.random.default_rng(s))]) for s in range(30)]
    assert all(sorted(counts.tolist()) == [5, 5, 6] for counts in extra)
    assert {int(counts.argmax()) for counts in extra} == {0, 1, 2}


def test_stratified_refuses_a_short_generation():
    with pytest.raises(UserError, match="generation 1 has 3 items in the pool and 5 are wanted"):
        stratified(np.repeat([0, 1], [20, 3]), 10, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tau0": -1.0}, "tau0 is -1.0: it must be a distance >= 0"),
        ({"tau0": "far"}, "tau0 is 'far'"),
        ({"alpha": 1.0}, "alpha is 1.0: it must be at least 0 and below 1"),
        ({"schedule": "slow"}, "schedule is 'slow': it must be one of paper, released"),
    ],
)
def test_threshold_decay_refuses(arguments, message):
    with pytest.raises(UserError, match=message):
        threshold_decay(LINE, 2, 0, **arguments)


@pytest.mark.parametrize("rule", [greedy, threshold_decay])
def test_refuses_impossible_numbers(rule):
    with pytest.raises(UserError, match="cannot choose 6 of 5 items"):
        rule(LINE, 6, 0)
    with pytest.raises(UserError, match="start is 5: it must be a position in the pool, 0 to 4"):
        rule(LINE, 2, 5)
