"""Images in one .npy file of uint8, with labels in another where there are any."""

import numpy as np

from selfloop.errors import UserError
from selfloop.files import read_array

_LAYOUTS = {"NHWC": (0, 3, 1, 2), "NCHW": (0, 1, 2, 3), "NHW": (0, 1, 2)}


def count(*, path=None, heldout=None, layout="NHWC"):
    sizes = {"train": len(_images(path, layout))}
    return sizes | ({"heldout": len(_images(heldout, layout))} if heldout is not None else {})


def load(
    *,
    seed,
    path=None,  # uint8 array of images
    labels=None,  # int array N; None: without labels
    heldout=None,  # held-out images; None: the workflow keeps some of the first out
    heldout_labels=None,  # int array
    layout="NHWC",  # order of the axes: NHWC | NCHW | NHW (grey)
):
    """Return uint8 N x C x H x W in the order of the file; a finite set, no draws."""
    splits = {"train": _split(path, labels, layout)}
    if heldout is not None:
        splits["heldout"] = _split(heldout, heldout_labels, layout)
    return splits


def _split(path, labels, layout):
    images = _images(path, layout)
    samples = images.transpose(_LAYOUTS[layout])
    samples = samples[:, None] if layout == "NHW" else samples
    if labels is not None:
        labels = _labels(labels, len(images), path)
    return {"samples": np.ascontiguousarray(samples), "labels": labels}


def _images(path, layout):
    """Memory-map the file and check its type and axes: no pixel is read."""
    if layout not in _LAYOUTS:
        raise UserError(f"npy: layout {layout!r} is not one of {', '.join(_LAYOUTS)}")
    if path is None:
        raise UserError("npy: set the parameter 'path' to a .npy file of uint8 images")
    images = read_array(path)
    if images.dtype != np.uint8:
        raise UserError(f"{path}: {images.dtype}, not uint8; scale the images to 0..255 first")
    if images.ndim != len(layout):
        raise UserError(f"{path}: {images.ndim} axes {images.shape}, but layout {layout} has {len(layout)}")
    if "C" in layout and images.shape[layout.index("C")] > 4:
        raise UserError(f"{path}: {images.shape} as {layout} has {images.shape[layout.index('C')]} channels; "
                        f"give the right `layout` ({', '.join(_LAYOUTS)})")  # fmt: skip
    if 0 in images.shape:
        raise UserError(f"{path}: no images {images.shape}")
    return images


def _labels(path, n, images_path):
    labels = read_array(path)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(f"{path}: {labels.dtype} {labels.shape}, not one whole number an image")
    if len(labels) != n:
        raise UserError(f"{path}: {len(labels)} labels for {n} images in {images_path}")
    return labels.astype(np.int64)
