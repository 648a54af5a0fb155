"""The seeded choice of held-out, training and fresh items."""

import numpy as np
import pytest

from selfloop.dataset import choose, load_dataset
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


# ---- as many of each class


def balanced(n, labels=LABELS, heldout=20, stream=1):
    splits = {"train": (IMAGES, labels, None)}
    _, chosen_labels, _, chosen = choose(splits, "train", n, heldout, 0, stream, balanced=True)
    assert len(set(chosen)) == len(chosen) == n and not set(chosen) & set(positions("heldout", heldout=heldout))
    assert np.array_equal(chosen_labels, labels[chosen])
    return chosen_labels, chosen


@pytest.mark.parametrize(("n", "counts"), [(30, {3}), (35, {3, 4}), (9, {0, 1}), (10, {1})])
def test_balanced_draws_have_as_many_of_each_class(n, counts):
    for stream in range(10):
        labels, _ = balanced(n, stream=stream)
        found = np.bincount(labels, minlength=10)
        assert set(found) == counts and found.sum() == n


def test_balanced_draws_are_seeded_and_uniform_within_a_class():
    assert np.array_equal(balanced(30, stream=5)[1], balanced(30, stream=5)[1])
    times = np.zeros(100)
    for stream in range(2000):
        times[balanced(10, heldout=50, stream=stream)[1]] += 1
    for k in range(10):  # each of the m items of a class that are left is drawn with probability 1/m
        m = np.count_nonzero(times[k == LABELS])
        assert times[k == LABELS].sum() == 2000
        expected, error = 2000 / m, np.sqrt(2000 / m * (1 - 1 / m))
        assert (abs(times[(k == LABELS) & (times > 0)] - expected) < 4.5 * error).all()


def test_which_classes_have_one_more_is_drawn_too():
    more = np.zeros(10)
    for stream in range(1000):
        more += np.bincount(balanced(11, stream=stream)[0], minlength=10) == 2
    assert more.sum() == 1000 and (more > 0).all()


def test_balanced_draws_refuse_what_cannot_be():
    with pytest.raises(
        UserError, match=r"^training_set\.balanced: the dataset has no labels, so there are no classes to"
    ):
        choose({"train": (IMAGES, None, None)}, "train", 10, 20, 0, 1, balanced=True)
    skewed = np.where(np.arange(100) < 96, 0, 1).astype(np.int32)
    splits = {"train": (IMAGES, skewed, None)}
    left = np.bincount(skewed[choose(splits, "train", 80, 20, 0, 1)[3]])
    expected = f"^training_set.balanced: 20 items of each of 2 classes are asked for, but class 1 has {left[1]}$"
    with pytest.raises(UserError, match=expected):
        choose(splits, "train", 40, 20, 0, 1, balanced=True)
    rare = np.array([0, 0, 0, 0, 0, 1, 2], np.int32)
    expected = r"^training_set\.balanced: 5 items of 3 classes are asked for, but only 1 classes have more than 1$"
    with pytest.raises(UserError, match=expected):
        choose({"train": (IMAGES[:7], rare, None)}, "train", 5, 0, 0, 1, balanced=True)


def test_splits_of_other_shapes_are_refused(tmp_path):
    plugin = tmp_path / "odd.py"
    plugin.write_text(
        "import numpy as np\n"
        "def load(*, seed):\n"
        "    return {'train': {'samples': np.zeros((4, 1, 8, 8), np.uint8)},\n"
        "            'heldout': {'samples': np.zeros((4, 3, 8, 8), np.uint8)}}\n"
    )
    expected = f"{plugin}: items of different shapes: 1 x 8 x 8 in 'train', 3 x 8 x 8 in 'heldout'"
    with pytest.raises(UserError, match=f"^{expected}$"):
        load_dataset(str(plugin), {}, 0)
