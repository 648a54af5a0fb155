"""A published set of small images in a folder: its authors' own files, or a copy in Parquet (Hugging Face's layout)."""

import gzip
import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from selfloop.errors import UserError
from selfloop.parquet_images import image_column, parquet_split, rows
from selfloop.sources import how_to_get

_SPLITS = {"train": "train", "heldout": "test"}  # ours -> the publishers' word


class Published(NamedTuple):
    """What a set is, and how its authors' own files are counted and read.

    ``count(folder)`` and ``read(folder)`` return {"train", "heldout"}: numbers, and (uint8 N x C x H x W, labels);
    or None where the folder holds no such files.
    """

    name: str
    shape: tuple[int, int, int]  # C x H x W
    classes: int
    files: str  # what the folder would hold, for a message
    count: Callable[[Path], Mapping[str, int] | None]
    read: Callable[[Path], Mapping[str, tuple[np.ndarray, np.ndarray]] | None]


def count_published(what: Published, path: str) -> dict[str, int]:
    """Return the number of images of each split, without decoding any."""
    counts = what.count(_folder(what, path))
    if counts is None:
        counts = {split: rows(files) for split, files in _parquet(what, Path(path)).items()}
    return dict(counts)


def load_published(what: Published, path: str) -> dict[str, dict]:
    """Return the splits of a dataset plug-in; the authors' own files are preferred to a copy in Parquet."""
    found = what.read(_folder(what, path))
    if found is None:
        mode = "rgb" if what.shape[0] == 3 else "grey"
        splits = {split: parquet_split(files, image_column(files[0], ("image", "img")), "label", mode=mode)
                  for split, files in _parquet(what, Path(path)).items()}  # fmt: skip
    else:
        splits = {split: {"samples": samples, "labels": labels} for split, (samples, labels) in found.items()}
    for split, content in splits.items():
        _check(what, f"{path}: {split}", **content)
    return splits


def _folder(what: Published, path: str) -> Path:
    if not Path(path).is_dir():
        raise UserError(f"{path}: no such folder; {how_to_get(what.name)}, or set the parameter 'path' to a folder "
                        f"with {what.files}, or with train*.parquet and test*.parquet")  # fmt: skip
    return Path(path)


def _parquet(what: Published, folder: Path) -> dict[str, list[str]]:
    files = {ours: sorted(map(str, folder.rglob(f"{theirs}*.parquet"))) for ours, theirs in _SPLITS.items()}
    if not all(files.values()):
        raise UserError(f"{folder}: holds neither {what.files} nor train*.parquet and test*.parquet; "
                        f"{how_to_get(what.name)}")  # fmt: skip
    return files


def _check(what: Published, where: str, samples, labels) -> None:
    if samples.shape[1:] != what.shape:
        ours, theirs = (" x ".join(map(str, shape)) for shape in (what.shape, samples.shape[1:]))
        raise UserError(f"{where}: images of {theirs}, {what.name} has {ours}")
    if labels is None or len(labels) != len(samples):
        raise UserError(f"{where}: {0 if labels is None else len(labels)} labels for {len(samples)} images")
    if not 0 <= labels.min() <= labels.max() < what.classes:
        raise UserError(f"{where}: labels {labels.min()}..{labels.max()}, {what.name} has 0..{what.classes - 1}")


# ---- MNIST's format: "idx", gzipped or not


def idx_set(name: str) -> Published:
    """Describe a set of 28 x 28 grey images in the four idx files of MNIST, which many sets imitate."""
    files = "the four files train-images-idx3-ubyte.gz, ... of its authors"
    return Published(name, (1, 28, 28), 10, files, _count_idx, _read_idx)


def _idx_files(folder: Path) -> dict[str, tuple[Path, Path]] | None:
    """Return the files of images and labels of each split; None if there is none of the four."""
    found, absent = {}, []
    for ours, theirs in (("train", "train"), ("heldout", "t10k")):
        for kind in ("images-idx3", "labels-idx1"):
            names = [folder / f"{theirs}-{kind}-ubyte{suffix}" for suffix in (".gz", "")]
            path = next((name for name in names if name.is_file()), None)
            found.setdefault(ours, []).append(path)
            absent += [names[0]] if path is None else []
    if len(absent) == 4:
        return None
    if absent:
        raise UserError(f"{absent[0]}: no such file; it belongs to the others in the folder")
    return {split: tuple(paths) for split, paths in found.items()}


def _count_idx(folder: Path):
    files = _idx_files(folder)
    return files and {split: _read_header(images, 3)[0] for split, (images, _) in files.items()}


def _read_idx(folder: Path):
    files = _idx_files(folder)
    return files and {
        split: (_read_idx_file(images, 3)[:, None], _read_idx_file(labels, 1).astype(np.int64))
        for split, (images, labels) in files.items()
    }


def _read_header(path: Path, axes: int) -> tuple[int, ...]:
    """Return the shape: after two zero bytes come 8 (uint8), the number of axes, and each as big-endian int32."""
    with _opened(path) as handle:
        head = _checked(path, lambda: handle.read(4 * (axes + 1)))
    if len(head) < 4 * (axes + 1) or head[:4] != bytes((0, 0, 8, axes)):
        raise UserError(f"{path}: no idx file of uint8 with {axes} axes (it begins with {head[:4].hex()})")
    return struct.unpack(f">{axes}i", head[4:])


def _read_idx_file(path: Path, axes: int) -> np.ndarray:
    shape = _read_header(path, axes)
    with _opened(path) as handle:
        content = _checked(path, handle.read)
    values = np.frombuffer(content, np.uint8, offset=4 * (axes + 1))
    if len(values) != np.prod(shape):
        raise UserError(f"{path}: {len(values):,} values, its head says {' x '.join(map(str, shape))}")
    return values.reshape(shape)


def _opened(path: Path):
    return gzip.open(path) if path.suffix == ".gz" else open(path, "rb")


def _checked(path: Path, read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: not a whole file ({error})") from None


# ---- CIFAR-10's binary format


_CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"
_CIFAR_FOLDER = "cifar-10-batches-bin"  # what the archive unpacks to
_CIFAR_FILES = {"train": [f"data_batch_{k}.bin" for k in range(1, 6)], "heldout": ["test_batch.bin"]}
_CIFAR_ROWS, _CIFAR_BYTES = 10_000, 3073  # of a file: images, and for each the label and red, green, blue planes


def _count_cifar(folder: Path):
    if not (folder / _CIFAR_ARCHIVE).is_file() and not (folder / _CIFAR_FOLDER).is_dir():
        return None
    return {split: len(files) * _CIFAR_ROWS for split, files in _CIFAR_FILES.items()}


def _read_cifar(folder: Path):
    if (folder / _CIFAR_ARCHIVE).is_file():
        contents = _unpacked(folder / _CIFAR_ARCHIVE)
    elif (folder / _CIFAR_FOLDER).is_dir():
        paths = [folder / _CIFAR_FOLDER / name for names in _CIFAR_FILES.values() for name in names]
        contents = {path.name: path.read_bytes() for path in paths if path.is_file()}
    else:
        return None
    splits = {}
    for split, names in _CIFAR_FILES.items():
        for name in names:
            if len(contents.get(name, b"")) != _CIFAR_ROWS * _CIFAR_BYTES:
                raise UserError(f"{folder}: {name} of CIFAR-10 has {len(contents.get(name, b'')):,} bytes, not "
                                f"{_CIFAR_ROWS} x {_CIFAR_BYTES}")  # fmt: skip
        table = np.concatenate([np.frombuffer(contents[name], np.uint8).reshape(-1, _CIFAR_BYTES) for name in names])
        splits[split] = table[:, 1:].reshape(-1, 3, 32, 32), table[:, 0].astype(np.int64)
    return splits


def _unpacked(path: Path) -> dict[str, bytes]:
    """Return the contents of the archive's data files, in memory: nothing is written."""
    wanted = {name for names in _CIFAR_FILES.values() for name in names}
    try:
        with tarfile.open(path, "r:gz") as archive:
            members = [member for member in archive if member.isfile() and Path(member.name).name in wanted]
            return {Path(member.name).name: archive.extractfile(member).read() for member in members}
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: not a whole archive ({error})") from None


CIFAR10 = Published(
    "cifar10",
    (3, 32, 32),
    10,
    f"{_CIFAR_ARCHIVE} of its authors",
    _count_cifar,
    _read_cifar,
)
