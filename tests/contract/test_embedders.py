"""Embedder plug-ins: exact where they can be, accurate where they learn, real file formats where they need weights."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


# ---- inception


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory):
    """The real architecture with random weights, in the real file format."""
    import torch
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        network = theirs.FeatureExtractorInceptionV3("x", ["2048"])
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(network.state_dict(), path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest(), network


def test_inception_is_torch_fidelity_s(inception_file):
    import torch

    path, digest, network = inception_file
    module = embedder("inception")
    embed = module.load(state=None, device="cpu", weights=str(path), sha256=digest.upper())
    features = embed(IMAGES[:2])
    assert features.dtype == np.float32 and features.shape == (2, 2048)
    with torch.inference_mode():
        np.testing.assert_allclose(features, network(torch.from_numpy(IMAGES[:2]))[0].numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(embed(IMAGES[:2, :1]), embed(np.repeat(IMAGES[:2, :1], 3, axis=1)))
    assert module.weights(weights=str(path)) == path


def test_inception_checks_the_hash_before_it_unpickles(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(Bomb()))
    module, digest = embedder("inception"), hashlib.sha256(path.read_bytes()).hexdigest()
    expected = f"{path}: its SHA-256 is {digest}, not {module.FID_SHA256}; it is not loaded"
    assert message(module.load, state=None, device="cpu", weights=str(path)) == expected
    assert not (tmp_path / "exploded").exists()


def test_inception_says_how_to_get_the_weights(tmp_path):
    module = embedder("inception")
    get = f"get it once with: curl -LO {module.URL}"
    assert message(module.weights) == f"inception: set `weights` to their file; {get}"
    expected = f"inception: {tmp_path}/no.pth: no such file; {get}"
    assert message(module.load, state=None, device="cpu", weights=f"{tmp_path}/no.pth") == expected


# ---- dinov2


@pytest.fixture(scope="module")
def dinov2_folder(tmp_path_factory):
    """A tiny DINOv2 with random weights, in the real file format."""
    import torch
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    network = Dinov2Model(Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=56))
    folder = tmp_path_factory.mktemp("dinov2")
    network.save_pretrained(folder)
    return folder, network.eval()


def test_dinov2_is_the_cls_token_of_the_resized_image(dinov2_folder):
    """Against Pillow's bicubic filter, which rounds to grey levels: features agree to the size of that rounding."""
    import torch

    folder, network = dinov2_folder
    features = embedder("dinov2").load(state=None, device="cpu", weights=str(folder))(IMAGES)
    assert features.dtype == np.float32 and features.shape == (5, 32)
    resized = [Image.fromarray(x.transpose(1, 2, 0)).resize((224, 224), Image.Resampling.BICUBIC) for x in IMAGES]
    x = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        wanted = network((x - mean) / std).last_hidden_state[:, 0].numpy()
    assert np.abs(features - wanted).max() < 0.01 * np.abs(wanted).max()
    assert np.abs(wanted - wanted[0]).max() > 0.1 * np.abs(wanted).max()  # or the line above would say little


def test_dinov2_repeats_grey_and_does_not_depend_on_the_batch(dinov2_folder):
    embed = embedder("dinov2").load(state=None, device="cpu", weights=str(dinov2_folder[0]))
    grey = IMAGES[:, :1]
    np.testing.assert_array_equal(embed(grey), embed(np.repeat(grey, 3, axis=1)))
    np.testing.assert_allclose(embed(grey[:1]), embed(grey)[:1], rtol=1e-4, atol=1e-5)
    assert message(embed, IMAGES[:, :2]) == "dinov2: takes uint8 B x 1 or 3 x H x W, not uint8 (5, 2, 12, 12)"


def test_dinov2_checks_the_hash(dinov2_folder):
    module, folder = embedder("dinov2"), dinov2_folder[0]
    file = folder / "model.safetensors"
    assert module.weights(weights=str(folder)) == file
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    module.load(state=None, device="cpu", weights=str(folder), sha256=digest)
    expected = f"{file}: its SHA-256 is {digest}, not {'0' * 64}; it is not loaded"
    assert message(module.load, state=None, device="cpu", weights=str(folder), sha256="0" * 64) == expected


def test_dinov2_refuses_what_is_no_whole_model(tmp_path, dinov2_folder):
    from safetensors.numpy import load_file, save_file

    module = embedder("dinov2")
    get = "get it once with: hf download facebook/dinov2-small --local-dir dinov2-small"
    assert message(module.weights) == f"dinov2: set `weights` to the folder of the model; {get}"
    assert message(module.weights, weights=str(tmp_path)) == f"dinov2: {tmp_path}/config.json: no such file; {get}"
    (tmp_path / "config.json").write_bytes((dinov2_folder[0] / "config.json").read_bytes())
    weights = load_file(dinov2_folder[0] / "model.safetensors")
    del weights["layernorm.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    expected = f"{tmp_path}: not a DINOv2 model of transformers (lacks layernorm.weight)"
    assert message(module.load, state=None, device="cpu", weights=str(tmp_path)) == expected
    (tmp_path / "model.safetensors").write_bytes(b"x")
    text = message(module.load, state=None, device="cpu", weights=str(tmp_path))
    assert text.startswith(f"{tmp_path}: not a DINOv2 model of transformers (")


def test_dinov2_without_transformers(monkeypatch, dinov2_folder):
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    expected = "dinov2: transformers is not installed: pip install 'selfloop[dinov2]'"
    assert message(embedder("dinov2").load, state=None, device="cpu", weights=str(dinov2_folder[0])) == expected
