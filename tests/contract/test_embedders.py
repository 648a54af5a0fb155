"""Embedder plug-ins without pretrained weights: exact where they can be, accurate where they learn."""

import subprocess
import sys
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


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 64, 64), (3, 12, 20), (2, 9, 13), (1, 2, 2)])
@pytest.mark.parametrize("at_once", [1, 2**20])
def test_the_classifier_in_numpy_is_the_network_it_was_trained_as(shape, at_once, monkeypatch):
    import torch

    module, rng = embedder("classifier"), np.random.default_rng(2)
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    torch.manual_seed(0)
    network = module.make_network(shape, 6, 7, 3)
    state = {name: value.detach().numpy() for name, value in network.state_dict().items()} | {"shape": np.array(shape)}
    images = rng.integers(0, 256, (9, *shape), dtype=np.uint8)
    with torch.no_grad():
        expected = network[:-1](torch.from_numpy(images).float() / 127.5 - 1).numpy()
    features = module.load(state=state, device="cpu")(images)
    assert features.dtype == np.float32 and expected.max() > 0.01
    np.testing.assert_allclose(features, expected, atol=1e-6)
    np.testing.assert_allclose(module._torch_body(state, shape, "cpu")(images), expected, atol=1e-6)


def test_the_classifier_embeds_without_torch(tmp_path, fitted):
    """The process of a generation's embedding starts in a third of the time."""
    np.savez(tmp_path / "state.npz", **fitted)
    script = (
        f"import sys; sys.path[:0] = [{str(PLUGINS.parent / 'lib')!r}]\n"
        "import numpy as np\n"
        "from selfloop.plugins import load_plugin\n"
        f"module = load_plugin({str(PLUGINS / 'embedders' / 'classifier.py')!r}, 'embedder')\n"
        f"state = dict(np.load({str(tmp_path / 'state.npz')!r}))\n"
        "print(module.load(state=state, device='cpu')(np.zeros((2, 1, 8, 8), np.uint8)).shape, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "(2, 64) False\n"


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
