"""Pretrained networks as feature spaces: their weights found and checked, and images taken through them in chunks."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from selfloop.errors import UserError
from selfloop.files import sha256 as sha256_of
from selfloop.sources import SOURCES

# A Frechet distance is a FID with this extractor and these weights (weights-inception-2015-12-05-6726825d.pth) only.
FID_EXTRACTOR = "inception-v3-compat"
FID_SHA256 = SOURCES["inception"].files[0].sha256

_CHUNK = {True: 256, False: 32}  # images at once on a GPU, a CPU: an Inception holds about 15 MB an image


def weights_file(name: str, path: str | Path | None, get: str) -> Path:
    """Return the path of the weights of space ``name``; UserError, which ends in how to ``get`` them, if no file."""
    if path is None:
        raise UserError(f"{name}: set `weights` to their file; {get}")
    if not Path(path).is_file():
        raise UserError(f"{name}: {path}: no such file; {get}")
    return Path(path)


def check_weights(name: str, path: str | Path, sha256: str) -> None:
    """Raise UserError unless the file's SHA-256 begins with ``sha256`` (8 to 64 hex digits).

    Other weights are loaded on purpose by giving their own ``sha256``; ``described`` then says so in every label.
    """
    wanted, found = str(sha256).lower(), sha256_of(path)
    if not (8 <= len(wanted) <= 64 and set(wanted) <= set("0123456789abcdef")):
        raise UserError(f"{name}: sha256: '{sha256}' is not 8 to 64 hexadecimal digits (quote it in YAML)")
    if not found.startswith(wanted):
        raise UserError(
            f"{path}: its SHA-256 is {found}, not {wanted}; it is not loaded (if other weights are meant, give "
            f"their sha256: distances are then labelled FD ({name}, weights {found[:8]}))"
        )


@contextlib.contextmanager
def reading(path: str | Path, what: str) -> Iterator[None]:
    """Turn whatever goes wrong while a file is read into a network into one line: it is not the weights of ``what``."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # torch, safetensors and transformers raise many types for a file of something else
        raise UserError(f"{path}: not the weights of {what} ({_beginning(error)})") from None


def _beginning(error: Exception) -> str:
    """Return what an error says first, on one line (torch lists every tensor of a file that does not fit)."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else f"{text[:157]}..."


def described(extractor: str, known: str | None, found: str) -> str:
    """Return the name of an extractor, with its weights where these are not the ``known`` ones that the name means."""
    return extractor if known is None or found.startswith(known) else f"{extractor}, weights {found[:8]}"


def embedding(name: str, network: Callable, prepare: Callable, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return ``embed(images uint8 B x C x H x W, C = 1 or 3) -> float32 B x d`` of a network in evaluation mode.

    ``prepare`` turns a uint8 tensor B x C x H x W on the device into the input of ``network`` (whose answer is
    B x d), in chunks that bound the memory; the one wait for the device is the copy of the answer.
    """
    import torch

    chunk = _CHUNK[device.startswith("cuda")]

    @torch.inference_mode()
    def embed(images):
        if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != np.uint8:
            shape = " x ".join(map(str, images.shape))
            raise UserError(f"{name}: takes uint8 B x 1 or 3 x H x W, not {images.dtype} {shape}")
        pixels = torch.from_numpy(np.array(images)).to(device, non_blocking=True)
        return torch.cat([network(prepare(part)) for part in pixels.split(chunk)]).float().cpu().numpy()

    return embed


def grey_to_rgb(pixels):
    """Repeat one channel three times: a tensor B x 1 or 3 x H x W as B x 3 x H x W."""
    return pixels.expand(-1, 3, -1, -1)
