"""DINOv2 (Oquab et al. 2023, arXiv 2304.07193) through transformers: the CLS token, 384 features for dinov2-small.

Nothing is downloaded. Get the model once, where there is a network, and give its folder as `weights`:
hf download facebook/dinov2-small --local-dir dinov2-small
"""

from pathlib import Path

import numpy as np

from selfloop.errors import UserError
from selfloop.files import sha256 as file_sha256

EXTRACTOR = "dinov2"
PREPROCESSING = ("grey repeated to 3 channels, / 255, antialiased bicubic to 224 x 224 and clipped to [0, 1], "
                 "ImageNet mean and standard deviation; CLS token after the last layer norm")  # fmt: skip
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SIDE = 224  # 16 patches of 14


def weights(*, weights=None):
    """Return the path of the file whose SHA-256 is recorded."""
    return _file(weights)


def load(
    *,
    state,
    device,
    weights=None,  # folder with config.json and model.safetensors
    sha256=None,  # of model.safetensors; None: not checked, only recorded
):
    """Return `embed(images uint8 B x C x H x W, C = 1 or 3) -> float32 B x d`, d the model's hidden size."""
    path = _file(weights)
    if sha256 is not None and file_sha256(path) != sha256.lower():
        raise UserError(f"{path}: its SHA-256 is {file_sha256(path)}, not {sha256}; it is not loaded")
    import torch

    network = _read(path.parent).to(device)
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (_MEAN, _STD))

    @torch.inference_mode()
    def embed(images):
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise UserError(f"dinov2: takes uint8 B x 1 or 3 x H x W, not {images.dtype} {images.shape}")
        x = torch.from_numpy(np.array(images)).to(device, torch.float32) / 255
        x = torch.nn.functional.interpolate(x, (_SIDE, _SIDE), mode="bicubic", antialias=True).clamp(0, 1)
        return network((x.expand(-1, 3, -1, -1) - mean) / std).last_hidden_state[:, 0].cpu().numpy()

    return embed


def _read(folder):
    """Read the model from its folder; only safetensors, which cannot run code, and never the network."""
    try:
        from transformers import Dinov2Model
    except ImportError:
        raise UserError("dinov2: transformers is not installed: pip install 'selfloop[dinov2]'") from None
    try:
        network, info = Dinov2Model.from_pretrained(folder, local_files_only=True, use_safetensors=True,
                                                    output_loading_info=True)  # fmt: skip
    except Exception as error:  # transformers and safetensors raise many types for a folder of another model
        raise UserError(f"{folder}: not a DINOv2 model of transformers ({str(error).splitlines()[0]})") from None
    absent = sorted({*map(str, info["missing_keys"]), *map(str, info["mismatched_keys"])})
    if absent:  # transformers fills these at random
        raise UserError(f"{folder}: not a DINOv2 model of transformers (lacks {absent[0]})")
    return network.eval()


def _file(folder):
    """Return the path of the model file, after checking that what is needed lies in the folder."""
    get = "get it once with: hf download facebook/dinov2-small --local-dir dinov2-small"
    if folder is None:
        raise UserError(f"dinov2: set `weights` to the folder of the model; {get}")
    for name in ("config.json", "model.safetensors"):
        if not (Path(folder) / name).is_file():
            raise UserError(f"dinov2: {Path(folder) / name}: no such file; {get}")
    return Path(folder) / "model.safetensors"
