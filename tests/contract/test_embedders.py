"""Embedder plug-ins without pretrained weights: exact where they can be, accurate where they learn."""

from pathlib import Path

import numpy as np
import pytest

from selfloop.errors import UserError
from selfloop.plugins import load_plugin

PLUGINS = Path(__file__).parents[2] / "workflow" / "plugins"
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 3, 12, 12), dtype=np.uint8)


def embedder(name):
    return load_plugin(PLUGINS / "embedders" / f"{name}.py", "embedder")


def message(function, *arguments, **params) -> str:
    with pytest.raises(UserError) as caught:
        function(*arguments, **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- pixels


def test_pixels_are_the_values_themselves():
    embed = embedder("pixels").load(state=None, device="cpu")
    features = embed(IMAGES)
    assert features.dtype == np.float32 and features.shape == (5, 432)
    np.testing.assert_array_equal(features, IMAGES.reshape(5, -1))
    items = np.array([[1.5, -2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(embed(items), items.astype(np.float32))


# ---- classifier


@pytest.fixture(scope="module")
def digits():
    split = load_plugin(PLUGINS / "datasets" / "digits.py", "dataset").load(seed=0)["train"]
    order = np.random.default_rng(0).permutation(1797)
    return split["samples"][order], split["labels"][order]


@pytest.fixture(scope="module")
def fitted(digits):
    images, labels = digits
    return embedder("classifier").fit(images[:1024], labels[:1024], seed=0, device="cpu")


def test_the_classifier_knows_held_out_digits(digits, fitted):
    """0.991 to 0.997 over three seeds; a linear classifier on the pixels has about 0.96."""
    images, labels = (part[1024:] for part in digits)
    features = embedder("classifier").load(state=fitted, device="cpu")(images)
    assert features.dtype == np.float32 and features.shape == (773, 64)
    logits = features @ fitted["classes.weight"].T + fitted["classes.bias"]
    assert (logits.argmax(axis=1) == labels).mean() > 0.97


def test_the_classifier_is_a_function_of_the_seed(digits):
    import torch

    images, labels = digits[0][:200], digits[1][:200]
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(states))  # the global generator must not matter
        states.append(embedder("classifier").fit(images, labels, seed=seed, device="cpu", nimg=1280))
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    assert not np.array_equal(states[0]["features.weight"], states[2]["features.weight"])


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 12, 20)])
def test_the_classifier_takes_other_shapes_and_survives_the_disk(tmp_path, shape):
    from safetensors.numpy import load_file, save_file

    module, images = embedder("classifier"), np.random.default_rng(1).integers(0, 256, (40, *shape), dtype=np.uint8)
    state = module.fit(images, np.arange(40) % 3, seed=0, device="cpu", nimg=128, batch_size=64, width=8, features=10)
    save_file(state, tmp_path / "state.safetensors")
    features = module.load(state=load_file(tmp_path / "state.safetensors"), device="cpu")(images)
    assert features.shape == (40, 10)
    np.testing.assert_array_equal(features, module.load(state=state, device="cpu")(images))


def test_augmentation_moves_by_the_stated_pixels():
    import torch

    augment = embedder("classifier")._augment
    x = torch.arange(8.0).expand(1, 1, 8, 8)  # the same in every row: moving up or down changes nothing
    torch.testing.assert_close(augment(x, torch.Generator().manual_seed(3), 0.0, 0.0, 0.0), x)
    sideways = float(torch.randn(4, 1, generator=torch.Generator().manual_seed(3))[2, 0])  # size, angle, x, y
    moved = augment(x, torch.Generator().manual_seed(3), 1 / sideways, 0.0, 0.0)
    torch.testing.assert_close(moved, (x + 1).clamp(max=7), atol=1e-4, rtol=0)


def test_what_the_classifier_refuses(fitted):
    module = embedder("classifier")
    images = np.zeros((6, 1, 8, 8), np.uint8)
    expected = "classifier: the dataset has no labels to train on; use another embedder (pixels, dinov2, ...)"
    assert message(module.fit, images, None, seed=0, device="cpu") == expected
    expected = "classifier: label -1 is not a class number 0, 1, ..."
    assert message(module.fit, images, np.array([0, 1, -1, 0, 1, 0]), seed=0, device="cpu") == expected
    embed = module.load(state=fitted, device="cpu")
    assert message(embed, IMAGES) == "classifier: images of 3 x 12 x 12, trained on 1 x 8 x 8"
