"""A folder of images; sub-folders, where there are any, are the classes (labels 0, 1, ... in sorted order)."""

from pathlib import Path

import numpy as np

from selfloop.errors import UserError
from selfloop.image_files import SUFFIXES, file_images, images_in, visible


def count(*, path=None, heldout=None):
    sizes = {"train": len(_list(path, "path")[0])}
    return sizes | ({"heldout": len(_list(heldout, "heldout")[0])} if heldout is not None else {})


def load(
    *,
    seed,
    path=None,  # the folder of the training images
    heldout=None,  # a second folder, of the same classes; None: the workflow keeps some of the first out
    size=None,  # pixels a side; None: as they are, all of one size
    mode=None,  # grey | rgb; None: that of the first image
    filter="lanczos",  # nearest | box | bilinear | hamming | bicubic | lanczos, antialiased; or pad (black around)
    crop=False,  # cut the centred square out of an image that is not square
):
    """Return uint8 N x C x H x W in the sorted order of the file names, class by class; a finite set, no draws."""
    settings = {"size": size, "mode": mode, "resample": filter, "crop": crop}
    files, labels, classes = _list(path, "path")
    splits = {"train": {"samples": file_images(Path(path), files, **settings), "labels": labels}}
    if heldout is not None:
        files, labels, found = _list(heldout, "heldout")
        if found != classes:
            raise UserError(f"{heldout}: its classes ({', '.join(found) or 'none'}) are not those of {path} "
                            f"({', '.join(classes) or 'none'})")  # fmt: skip
        splits["heldout"] = {"samples": file_images(Path(heldout), files, **settings), "labels": labels}
    return splits


def _list(folder, parameter):
    """Return the image files, their labels (None without classes) and the names of the classes."""
    if folder is None:
        raise UserError(f"image_folder: set the parameter '{parameter}' to a folder of images")
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    loose = images_in(folder)
    groups = {child.name: images_in(child) for child in visible(folder) if child.is_dir()}
    groups = {name: files for name, files in groups.items() if files}
    if loose and groups:
        raise UserError(f"{folder}: images ({loose[0].name}, ...) beside class folders ({next(iter(groups))}, ...); "
                        f"keep the one or the other")  # fmt: skip
    if not loose and not groups:
        raise UserError(f"{folder}: no images in it or in its sub-folders ({', '.join(SUFFIXES)})")
    if loose:
        return loose, None, []
    labels = np.repeat(np.arange(len(groups)), [len(files) for files in groups.values()])
    return [file for files in groups.values() for file in files], labels, list(groups)
