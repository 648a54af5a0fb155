"""The seeded choice of held-out, training and fresh items."""

import numpy as np
import pytest

from selfloop.dataset import choose
from selfloop.errors import UserError

IMAGES = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
LABELS = np.arange(100, dtype=np.int32) % 10
SPLITS = {"train": (IMAGES, LABELS, None)}


def positions(part, n=None, heldout=20, heldout_seed=0, stream=1, splits=SPLITS):
    samples, labels, _, chosen = choose(splits, part, n, heldout, heldout_seed, stream)
    assert np.array_equal(samples.ravel(), chosen) and (labels is None or np.array_equal(labels, chosen % 10))
    return chosen


def test_heldout_items_are_the_same_for_every_chain_and_in_no_training_set():
    heldout = positions("heldout")
    assert len(set(heldout)) == 20 and np.array_equal(heldout, positions("heldout", stream=99))
    assert not np.array_equal(heldout, positions("heldout", heldout_seed=1))
    for stream in range(20):
        for part in ("train", "fresh"):
            chosen = positions(part, n=50, stream=stream)
            assert len(set(chosen)) == 50 and not set(chosen) & set(heldout)


def test_seeds_draw_different_training_items_and_the_same_ones_again():
    assert np.array_equal(positions("train", n=30, stream=5), positions("train", n=30, stream=5))
    assert set(positions("train", n=30, stream=5)) != set(positions("train", n=30, stream=6))


def test_a_dataset_with_heldout_items_of_its_own():
    splits = {"train": SPLITS["train"], "heldout": (IMAGES[:30], LABELS[:30], None)}
    assert len(positions("heldout", heldout=None, splits=splits)) == 30
    assert len(positions("heldout", heldout=10, splits=splits)) == 10
    assert len(positions("train", n=100, heldout=None, splits=splits)) == 100


@pytest.mark.parametrize(
    ("part", "n", "heldout", "message"),
    [
        ("train", 81, 20, "has 100 items, 80 of them for 'train'; 81 are asked for"),
        ("heldout", None, 101, "100 of them for 'heldout'"),
        ("train", 10, None, "no held-out items of its own"),
    ],
)
def test_too_few_items(part, n, heldout, message):
    with pytest.raises(UserError, match=message):
        positions(part, n=n, heldout=heldout)


def test_replicates_are_chosen_apart():
    x = np.arange(40, dtype=np.float64).reshape(40, 1)
    splits = {"train": (x, None, np.repeat(np.arange(4, dtype=np.int32), 10))}
    samples, _, replicate, chosen = choose(splits, "train", 5, 2, 0, 1)
    assert np.array_equal(np.bincount(replicate), [5] * 4) and np.array_equal(samples.ravel(), chosen)
    offsets = [set(chosen[replicate == r] - 10 * r) for r in range(4)]
    assert any(offsets[0] != other for other in offsets[1:]), "replicates do not share a draw"
