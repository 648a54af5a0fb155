"""On a GPU: an embedder's features are a CPU's to float32, and a batch waits once, for the copy of its answer."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from selfloop.model import setup_torch
from selfloop.plugins import load_plugin

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU"),
]
EMBEDDERS = Path(__file__).parents[2] / "workflow/plugins/embedders"
IMAGES = np.kron(np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8)), np.ones((4, 4))).astype(np.uint8)


@pytest.fixture(scope="module")
def paper_weights(tmp_path_factory):
    """torchvision's Inception v3 with random weights, at a scale that the layers keep."""
    from torchvision.models import inception_v3

    from selfloop.files import sha256

    network = inception_v3(weights=None, init_weights=False)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(
                module.weight, nonlinearity="relu", generator=torch.Generator().manual_seed(0)
            )
    path = tmp_path_factory.mktemp("weights") / "inception_v3.pth"
    torch.save(network.state_dict(), path)
    return {"weights": str(path), "sha256": sha256(path)}


def embedders(name, params):
    module = load_plugin(EMBEDDERS / f"{name}.py", "embedder")
    return [module.load(state=None, device=device, **params) for device in ("cpu", "cuda")]


def check(on_cpu, on_gpu):
    """2e-5 of the largest feature; with TF32, which `setup_torch` forbids, it is 5e-4 and more."""
    setup_torch("cuda", 1, deterministic=True)
    wanted, found = on_cpu(IMAGES), on_gpu(IMAGES)
    assert np.abs(found - wanted).max() < 2e-5 * np.abs(wanted).max()
    assert np.abs(wanted - wanted[0]).max() > 1e-2 * np.abs(wanted).max()
    np.testing.assert_array_equal(found, on_gpu(IMAGES))
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as waits:
        warnings.simplefilter("always")
        on_gpu(IMAGES)
    torch.cuda.set_sync_debug_mode("default")
    assert len([w for w in waits if "synchronizing" in str(w.message)]) == 1


def test_inception_paper(paper_weights):
    check(*embedders("inception_paper", paper_weights))


def test_efficientnet_lite0():
    pytest.importorskip("efficientnet_lite_pytorch")
    check(*embedders("efficientnet_lite0", {"side": 64}))


def test_resized_pixels_are_the_same_bytes():
    from selfloop.resize import resizer

    pixels = torch.from_numpy(IMAGES)
    for kind in ("bilinear", "bicubic"):
        on_gpu = resizer(kind, "cuda")(pixels.cuda(), 299, 299).cpu()
        assert torch.equal(on_gpu, resizer(kind, "cpu")(pixels, 299, 299))
