"""Pictures of one generation for the explorer page: chosen, laid out on one sheet, encoded without loss.

A sheet holds, in this order, the tracked samples (same seeds in every generation), the first samples in index order,
and for each group of pairs the generated images and then their nearest training images. Images are uint8
N x C x H x W (C = 1 grey or 3 RGB), tiles of H x W pixels in rows of ``ACROSS``.
"""

import base64
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from selfloop.errors import UserError
from selfloop.figures import Pairs, check_images, spread_ranks
from selfloop.nearest_images import nearest_images

ACROSS = 16  # tiles in a row of a sheet
LARGEST = 64  # pixels: the longer side of a tile; larger images are averaged down by a whole factor
LOOKED_AT = 512  # samples whose nearest training image is searched for
_OVERHEAD, _MARGIN = 2048, 0.95  # bytes of a sheet beside its pixels; share of the room that is planned for
_STEPS = 32  # in which the number of images is reduced


class Amounts(NamedTuple):
    """How many images a sheet holds at most."""

    tracked: int
    samples: int
    pairs: int  # in each of three groups

    def reduced(self, steps: int) -> "Amounts":
        """Return ``steps`` of 32 parts: of the first samples their square, of the tracked at least half."""
        share = steps / _STEPS
        counts = self.tracked * (1 + share) / 2, self.samples * share**2, self.pairs * share
        return Amounts(*(max(min(whole, 1), int(n)) for whole, n in zip(self, counts, strict=True)))

    def bytes(self, shape: tuple[int, ...]) -> int:
        """Return an upper bound of a sheet's size in base64; ``shape`` is C x H x W of a tile."""
        images = self.tracked + self.samples + 6 * self.pairs
        return (images * int(np.prod(shape)) + _OVERHEAD) * 4 // 3


class Pictures(NamedTuple):
    """The images that are shown of one generation."""

    tracked: np.ndarray  # uint8 T x C x H x W; T may be 0
    samples: np.ndarray  # uint8 S x C x H x W, the first in index order
    n: int  # samples of the generation, of which these are the first
    groups: list[Pairs]
    looked_at: int = 0  # samples whose nearest training image was searched for
    training: int = 0  # images of the training set
    mean: float = 0.0  # grey levels, the mean of the distances over ``looked_at``


def pictures(
    tracked: np.ndarray | None, samples: np.ndarray, training: np.ndarray | None, evaluated: int, amounts: Amounts
) -> Pictures:
    """Choose what is shown of a generation; ``training`` is what its model was trained on (None: real data).

    Pairs are taken from the first ``evaluated`` samples, at most ``LOOKED_AT``: those with the smallest distance to the
    training set, around the median and with the largest (Euclidean, grey levels over all channels and pixels).
    """
    check_images(samples, "samples")
    shown = samples[: amounts.samples]
    tracked = samples[:0] if tracked is None else check_images(tracked, "tracked samples")[: amounts.tracked]
    if training is None:
        return Pictures(shrink(tracked), shrink(shown), len(samples), [])
    candidates = samples[: min(evaluated, LOOKED_AT)]
    distance, nearest = nearest_images(candidates, check_images(training, "training set"))
    order = distance.argsort(kind="stable")
    groups = [
        Pairs(name, shrink(candidates[order[r]]), shrink(training[nearest[order[r]]]), distance[order[r]])
        for name, r in spread_ranks(len(order), amounts.pairs).items()
    ]
    counts = len(samples), groups, len(candidates), len(training), float(distance.mean())
    return Pictures(shrink(tracked), shrink(shown), *counts)


def tile_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return C x H x W of a tile for images of ``shape`` C x H x W."""
    factor = -(-max(shape[1:]) // LARGEST)
    return shape[0], max(1, shape[1] // factor), max(1, shape[2] // factor)


def shrink(images: np.ndarray) -> np.ndarray:
    """Average blocks of pixels until an image fits a tile; smaller ones stay as they are. uint8 in and out."""
    channels, height, width = tile_shape(images.shape[1:])
    factor = -(-max(images.shape[2:]) // LARGEST)
    if factor == 1:
        return np.asarray(images)
    cut = images[:, :, : height * factor, : width * factor].astype(np.float32)
    blocks = cut.reshape(len(images), channels, height, factor, width, factor)
    return np.rint(blocks.mean(axis=(3, 5))).astype(np.uint8)


def sheet(found: Pictures) -> dict:
    """Return the sheet of a generation as JSON-ready values: the encoded image, and what its tiles are."""
    pairs = [images for group in found.groups for images in (group.generated, group.nearest)]
    tiles = np.concatenate([found.tracked, found.samples, *pairs])
    result = {"image": encode(tiles), "height": tiles.shape[2], "width": tiles.shape[3]}
    result |= {"tracked": len(found.tracked), "samples": len(found.samples), "n": found.n}
    if found.groups:
        groups = [{"name": g.name, "distance": [round(float(d), 3) for d in g.distance]} for g in found.groups]
        result |= {"groups": groups, "looked_at": found.looked_at, "training": found.training}
        result["mean"] = round(found.mean, 3)
    return result


def encode(tiles: np.ndarray) -> str:
    """Return uint8 N x C x H x W tiles, ``ACROSS`` in a row, as a data URL of a lossless WebP image."""
    from PIL import Image

    n, channels, height, width = tiles.shape
    across = min(n, ACROSS)
    down = -(-n // across)
    full = np.zeros((down * across, channels, height, width), np.uint8)
    full[:n] = tiles
    grid = full.reshape(down, across, channels, height, width).transpose(0, 3, 1, 4, 2)
    grid = grid.reshape(down * height, across * width, channels)
    buffer = io.BytesIO()
    Image.fromarray(grid[:, :, 0] if channels == 1 else grid).save(buffer, "WEBP", lossless=True, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def compressed_share(parts: Sequence[np.ndarray]) -> float:
    """Return what is left of images when they are encoded, as a share of their bytes, with a margin of a tenth."""
    tiles = [shrink(check_images(images, "samples")) for images in parts]
    return min(1.0, 1.1 * max(len(encode(each)) * 3 / 4 / each.nbytes for each in tiles))


def plan(wanted: Amounts, sheets: Sequence[Sequence], shape: tuple[int, ...], room: float) -> tuple[int, Amounts]:
    """Return (pictured generations of a chain, images of a sheet): the most that fits into ``room`` bytes.

    ``sheets`` names the sheets of each chain, one for each generation that could be shown; chains may share some. First
    the images of a sheet are reduced, then the generations to three (the real data, the first and the last), and last
    the images to one of each kind.
    """
    for most, amounts in _plans(wanted, max(map(len, sheets))):
        distinct = {sheet for chain in sheets for sheet in evenly(chain, most)}
        if len(distinct) * amounts.bytes(shape) <= _MARGIN * room:
            return most, amounts
    raise UserError(
        f"explorer.html: not even three generations of {len(sheets)} chains with one image of each kind, "
        f"{shape[1]} x {shape[2]} pixels, fit into its limit; raise report.explorer_mb"
    )


def _plans(wanted: Amounts, longest: int) -> Iterator[tuple[int, Amounts]]:
    least = min(longest, 3)
    yield from ((longest, wanted.reduced(steps)) for steps in range(_STEPS, 3, -1))
    yield from ((most, wanted.reduced(4)) for most in range(longest, least - 1, -1))
    yield least, Amounts(*(min(n, 1) for n in wanted))


def evenly(generations: Sequence, most: int) -> list:
    """Return at most ``most`` (3 or more) of ascending generations: the first two, the last, and evenly between."""
    n = len(generations)
    if n <= most:
        return list(generations)
    return [generations[0]] + [generations[1 + round(k * (n - 2) / (most - 2))] for k in range(most - 1)]
