"""Resizing on the device gives Pillow's own bytes."""

import numpy as np
import pytest
from PIL import Image

from selfloop.resize import resizer, weights

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def images(h, w):
    """Noise, and noise of 0 and 255 alone, on which a cubic kernel overshoots and is clipped."""
    x = np.random.default_rng(0).integers(0, 256, (4, 3, h, w), dtype=np.uint8)
    x[2:] = np.where(x[2:] > 127, 255, 0)
    return x


def pillow(x, height, width, kind):
    resized = [Image.fromarray(i.transpose(1, 2, 0)).resize((width, height), FILTERS[kind]) for i in x]
    return np.stack([np.asarray(i) for i in resized]).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize(
    ("size", "new"),
    [
        ((32, 32), (299, 299)),
        ((32, 32), (256, 256)),
        ((8, 8), (128, 128)),
        ((28, 28), (299, 299)),
        ((1, 1), (5, 5)),
        ((3, 2), (31, 17)),
        ((32, 32), (32, 32)),
        ((64, 64), (32, 32)),
        ((512, 512), (299, 299)),
        ((40, 30), (341, 256)),
    ],
)
def test_it_is_pillow_to_the_byte(size, new, kind):
    import torch

    x = images(*size)
    found = resizer(kind, "cpu")(torch.from_numpy(x), *new)
    assert found.dtype == torch.uint8
    np.testing.assert_array_equal(found.numpy(), pillow(x, *new, kind))


def test_the_middle_alone():
    import torch

    x = images(32, 48)
    found = resizer("bicubic", "cpu", crop=224)(torch.from_numpy(x), 256, 384).numpy()
    np.testing.assert_array_equal(found, pillow(x, 256, 384, "bicubic")[:, :, 16:240, 80:304])


@pytest.mark.parametrize("kind", FILTERS)
def test_a_flat_image_stays_flat(kind):
    """Each row of weights sums to 1 up to the rounding of each to 2^-22."""
    for size, new in ((32, 299), (299, 32), (7, 128)):
        assert np.abs(weights(size, new, kind).sum(axis=1) - 1).max() <= size * 2.0**-23
