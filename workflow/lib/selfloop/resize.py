"""Images resized on the device to the same bytes as Pillow's ``Image.resize``, without a loop over images.

Pillow resamples 8-bit images in fixed point: along rows, then along columns, a weighted sum of pixels with weights of
22 fractional bits, rounded and clipped to 0..255. Here each of the two is one matrix product in float64, in which these
sums are exact, so that every device gives the same grey levels. (Pillow 13 takes the columns first where that is
cheaper, as in 500 x 375 to 299 x 299; earlier versions and this module never do.)
"""

import functools
import math
from collections.abc import Callable

import numpy as np

_BITS = 22  # fractional bits of Pillow's weights


def _triangle(x: float) -> float:
    return max(0.0, 1.0 - abs(x))


def _cubic(x: float, a: float = -0.5) -> float:
    """Return Keys' cubic convolution kernel (1981), a = -1/2."""
    x = abs(x)
    if x < 1.0:
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    return (((x - 5.0) * x + 8.0) * x - 4.0) * a if x < 2.0 else 0.0


_FILTERS = {"bilinear": (_triangle, 1.0), "bicubic": (_cubic, 2.0)}  # kernel and half of its width


@functools.cache
def weights(size: int, new: int, kind: str) -> np.ndarray:
    """Return the weights, float64 new x size, of one axis: multiples of 2^-22; a row sums to 1 up to their rounding.

    The kernel is centred on the new pixel's place in the old image, is stretched where that is larger (antialiasing),
    cut at the border and normalised. ``kind`` is bilinear or bicubic.
    """
    kernel, half = _FILTERS[kind]
    scale = size / new
    stretch = max(scale, 1.0)
    result = np.zeros((new, size))
    for i in range(new):
        centre = (i + 0.5) * scale
        first = max(0, int(centre - half * stretch + 0.5))
        last = min(size, int(centre + half * stretch + 0.5))
        row = [kernel((j - centre + 0.5) / stretch) for j in range(first, last)]
        total = sum(row)
        result[i, first:last] = [math.trunc(w / total * 2**_BITS + math.copysign(0.5, w)) / 2**_BITS for w in row]
    result.setflags(write=False)  # shared by all callers
    return result


def resizer(kind: str, device: str, crop: int | None = None) -> Callable:
    """Return ``resize(pixels uint8 B x C x h x w, height, width) -> uint8 B x C x height x width``.

    With ``crop`` only the middle ``crop`` x ``crop`` pixels of the resized image are computed and returned. ``kind`` is
    bilinear or bicubic; ``pixels`` are on ``device``.
    """
    import torch

    @functools.cache
    def matrix(size, new):
        first, last = (0, new) if crop is None else ((new - crop) // 2, (new - crop) // 2 + crop)
        return torch.tensor(weights(size, new, kind)[first:last], device=device)

    def rounded(sums):
        return sums.clamp_(0, 255).add_(0.5).to(torch.uint8)

    def resize(pixels, height, width):
        h, w = pixels.shape[2:]
        wide = rounded(pixels.double() @ matrix(w, width).T)
        return rounded(matrix(h, height) @ wide.double())

    return resize
