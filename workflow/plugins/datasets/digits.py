"""The 1,797 handwritten digits that scikit-learn ships: 8x8, grey, 17 levels (Alpaydin and Kaynak 1998, UCI)."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from selfloop.errors import UserError

_N = 1797


def count():
    return {"train": _N}


def load(*, seed):
    """Return uint8 1797 x 1 x 8 x 8, levels 0..16 as round(v * 255 / 16), with labels 0..9; a finite set, no draws."""
    with gzip.open(_data_file(), "rt") as handle:
        rows = np.loadtxt(handle, delimiter=",", dtype=np.float64)  # 64 levels and the label
    if rows.shape != (_N, 65):
        raise UserError(f"{_data_file()}: {rows.shape[0]} x {rows.shape[1]} numbers, not {_N} x 65")
    samples = np.rint(rows[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    return {"train": {"samples": samples, "labels": rows[:, 64].astype(np.int64)}}


def _data_file() -> Path:
    """Find the file in the installed package without importing it, which takes 20 times as long as reading it."""
    package = importlib.util.find_spec("sklearn")
    if package is None:
        raise UserError("the digits come with scikit-learn, which is not installed: pip install scikit-learn")
    path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        raise UserError(f"{path}: no such file; this scikit-learn ships its digits elsewhere")
    return path
