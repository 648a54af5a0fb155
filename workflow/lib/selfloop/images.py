"""Decoding and resizing image files to one uint8 array."""

import io
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from selfloop.errors import UserError

FILTERS = {"nearest": Image.Resampling.NEAREST, "box": Image.Resampling.BOX, "bilinear": Image.Resampling.BILINEAR,
           "hamming": Image.Resampling.HAMMING, "bicubic": Image.Resampling.BICUBIC,
           "lanczos": Image.Resampling.LANCZOS}  # fmt: skip
MODES = {"grey": "L", "rgb": "RGB"}
_GREY = ("1", "L", "LA")
_FIRST_PROGRESS, _PROGRESS_SECONDS = 2.0, 5.0
_NAMED = 5  # bad images that an error names


def decode_images(
    sources: Iterable[tuple[str, bytes | Path]],
    n: int,
    *,
    size: int | None = None,  # pixels a side; None: as they are, all of one size
    mode: str | None = None,  # grey | rgb; None: that of the first image
    resample: str = "lanczos",  # Pillow's filter, antialiased when it makes smaller
    crop: bool = False,  # cut the centred square out of an image that is not square
    where: str = "images",
) -> np.ndarray:
    """Return uint8 N x C x H x W of `n` images given as (name, encoded bytes or path); C is 1 (grey) or 3 (rgb).

    Grey is Pillow's luma (ITU-R 601-2); transparency is dropped. Progress goes to stderr after two seconds. UserError
    in one line, with the names of the first images that are damaged, of another size, or not square where `size` asks
    for a square; none at all; settings out of range.
    """
    _check_settings(size, mode, resample, where)
    out, bad, found, asked, clock = None, [], 0, mode, _Clock(where, n)
    for found, (name, data) in enumerate(sources, start=1):
        try:
            with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
                mode = mode or ("grey" if image.mode in _GREY else "rgb")
                if asked is None and mode == "grey" and image.mode not in _GREY:
                    raise _OddImageError("colour, the first is grey: set `mode`")
                pixels = _prepare(image, size, mode, FILTERS[resample], crop)
            if out is None:
                out = np.empty((n, *pixels.shape), np.uint8)
            if pixels.shape != out.shape[1:]:
                raise _OddImageError(f"{_size(pixels)}, the first is {_size(out[0])}: set `size`")
            out[found - 1] = pixels
        except _OddImageError as error:
            bad.append(f"{name} ({error})")
        except Exception as error:  # Pillow raises OSError, SyntaxError, struct.error, ... on damaged bytes
            bad.append(f"{name} (cannot be decoded: {' '.join(str(error).split()) or type(error).__name__})")
        clock.tick(found)
    if bad:
        raise UserError(f"{where}: {len(bad)} of {n} images cannot be used: {_first_of(bad)}")
    if out is None or found != n:
        raise UserError(f"{where}: {found} images where {n} are expected" if n else f"{where}: no images")
    return np.ascontiguousarray(out.transpose(0, 3, 1, 2))


class _OddImageError(Exception):
    """An image that is whole but does not fit the others."""


def _prepare(image: Image.Image, size, mode, resample, crop) -> np.ndarray:
    """Return one decoded image as uint8 H x W x C."""
    if image.mode.startswith(("I", "F")):
        raise _OddImageError(f"mode {image.mode}, more than 8 bits a channel: convert it first")
    if image.mode not in _GREY:
        image = image.convert("RGB")  # palettes and CMYK too: grey is the luma of what is seen
    if image.mode != MODES[mode]:
        image = image.convert(MODES[mode])
    width, height = image.size
    if crop and width != height:
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    elif size is not None and width != height:
        raise _OddImageError(f"{width} x {height} is not square: set `crop: true` for its centre")
    if size is not None and image.size != (size, size):
        image = image.resize((size, size), resample)
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _check_settings(size, mode, resample, where) -> None:
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise UserError(f"{where}: size {size!r} is not a whole number of pixels >= 1 (or null: as they are)")
    if mode is not None and mode not in MODES:
        raise UserError(f"{where}: mode {mode!r} is not one of {', '.join(MODES)} (or null: that of the first image)")
    if resample not in FILTERS:
        raise UserError(f"{where}: filter {resample!r} is not one of {', '.join(FILTERS)}")


def _first_of(bad: list[str]) -> str:
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    return "; ".join(bad[:_NAMED]) + more


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"


class _Clock:
    """Progress on stderr for what takes more than two seconds."""

    def __init__(self, what: str, n: int):
        self.what, self.n, self.next = what, n, time.monotonic() + _FIRST_PROGRESS

    def tick(self, done: int) -> None:
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + _PROGRESS_SECONDS
            print(f"{self.what}: {done:,} of {self.n:,} images decoded", file=sys.stderr, flush=True)
