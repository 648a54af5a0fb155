"""DINOv2 (Oquab et al. 2023, arXiv 2304.07193) through transformers: the CLS token, 384 features for dinov2-small.

The space in which arXiv 2509.16499 selects and measures entropy. Preprocessing is that of the model's own image
processor, which the paper's code calls: the shorter side to 256, **then the middle 224 x 224**, so that of an image of
32 x 32 the outer 2 pixels are cut. No stage downloads the model: `snakemake --cores 1 fetch_dinov2` does, where there
is a network.
"""

from pathlib import Path

from selfloop.errors import UserError
from selfloop.pretrained import check_weights, embedding, grey_to_rgb, reading, weights_file
from selfloop.sources import FOLDER, SOURCES, how_to_get

EXTRACTOR = "dinov2"
PREPROCESSING = ("grey repeated to 3 channels, Pillow bicubic to a shorter side of 256, middle 224 x 224, / 255, "
                 "ImageNet mean and standard deviation; CLS token after the last layer norm")  # fmt: skip
FILES = {file.file: file for file in SOURCES["dinov2"].files}  # config.json and model.safetensors
SHA256 = FILES["model.safetensors"].sha256
PATH = f"{FOLDER}/dinov2"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SHORTER, _CROP = 256, 224  # 16 patches of 14


def weights(*, weights=PATH):
    """Return the path of the file whose SHA-256 is recorded."""
    return _file(weights)


def load(
    *,
    state,
    device,
    weights=PATH,  # folder with config.json and model.safetensors
    sha256=SHA256,  # of model.safetensors, checked
):
    """Return `embed(images uint8 B x C x H x W, C = 1 or 3) -> float32 B x d`, d the model's hidden size."""
    path = _file(weights)
    check_weights(EXTRACTOR, path, sha256)
    import torch

    from selfloop.resize import resizer

    network = _read(path.parent).to(device)
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (_MEAN, _STD))
    resize = resizer("bicubic", device, _CROP)

    def prepare(pixels):
        height, width = pixels.shape[2:]
        shorter = min(height, width)
        pixels = resize(pixels, _SHORTER * height // shorter, _SHORTER * width // shorter)
        return grey_to_rgb(pixels).float().div(255).sub_(mean).div_(std)

    return embedding("dinov2", lambda x: network(x).last_hidden_state[:, 0], prepare, device)


def _read(folder):
    """Read the model from its folder; only safetensors, which cannot run code, and never the network."""
    try:
        from transformers import Dinov2Model
    except ImportError:
        raise UserError("dinov2: transformers is not installed: pip install transformers") from None
    with reading(folder, "a DINOv2 model of transformers"):
        network, info = Dinov2Model.from_pretrained(folder, local_files_only=True, use_safetensors=True,
                                                    output_loading_info=True)  # fmt: skip
    absent = sorted({*map(str, info["missing_keys"]), *map(str, info["mismatched_keys"])})
    if absent:  # transformers fills these at random
        raise UserError(f"{folder}: not the weights of a DINOv2 model of transformers (lacks {absent[0]})")
    return network.eval()


def _file(folder):
    """Return the path of the model file, after checking that what is needed lies in the folder."""
    get = (f"{how_to_get('dinov2')}, or set `weights` to a folder that was filled with "
           "`hf download facebook/dinov2-small --local-dir FOLDER`")  # fmt: skip
    for name in FILES:
        path = weights_file("dinov2", None if folder is None else Path(folder) / name, get)
    return path
