"""Decoding and resizing image files to uint8 arrays, when they are asked for."""

import io
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from selfloop.errors import UserError

FILTERS = {"nearest": Image.Resampling.NEAREST, "box": Image.Resampling.BOX, "bilinear": Image.Resampling.BILINEAR,
           "hamming": Image.Resampling.HAMMING, "bicubic": Image.Resampling.BICUBIC,
           "lanczos": Image.Resampling.LANCZOS}  # fmt: skip
PAD = "pad"  # instead of a filter: black around the image, which is not scaled
MODES = {"grey": "L", "rgb": "RGB"}
_GREY = ("1", "L", "LA")
_FIRST_PROGRESS, _PROGRESS_SECONDS = 2.0, 5.0
_NAMED = 5  # bad images that an error names

# Given increasing positions, yields (name, encoded bytes or path) of each.
Read = Callable[[np.ndarray], Iterable[tuple[str, bytes | Path]]]


class EncodedImages:
    """Images that are decoded when asked for: ``images[positions]`` is uint8 B x C x H x W, np.asarray(images) all.

    Of 70,000 photographs of a megapixel only those that are chosen are decoded, one at a time. Shape and, where `mode`
    is None, colour are those of the first image. Grey is Pillow's luma (ITU-R 601-2); transparency is dropped; CMYK and
    palettes become RGB; an image is turned as its EXIF orientation says. UserError in one line, with the names of the
    first images that are damaged, animated, of more than 8 bits a channel, of another size, or not square where `size`
    asks for a square; no images at all; settings out of range.
    """

    dtype, ndim = np.dtype(np.uint8), 4

    def __init__(
        self,
        n: int,
        read: Read,
        *,
        size: int | None = None,  # pixels a side; None: as they are, all of one size
        mode: str | None = None,  # grey | rgb; None: that of the first image
        resample: str = "lanczos",  # Pillow's filter, antialiased when it makes smaller; or pad
        crop: bool = False,  # cut the centred square out of an image that is not square
        where: str = "images",
    ):
        """``read`` gives the encoded images at some of the positions 0 .. n - 1."""
        _check_settings(size, mode, resample, where)
        if not n:
            raise UserError(f"{where}: no images")
        self._read, self._where = read, where
        self._size, self._mode, self._resample, self._crop = size, mode, resample, crop
        self._asked = mode is not None
        self.shape = (n, *self._shape_of_first(n))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, positions) -> np.ndarray:
        """Return the images at these positions (anything that indexes a vector) in their order."""
        positions = np.atleast_1d(np.arange(len(self))[positions])
        wanted, place = np.unique(positions, return_inverse=True)
        return self._decode(wanted)[place]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:].astype(dtype or np.uint8, copy=False)

    def _shape_of_first(self, n: int) -> tuple[int, ...]:
        """Return C x H x W of the first image, and settle the mode by it."""
        name, data = next(iter(self._read(np.zeros(1, np.int64))))
        try:
            with _opened(data) as image:
                self._mode = self._mode or ("grey" if image.mode in _GREY else "rgb")
                return self._prepare(image).shape
        except Exception as error:  # Pillow raises OSError, SyntaxError, struct.error, ... on damaged bytes
            raise UserError(f"{self._where}: the first of {n} images cannot be used: {name} ({_why(error)})") from None

    def _decode(self, positions: np.ndarray) -> np.ndarray:
        """Return the images at increasing positions."""
        out, bad, found = np.empty((len(positions), *self.shape[1:]), np.uint8), [], 0
        clock = _Clock(self._where, len(positions))
        for found, (name, data) in enumerate(self._read(positions), start=1):
            try:
                with _opened(data) as image:
                    pixels = self._prepare(image)
                if pixels.shape != self.shape[1:]:
                    raise _OddImageError(f"{_size(pixels.shape)}, the first is {_size(self.shape)}: set `size`")
                out[found - 1] = pixels
            except Exception as error:
                bad.append(f"{name} ({_why(error)})")
            clock.tick(found)
        if bad:
            raise UserError(f"{self._where}: {len(bad)} of {len(positions)} images cannot be used: {_first_of(bad)}")
        if found != len(positions):
            raise UserError(f"{self._where}: {found} images where {len(positions)} are expected")
        return out

    def _prepare(self, image: Image.Image) -> np.ndarray:
        """Return one opened image as uint8 C x H x W."""
        if image.mode.startswith(("I", "F")) or any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())):
            raise _OddImageError(f"mode {image.mode}, more than 8 bits a channel: convert it first")
        if getattr(image, "is_animated", False) and image.format != "MPO":  # a camera's JPEG with a preview
            raise _OddImageError(f"an animation of {image.n_frames} pictures: keep one")
        if not self._asked and self._mode == "grey" and image.mode not in _GREY:
            raise _OddImageError("colour, the first is grey: set `mode`")
        image = ImageOps.exif_transpose(image)
        if image.mode not in _GREY:
            image = image.convert("RGB")  # palettes and CMYK too: grey is the luma of what is seen
        if image.mode != MODES[self._mode]:
            image = image.convert(MODES[self._mode])
        pixels = np.asarray(_fitted(image, self._size, self._resample, self._crop))
        return pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None]


def resized(images: np.ndarray, size: int | None, resample: str, where: str) -> np.ndarray:
    """Return uint8 N x C x H x W images with ``size`` pixels a side, as `EncodedImages` would; None: as they are."""
    _check_settings(size, None, resample, where)
    if size is None or images.shape[2:] == (size, size):
        return images
    images = np.asarray(images)
    n, channels = images.shape[:2]
    out = np.empty((n, channels, size, size), np.uint8)
    try:
        for image, place in zip(images.reshape(-1, *images.shape[2:]), out.reshape(-1, size, size), strict=True):
            place[:] = _fitted(Image.fromarray(image), size, resample, crop=False)
    except _OddImageError as error:
        raise UserError(f"{where}: {error}") from None
    return out


def resize_splits(splits: Mapping[str, Mapping], size: int | None, resample: str, where: str) -> dict[str, dict]:
    """Return the splits of a dataset plug-in with ``size`` pixels a side."""
    return {name: {**split, "samples": resized(split["samples"], size, resample, f"{where}: {name}")}
            for name, split in splits.items()}  # fmt: skip


class _OddImageError(Exception):
    """An image that is whole but does not fit the others."""


def _fitted(image: Image.Image, size: int | None, resample: str, crop: bool) -> Image.Image:
    """Return an image with `size` pixels a side, or with `crop` alone its centred square."""
    width, height = image.size
    if crop and width != height:
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    elif size is not None and width != height and resample != PAD:
        raise _OddImageError(f"{width} x {height} is not square: set `crop: true` for its centre")
    if size is None or image.size == (size, size):
        return image
    if resample != PAD:
        return image.resize((size, size), FILTERS[resample])
    width, height = image.size
    if max(width, height) > size:
        raise _OddImageError(f"{width} x {height} does not fit into {size} x {size} with black around it: name a "
                             f"filter ({', '.join(FILTERS)})")  # fmt: skip
    padded = Image.new(image.mode, (size, size))
    padded.paste(image, ((size - width) // 2, (size - height) // 2))
    return padded


def _check_settings(size, mode, resample, where) -> None:
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise UserError(f"{where}: size {size!r} is not a whole number of pixels >= 1 (or null: as they are)")
    if mode is not None and mode not in MODES:
        raise UserError(f"{where}: mode {mode!r} is not one of {', '.join(MODES)} (or null: that of the first image)")
    if resample not in (*FILTERS, PAD):
        raise UserError(f"{where}: filter {resample!r} is not one of {', '.join((*FILTERS, PAD))}")


def _opened(data: bytes | Path) -> Image.Image:
    return Image.open(io.BytesIO(data) if isinstance(data, bytes) else data)


def _why(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, _OddImageError) else f"cannot be decoded: {text}"


def _first_of(bad: list[str]) -> str:
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    return "; ".join(bad[:_NAMED]) + more


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[-1]} x {shape[-2]}"


class _Clock:
    """Progress on stderr for what takes more than two seconds."""

    def __init__(self, what: str, n: int):
        self.what, self.n, self.next = what, n, time.monotonic() + _FIRST_PROGRESS

    def tick(self, done: int) -> None:
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + _PROGRESS_SECONDS
            print(f"{self.what}: {done:,} of {self.n:,} images decoded", file=sys.stderr, flush=True)
