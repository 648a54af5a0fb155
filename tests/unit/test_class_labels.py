"""Which class each sample is asked for."""

import numpy as np
import pytest

from selfloop.class_labels import asked_labels, class_labels
from selfloop.errors import UserError
from selfloop.seeds import item_seeds, uniform

N = 20_000
SEEDS, ROWS = item_seeds(11, N), np.arange(N)


@pytest.mark.parametrize(
    ("how", "share"), [("uniform", [1 / 3, 0, 1 / 3, 1 / 3]), ("training", [0.1, 0, 0.6, 0.3])]
)  # fmt: skip
def test_drawn_classes_have_their_share(how, share):
    labels = class_labels(how, np.array([10, 0, 60, 30]), SEEDS, ROWS)
    assert labels.dtype == np.int32
    found, expected = np.bincount(labels, minlength=4) / N, np.array(share)
    assert (np.abs(found - expected) <= 4 * np.sqrt(expected * (1 - expected) / N)).all()
    assert found[1] == 0, "a class that the training set has lost is not asked for"


def test_a_class_is_a_function_of_the_item_s_own_seed():
    some = np.array([5, 17, 3])
    labels = class_labels("uniform", np.ones(10, int), SEEDS, ROWS)
    assert np.array_equal(class_labels("uniform", np.ones(10, int), SEEDS[some], some), labels[some])
    first_noise = uniform(SEEDS, (2,))
    for column in first_noise.T:  # 1 / sqrt(N) = 0.007
        assert abs(np.corrcoef(labels, column)[0, 1]) < 0.03, "classes and noise are independent"


def test_balanced_classes_are_equal_in_any_window():
    labels = class_labels("balanced", np.array([3, 1, 0, 2]), SEEDS, ROWS)
    assert labels[:6].tolist() == [0, 1, 3, 0, 1, 3]
    assert np.ptp(np.bincount(labels[100:1000])[[0, 1, 3]]) == 0


def test_only_a_sampler_that_names_labels_is_asked():
    assert asked_labels(lambda seeds: seeds, "uniform", {}, SEEDS, ROWS, "mine.py") is None
    with pytest.raises(UserError, match=r"^mine.py: its sampler takes labels, so train\(\) must return class_counts"):
        asked_labels(lambda seeds, labels: seeds, "uniform", {}, SEEDS, ROWS, "mine.py")
    with pytest.raises(UserError, match="class_counts of the model must be whole numbers >= 0"):
        class_labels("uniform", np.array([0, 0]), SEEDS, ROWS)
    with pytest.raises(UserError, match="'random' is not one of uniform, balanced, training"):
        class_labels("random", np.array([1, 2]), SEEDS, ROWS)
