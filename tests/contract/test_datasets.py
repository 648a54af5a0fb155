"""Dataset plug-ins: against files written here, scikit-learn's own loader, and the published moments of real data."""

import importlib.util
import io
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support import dataset, message

PLUGINS = Path(__file__).parents[2] / "workflow" / "plugins" / "datasets"
DATA = os.environ.get("SELFLOOP_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="SELFLOOP_DATA is not set (a folder with cifar10/ and mnist/)")
RNG = np.random.default_rng(1)
IMAGES = RNG.integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)  # N x H x W x C
WANTED = IMAGES.transpose(0, 3, 1, 2)


def decoded(module, **params) -> dict:
    """Load and decode every image."""
    splits = module.load(**params)
    return {name: split | {"samples": np.asarray(split["samples"])} for name, split in splits.items()}


def png(pixels) -> bytes:
    handle = io.BytesIO()
    Image.fromarray(pixels).save(handle, "PNG")
    return handle.getvalue()


# ---- digits


def test_digits_are_scikit_learn_s():
    from sklearn.datasets import load_digits

    levels, labels = load_digits(return_X_y=True)
    train = dataset("digits").load(seed=0)["train"]
    assert train["samples"].dtype == np.uint8 and train["samples"].shape == (1797, 1, 8, 8)
    np.testing.assert_array_equal(train["samples"].reshape(1797, 64), np.rint(levels * 255 / 16))
    np.testing.assert_array_equal(train["labels"], labels)
    assert dataset("digits").count() == {"train": 1797}


def test_digits_without_scikit_learn(monkeypatch):
    module = dataset("digits")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    expected = "the digits come with scikit-learn, which is not installed: pip install scikit-learn"
    assert message(module.load, seed=0) == expected


def test_digits_do_not_import_scikit_learn():
    import subprocess

    program = (f"import sys; sys.path.insert(0, {str(PLUGINS)!r}); import digits; digits.load(seed=0); "
               "sys.exit('sklearn' in sys.modules)")  # fmt: skip
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# ---- image_folder


@pytest.fixture
def folder(tmp_path):
    """Two classes; the names sort differently as text than as numbers, and there are files that are no images."""
    for i, name in enumerate(["cat/10.png", "cat/9.png", "dog/1.PNG", "cat/.hidden.png", "dog/notes.txt"]):
        file = tmp_path / "set" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(IMAGES[i]) if i < 3 else b"x")
    (tmp_path / "set" / "empty").mkdir()
    return tmp_path / "set"


def test_class_folders_are_labels_in_sorted_order(folder):
    module = dataset("image_folder")
    train = module.load(seed=0, path=str(folder))["train"]
    np.testing.assert_array_equal(train["samples"], WANTED[[0, 1, 2]])
    assert train["labels"].tolist() == [0, 0, 1]
    assert module.count(path=str(folder)) == {"train": 3}


def test_a_flat_folder_has_no_labels(folder):
    train = dataset("image_folder").load(seed=0, path=folder / "cat", mode="grey", size=4, crop=True)["train"]
    assert train["labels"] is None and train["samples"].shape == (2, 1, 4, 4)


def test_a_heldout_folder_shares_the_classes(folder):
    module = dataset("image_folder")
    splits = module.load(seed=0, path=str(folder), heldout=str(folder))
    np.testing.assert_array_equal(splits["heldout"]["labels"], splits["train"]["labels"])
    assert module.count(path=str(folder), heldout=str(folder)) == {"train": 3, "heldout": 3}
    expected = f"{folder}/cat: its classes (none) are not those of {folder} (cat, dog)"
    assert message(module.load, seed=0, path=str(folder), heldout=str(folder / "cat")) == expected


def test_wrong_folders(folder):
    load = dataset("image_folder").load
    assert message(load, seed=0) == "image_folder: set the parameter 'path' to a folder of images"
    assert message(load, seed=0, path="no/where") == "no/where: no such folder"
    assert message(load, seed=0, path=folder / "empty").startswith(f"{folder}/empty: no images in it or in its ")
    (folder / "loose.png").write_bytes(png(IMAGES[0]))
    expected = f"{folder}: images (loose.png, ...) beside class folders (cat, ...); keep the one or the other"
    assert message(load, seed=0, path=folder) == expected


def test_a_damaged_file_is_named(folder):
    (folder / "dog" / "1.PNG").write_bytes(png(IMAGES[2])[:50])
    text = message(decoded, module=dataset("image_folder"), seed=0, path=folder)
    assert text.startswith(f"{folder}: 1 of 3 images cannot be used: dog/1.PNG (cannot be decoded: ")


# ---- hf_parquet


STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write_parquet(path, rows, labels=None, paths=None):
    images = [{"bytes": None if paths else png(IMAGES[i]), "path": paths[i] if paths else None} for i in rows]
    columns = {"image": pa.array(images, STRUCT)}
    if labels is not None:
        columns["label"] = pa.array(labels)
    pq.write_table(pa.table(columns), path)


def test_parquet_files_by_pattern_in_sorted_order(tmp_path):
    write_parquet(tmp_path / "train-1.parquet", [2, 3], [5, 6])
    write_parquet(tmp_path / "train-0.parquet", [0, 1], [3, 4])
    write_parquet(tmp_path / "test-0.parquet", [4], [7])
    module = dataset("hf_parquet")
    params = {"path": f"{tmp_path}/train-*.parquet", "heldout": [f"{tmp_path}/test-0.parquet"]}
    splits = module.load(seed=0, **params)
    np.testing.assert_array_equal(splits["train"]["samples"], WANTED[:4])
    assert splits["train"]["labels"].tolist() == [3, 4, 5, 6] and splits["train"]["labels"].dtype == np.int64
    np.testing.assert_array_equal(splits["heldout"]["samples"], WANTED[4:5])
    assert module.count(**params) == {"train": 4, "heldout": 1}


def test_parquet_images_by_path_and_without_labels(tmp_path):
    (tmp_path / "a.png").write_bytes(png(IMAGES[0]))
    write_parquet(tmp_path / "set.parquet", [0], paths=["a.png"])
    train = dataset("hf_parquet").load(seed=0, path=f"{tmp_path}/set.parquet")["train"]
    np.testing.assert_array_equal(train["samples"], WANTED[:1])
    assert train["labels"] is None


def test_wrong_parquet_files(tmp_path):
    module, file = dataset("hf_parquet"), f"{tmp_path}/set.parquet"
    load = module.load
    assert (
        message(load, seed=0) == "hf_parquet: set the parameter 'path' to a Parquet file, a pattern or a list of them"
    )
    assert message(load, seed=0, path=file) == f"{file}: no such file (hf_parquet, parameter 'path')"
    Path(file).write_bytes(b"PAR1 and no more")
    assert message(module.count, path=file).startswith(f"{file}: not a whole Parquet file (")
    assert message(load, seed=0, path=file).startswith(f"{file}: not a whole Parquet file (")
    pq.write_table(pa.table({"img": [1]}), file)
    assert message(load, seed=0, path=file) == f"{file}: no column 'image' (has: img); name it with `image`"
    expected = f"{file}: column 'img' is int64, not struct<bytes: binary, path: string>"
    assert message(load, seed=0, path=file, image="img") == expected
    write_parquet(file, [0, 1], ["cat", "dog"])
    assert (
        message(load, seed=0, path=file)
        == f"{file}: column 'label' is string, not integers; `label: null` leaves it out"
    )
    assert dataset("hf_parquet").load(seed=0, path=file, label=None)["train"]["labels"] is None
    write_parquet(file, [0, 1], pa.array([1, None], pa.int64()))
    assert message(load, seed=0, path=file) == f"{file}: column 'label' has 1 nulls; `label: null` leaves it out"


def test_a_damaged_row_is_named(tmp_path):
    image = pa.array(
        [{"bytes": png(IMAGES[0]), "path": None}, None], pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    )
    pq.write_table(pa.table({"image": image}), tmp_path / "set.parquet")
    text = message(decoded, module=dataset("hf_parquet"), seed=0, path=f"{tmp_path}/set.parquet")
    assert text.startswith(
        f"{tmp_path}/set.parquet: 1 of 2 images cannot be used: set.parquet row 1 (cannot be decoded: "
    )


# ---- npy


@pytest.mark.parametrize(
    ("layout", "stored", "wanted"),
    [("NHWC", IMAGES, WANTED), ("NCHW", WANTED, WANTED), ("NHW", IMAGES[..., 0], WANTED[:, :1])],
)
def test_npy_layouts(tmp_path, layout, stored, wanted):
    np.save(tmp_path / "x.npy", stored)
    np.save(tmp_path / "y.npy", np.arange(6, dtype=np.int32))
    module = dataset("npy")
    params = {"path": f"{tmp_path}/x.npy", "layout": layout}
    splits = module.load(seed=0, labels=f"{tmp_path}/y.npy", heldout=f"{tmp_path}/x.npy", **params)
    np.testing.assert_array_equal(splits["train"]["samples"], wanted)
    assert splits["train"]["samples"].flags.c_contiguous
    assert splits["train"]["labels"].tolist() == [0, 1, 2, 3, 4, 5] and splits["heldout"]["labels"] is None
    assert module.count(heldout=f"{tmp_path}/x.npy", **params) == {"train": 6, "heldout": 6}


def test_wrong_npy_files(tmp_path):
    load, x, y = dataset("npy").load, f"{tmp_path}/x.npy", f"{tmp_path}/y.npy"
    assert message(load, seed=0) == "npy: set the parameter 'path' to a .npy file of uint8 images"
    assert message(load, seed=0, path=x) == f"{x}: no such file"
    assert message(load, seed=0, path=x, layout="HWC") == "npy: layout 'HWC' is not one of NHWC, NCHW, NHW"
    np.save(x, IMAGES / 255)
    assert message(load, seed=0, path=x) == f"{x}: float64, not uint8; scale the images to 0..255 first"
    np.save(x, IMAGES)
    expected = f"{x}: 4 axes (6, 4, 5, 3), but layout NHW has 3"
    assert message(load, seed=0, path=x, layout="NHW") == expected
    np.save(x, np.zeros((6, 3, 5, 5), np.uint8))
    expected = f"{x}: (6, 3, 5, 5) as NHWC has 5 channels; give the right `layout` (NHWC, NCHW, NHW)"
    assert message(load, seed=0, path=x) == expected
    np.save(x, IMAGES)
    np.save(y, np.arange(5))
    assert message(load, seed=0, path=x, labels=y) == f"{y}: 5 labels for 6 images in {x}"
    np.save(y, np.arange(6.0))
    assert message(load, seed=0, path=x, labels=y) == f"{y}: float64 (6,), not one whole number an image"
    Path(x).write_bytes(b"no array")
    assert message(load, seed=0, path=x).startswith(f"{x}: not a whole .npy file (")


# ---- normal


def test_normal_has_its_moments():
    train = dataset("normal").load(seed=3, n=500, d=2, mean=4.0, std=3.0, replicates=40)["train"]
    x = train["samples"]
    assert x.dtype == np.float64 and x.shape == (20_000, 2)
    assert train["replicate"].tolist() == sorted(list(range(40)) * 500)
    assert (abs(x.mean(axis=0) - 4) < 4 * 3 / np.sqrt(20_000)).all()
    assert (abs(x.var(axis=0) - 9) < 4 * 9 * np.sqrt(2 / 20_000)).all()
    assert abs(np.corrcoef(x.T)[0, 1]) < 4 / np.sqrt(20_000)


def test_normal_is_a_function_of_the_seed():
    load = dataset("normal").load
    few, many = (load(seed=5, n=7, replicates=r, heldout=3) for r in (2, 9))
    np.testing.assert_array_equal(few["train"]["samples"], many["train"]["samples"][:14])  # more chains move nobody
    np.testing.assert_array_equal(few["heldout"]["samples"], many["heldout"]["samples"][:6])
    assert not np.isin(few["heldout"]["samples"], few["train"]["samples"]).any()
    assert not np.isin(load(seed=6, n=7)["train"]["samples"], few["train"]["samples"]).any()
    assert dataset("normal").count(n=7, heldout=3) == {"train": 7, "heldout": 3}  # per replicate


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"n": 0}, "normal: n is 0, not >= 1"),
        ({"d": 0}, "normal: d is 0, not >= 1"),
        ({"replicates": 0}, "normal: replicates is 0, not >= 1"),
        ({"heldout": -1}, "normal: heldout is -1, not >= 0"),
        ({"std": 0.0}, "normal: std is 0.0, not > 0"),
    ],
)
def test_normal_out_of_range(params, expected):
    assert message(dataset("normal").load, seed=0, **params) == expected


# ---- real data


@needs_data
@pytest.mark.data
def test_cifar10_has_its_published_channel_means():
    params = {"path": f"{DATA}/cifar10/train-*.parquet", "heldout": f"{DATA}/cifar10/test-*.parquet"}
    module = dataset("hf_parquet")
    assert module.count(**params) == {"train": 50_000, "heldout": 10_000}
    splits = decoded(module, seed=0, **params)
    assert splits["train"]["samples"].shape == (50_000, 3, 32, 32)
    assert splits["heldout"]["samples"].shape == (10_000, 3, 32, 32)
    means = splits["train"]["samples"].mean(axis=(0, 2, 3), dtype=np.float64) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)
    assert np.bincount(splits["train"]["labels"]).tolist() == [5000] * 10


@needs_data
@pytest.mark.data
def test_mnist_has_its_published_mean_and_deviation():
    train = decoded(dataset("hf_parquet"), seed=0, path=f"{DATA}/mnist/train-*.parquet")["train"]
    assert train["samples"].shape == (60_000, 1, 28, 28)
    pixels = train["samples"].astype(np.float32) / 255
    np.testing.assert_allclose(
        [pixels.mean(dtype=np.float64), pixels.std(dtype=np.float64)], [0.1307, 0.3081], atol=5e-5
    )
    assert np.bincount(train["labels"]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
