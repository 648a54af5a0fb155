"""Data files that an installed package ships, found without importing it: that would take longer than reading them."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from selfloop.errors import UserError


def packaged_file(package: str, *parts: str, absent: str) -> Path:
    """Return the path of a file inside ``package``. Raises UserError: ``absent`` where the package is not installed."""
    found = importlib.util.find_spec(package)
    if found is None:
        raise UserError(absent)
    path = Path(found.origin).parent.joinpath(*parts)
    if not path.is_file():
        raise UserError(f"{path}: no such file; this {package} keeps it elsewhere")
    return path


def read_images(path: Path, n: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Read a gzipped CSV file with one grey image a row, side * side values and the label.

    Returns (float64 n x 1 x side x side, labels int64[n]); UserError for a table of another shape.
    """
    with gzip.open(path, "rt") as handle:
        rows = np.loadtxt(handle, delimiter=",", dtype=np.float64)
    if rows.shape != (n, side * side + 1):
        raise UserError(f"{path}: {rows.shape[0]} x {rows.shape[1]} numbers, not {n} x {side * side + 1}")
    return rows[:, :-1].reshape(n, 1, side, side), rows[:, -1].astype(np.int64)
