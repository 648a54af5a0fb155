"""Pictures of images: grids, the same rows across generations, nearest training images.

Pure drawing: uint8 arrays N x C x H x W (C = 1 grey or 3 RGB) in, a matplotlib Figure out. Every image is enlarged by a
whole number of screen pixels, so that an 8x8 digit has square, sharp pixels. Use inside ``selfloop.style.style()``.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from selfloop.errors import UserError
from selfloop.style import DPI, INK, MUTED, WIDTH, count

_MARGIN = 24  # screen pixels of white around everything
_MOSAIC = int(WIDTH * DPI) - 2 * _MARGIN  # screen pixels that a mosaic may be wide
_TITLE, _SUBTITLE, _SMALL = 10.0, 8.0, 7.5  # points
_LINE = 24  # screen pixels of a line of _SUBTITLE text


def check_images(images: np.ndarray, where: str) -> np.ndarray:
    """Return ``images`` if they are uint8 N x C x H x W with N >= 1 and C of 1 or 3; UserError otherwise."""
    if images.dtype == np.float64 and images.ndim == 2:
        raise UserError(f"{where}: float64 N x d samples of a closed-form family are no images; use plot_moments.py")
    if images.dtype != np.uint8 or images.ndim != 4:
        raise UserError(f"{where}: images are uint8 N x C x H x W, not {images.dtype} {_shape(images)}")
    if images.shape[1] not in (1, 3):
        raise UserError(f"{where}: images have 1 (grey) or 3 (RGB) channels, not {images.shape[1]}")
    if len(images) == 0:
        raise UserError(f"{where}: no images in it")
    return images


def sample_grid(images: np.ndarray, title: str, subtitle: str = ""):
    """Draw the images in reading order, about as wide as high. Returns the Figure; uint8 N x C x H x W in."""
    images = check_images(images, title)
    columns = int(np.ceil(np.sqrt(len(images))))
    rows = -(-len(images) // columns)
    scale, gap = _enlargement(columns, images.shape[3])
    canvas = _Canvas(_extent(columns, images.shape[3], scale, gap), _extent(rows, images.shape[2], scale, gap))
    canvas.heading(title, subtitle)
    tiles = np.concatenate([images, np.full_like(images[:1], 255).repeat(rows * columns - len(images), axis=0)])
    canvas.mosaic(_mosaic(tiles.reshape(rows, columns, *images.shape[1:]), scale, gap), 0, 0)
    return canvas.figure


def evolution(columns: Sequence[np.ndarray], names: Sequence[str], row_names: Sequence[str], title: str, subtitle: str):
    """Draw one column of images per generation, the first one (real images) set apart by a space.

    ``columns`` holds one uint8 R x C x H x W array per column, all of one shape; ``names`` stand above the columns and
    ``row_names`` (R of them) left of the rows.
    """
    shapes = {column.shape for column in (check_images(c, n) for c, n in zip(columns, names, strict=True))}
    if len(shapes) != 1:
        raise UserError(f"{title}: the columns differ in number or size of images: {sorted(map(_shape, columns))}")
    height, width = columns[0].shape[2:]
    left = _LINE + max(14 * len(name) for name in row_names)
    scale, gap = _enlargement(len(columns), width, _MOSAIC - left - _LINE, most=10)
    pitch, apart = width * scale + gap, _LINE
    total = _extent(len(columns), width, scale, gap) + apart
    canvas = _Canvas(left + total, _LINE + _extent(len(row_names), height, scale, gap))
    canvas.heading(title, subtitle)
    tiles = np.stack(columns, axis=1)
    canvas.mosaic(_mosaic(tiles[:, :1], scale, gap), left, _LINE)
    canvas.mosaic(_mosaic(tiles[:, 1:], scale, gap), left + pitch + apart, _LINE)
    for column, name in enumerate(names):
        canvas.text(left + column * pitch + (apart if column else 0) + (pitch - gap) / 2, _LINE - 7, name, "center")
    for row, name in enumerate(row_names):
        middle = _LINE + row * (height * scale + gap) + height * scale / 2
        canvas.text(left - 8, middle, name, "right", MUTED, "center")
    return canvas.figure


class Pairs(NamedTuple):
    """Generated images beside their nearest training images, and how these pairs were chosen."""

    name: str  # what they have in common, in words: "the smallest distances"
    generated: np.ndarray  # uint8 P x C x H x W
    nearest: np.ndarray  # uint8 P x C x H x W
    distance: np.ndarray  # float P, grey levels


def nearest_pairs(groups: Sequence[Pairs], title: str, subtitle: str):
    """Draw each group as two rows, generated above its nearest training image, with the distance under the pair."""
    for group in groups:
        check_images(group.generated, group.name)
        check_images(group.nearest, group.name)
    height, width = groups[0].generated.shape[2:]
    columns = max(len(group.distance) for group in groups)
    left = 110
    scale, gap = _enlargement(columns, width, _MOSAIC - left, most=12, gap_share=0.25)
    pitch, rows = width * scale + gap, 2 * height * scale + 2
    block = _LINE + rows + int(2.2 * _LINE)
    canvas = _Canvas(left + _extent(columns, width, scale, gap), len(groups) * block - _LINE)
    canvas.heading(title, subtitle)
    for position, group in enumerate(groups):
        top = position * block
        canvas.text(0, top + _LINE - 7, group.name, "left", weight="bold")
        for row, (images, name) in enumerate([(group.generated, "generated"), (group.nearest, "training set")]):
            y = top + _LINE + row * (height * scale + 2)
            canvas.text(left - 10, y + height * scale / 2, name, "right", MUTED, "center")
            canvas.mosaic(_mosaic(images[None], scale, gap), left, y)
        for column, distance in enumerate(group.distance):
            canvas.text(left + column * pitch + width * scale / 2, top + _LINE + rows + 20, f"{distance:.0f}", "center")
    return canvas.figure


def spread_ranks(n: int, pairs: int) -> dict[str, np.ndarray]:
    """Choose ``pairs`` of ``n`` ranks (0 = smallest distance) at the bottom, around the median and at the top.

    Groups never overlap: with n < 3 * pairs each gets n // 3 (at least one rank; fewer than 3 items: one group).
    """
    if n < 3:
        return {"all of them": np.arange(n)}
    each = max(1, min(pairs, n // 3))
    middle = (n - each) // 2
    return {
        "the smallest distances": np.arange(each),
        "around the median": np.arange(middle, middle + each),
        "the largest distances": np.arange(n - each, n),
    }


class _Canvas:
    """A Figure addressed in screen pixels from the top left of its content, which is ``width`` x ``height``."""

    def __init__(self, width: int, height: int):
        from matplotlib.figure import Figure

        self._top = _MARGIN + 3 * _LINE
        self._size = (max(width + 2 * _MARGIN, 900), height + self._top + _MARGIN)
        self.figure = Figure(figsize=(self._size[0] / DPI, self._size[1] / DPI))

    def heading(self, title: str, subtitle: str) -> None:
        self.text(0, 24 + _MARGIN - self._top, title, "left", size=_TITLE, weight="bold")
        self.text(0, 48 + _MARGIN - self._top, subtitle, "left", MUTED, size=_SUBTITLE)

    def text(self, x, y, text, align, color=INK, va="baseline", size=_SMALL, weight="normal") -> None:
        where = ((x + _MARGIN) / self._size[0], 1 - (y + self._top) / self._size[1])
        self.figure.text(*where, text, ha=align, va=va, color=color, size=size, weight=weight)

    def mosaic(self, array: np.ndarray, x: int, y: int) -> None:
        """Place an uint8 h x w x 3 array at (x, y), one array element per screen pixel."""
        (width, height), (h, w) = self._size, array.shape[:2]
        bottom = height - self._top - y - h
        axes = self.figure.add_axes(((x + _MARGIN) / width, bottom / height, w / width, h / height))
        axes.imshow(array, interpolation="none", aspect="auto")
        axes.set_axis_off()


def _mosaic(tiles: np.ndarray, scale: int, gap: int) -> np.ndarray:
    """Lay uint8 R x K x C x H x W tiles out as one uint8 h x w x 3 array, enlarged ``scale`` times, white between."""
    rows, columns, _, height, width = tiles.shape
    tiles = np.moveaxis(tiles, 2, -1).repeat(scale, axis=2).repeat(scale, axis=3)
    padded = np.full((rows, columns, height * scale + gap, width * scale + gap, 3), 255, np.uint8)
    padded[:, :, : height * scale, : width * scale] = tiles
    whole = padded.swapaxes(1, 2).reshape(rows * padded.shape[2], columns * padded.shape[3], 3)
    return whole[: whole.shape[0] - gap, : whole.shape[1] - gap]


def _enlargement(columns: int, width: int, room: int = _MOSAIC, most: int = 16, gap_share: float = 0.08):
    """Return (screen pixels per image pixel, screen pixels between images) that fit ``columns`` into ``room``."""
    for scale in range(most, 0, -1):
        gap = max(2, round(gap_share * width * scale))
        if _extent(columns, width, scale, gap) <= room:
            return scale, gap
    return 1, 2


def _extent(n: int, size: int, scale: int, gap: int) -> int:
    return n * size * scale + (n - 1) * gap


def _shape(array: np.ndarray) -> str:
    return " x ".join(map(count, array.shape))
