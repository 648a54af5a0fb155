"""The torch engine of greedy, on torch's CPU device: the slow reference, the numpy engine, ties, copies, mistakes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_selection import GRID, LINE, check_chosen, float_pools, integer_pools, slow_greedy

from selfloop import selection, selection_torch
from selfloop.errors import UserError


def greedy(features, n, start):
    return selection_torch.greedy(features, n, start, device="cpu")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks, several runs of picks and several parts of an update, on small pools too."""
    monkeypatch.setattr(selection_torch, "_BLOCK", 16)
    monkeypatch.setattr(selection_torch, "_PICKS", 3)
    monkeypatch.setattr(selection_torch, "_PAIRS", 64)


@pytest.mark.parametrize(
    ("features", "n", "wanted"), [(LINE, 4, [0, 4, 3, 1]), (GRID, 5, [0, 8, 2, 6, 4])], ids=["line", "grid"]
)
def test_pinned(features, n, wanted):
    assert greedy(features, n, 0).order.tolist() == wanted


@settings(deadline=None, max_examples=100)
@given(integer_pools(), st.data())
def test_equals_the_slow_one_and_the_numpy_engine_on_integers(features, data):
    n = data.draw(st.integers(1, len(features)))
    start = data.draw(st.integers(0, len(features) - 1))
    ours, theirs = greedy(features, n, start), selection.greedy(features, n, start)
    assert ours.order.tolist() == slow_greedy(features, n, start)
    assert ours.copies == theirs.copies
    np.testing.assert_allclose(ours.score.filled(-1), theirs.score.filled(-1), rtol=1e-12)


@settings(deadline=None, max_examples=100)
@given(float_pools(), st.data())
def test_takes_the_farthest_up_to_near_ties(features, data):
    n, start = data.draw(st.integers(1, len(features))), data.draw(st.integers(0, len(features) - 1))
    check_chosen(greedy(features, n, start), features, start)


@pytest.mark.parametrize("spread", [1.0, 1e-2, 1e-4, 1e-6], ids=str)
def test_full_blocks_in_many_dimensions(monkeypatch, spread):
    for name, value in {"_BLOCK": 256, "_PICKS": 32, "_PAIRS": 1 << 20}.items():
        monkeypatch.setattr(selection_torch, name, value)
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((5, 96))
    features = (centres[rng.integers(0, 5, 2000)] + spread * rng.standard_normal((2000, 96))).astype(np.float32)
    check_chosen(greedy(features, 1000, 7), features, 7)


def test_near_copies_beside_a_large_offset():
    features = np.full((6, 2), 4096, np.float32)
    features[:, 0] += np.array([0, 1, 2, 4, 7, 5000]) * 2.0**-11
    assert greedy(features, 5, start=0).order.tolist() == [0, 5, 4, 3, 2]


def test_only_copies_and_one_point():
    assert greedy(np.ones((1, 3), np.float32), 1, 0).order.tolist() == [0]
    copies = greedy(np.zeros((4, 1), np.float32), 4, 2)
    assert copies.order.tolist() == [2, 0, 1, 3] and copies.copies == 3


def test_extreme_scales():
    for scale in (1e-35, 1e35):
        assert greedy((LINE * scale).astype(np.float32), 4, 0).order.tolist() == [0, 4, 3, 1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_one_line():
    with pytest.raises(UserError, match="greedy: device is cuda, and torch finds no GPU"):
        selection_torch.greedy(LINE, 2, 0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_chooses_as_the_cpu_does(monkeypatch):
    for name, value in {"_BLOCK": 1024, "_PICKS": 128, "_PAIRS": 1 << 24}.items():
        monkeypatch.setattr(selection_torch, name, value)
    features = np.random.default_rng(0).standard_normal((8000, 64)).astype(np.float32)
    on_gpu = selection_torch.greedy(features, 4000, 0, device="cuda")
    assert np.array_equal(on_gpu.order, greedy(features, 4000, 0).order)
    check_chosen(on_gpu, features, 0)
