"""A training is resumed only where all that it depends on is the same."""

import numpy as np
import pytest

from selfloop.model import fingerprint

SAMPLES, LABELS = np.arange(12, dtype=np.uint8).reshape(3, 1, 2, 2), np.array([0, 1, 2])


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("x = 1\n")
    return path


@pytest.mark.parametrize(
    ("settings", "items"),
    [
        ({"seed": 1}, (SAMPLES, LABELS, None)),
        ({"seed": 0}, (SAMPLES[::-1], LABELS, None)),
        ({"seed": 0}, (SAMPLES, LABELS[::-1], None)),
        ({"seed": 0}, (SAMPLES, None, LABELS)),
        ({"seed": 0}, (SAMPLES.reshape(3, 4, 1, 1), LABELS, None)),
        ({"seed": 0}, (SAMPLES, LABELS, LABELS)),
    ],
)
def test_settings_images_labels_and_replicates_are_in_the_fingerprint(plugin, settings, items):
    mark = fingerprint(plugin, {"seed": 0}, SAMPLES, LABELS, None)
    assert mark == fingerprint(plugin, {"seed": 0}, SAMPLES.copy(), LABELS.copy(), None)
    assert mark != fingerprint(plugin, settings, *items)


def test_the_plugins_text_is_in_the_fingerprint(plugin):
    mark = fingerprint(plugin, {}, SAMPLES)
    plugin.write_text("x = 2\n")
    assert mark != fingerprint(plugin, {}, SAMPLES)
