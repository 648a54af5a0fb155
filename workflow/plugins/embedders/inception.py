"""The FID-Inception network (Inception-2015 in TensorFlow's arithmetic) of torch-fidelity: 2048 features, for FID.

Nothing is downloaded. Get the weights once, where there is a network, and give their path as `weights`:
https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth
"""

from pathlib import Path

import numpy as np

from selfloop.errors import UserError
from selfloop.files import sha256 as file_sha256

EXTRACTOR = "inception-v3-compat"
PREPROCESSING = "grey repeated to 3 channels, TensorFlow-1 bilinear to 299 x 299, (v - 128) / 128 (torch-fidelity 0.4)"
URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
FID_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"  # a distance is a FID with these only


def weights(*, weights=None):
    """Return the path of the file whose SHA-256 is recorded."""
    return _file(weights)


def load(
    *,
    state,
    device,
    weights=None,  # path of the .pth file
    sha256=FID_SHA256,  # of that file, checked before it is read: a .pth file is a pickle, which can run code
):
    """Return `embed(images uint8 B x C x H x W, C = 1 or 3) -> float32 B x 2048`."""
    path = _file(weights)
    found = file_sha256(path)
    if found != sha256.lower():
        raise UserError(f"{path}: its SHA-256 is {found}, not {sha256}; it is not loaded")
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    extractor = FeatureExtractorInceptionV3(EXTRACTOR, ["2048"], feature_extractor_weights_path=str(path)).to(device)

    @torch.inference_mode()
    def embed(images):
        return extractor(torch.from_numpy(to_rgb(images)).to(device))[0].cpu().numpy()

    return embed


def to_rgb(images):
    """Repeat one grey channel three times; uint8 B x 3 x H x W."""
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise UserError(f"inception: takes uint8 B x 1 or 3 x H x W, not {images.dtype} {images.shape}")
    return np.array(np.broadcast_to(images, (len(images), 3, *images.shape[2:])))


def _file(path):
    if path is None or not Path(path).is_file():
        missing = "set `weights` to their file" if path is None else f"{path}: no such file"
        raise UserError(f"inception: {missing}; get it once with: curl -LO {URL}")
    return Path(path)
