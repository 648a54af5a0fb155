"""Parquet files of the Hugging Face image convention: `image` struct<bytes, path> and, where there is one, `label`."""

from selfloop.errors import UserError
from selfloop.parquet_images import parquet_files, parquet_split, rows


def count(*, path=None, heldout=None):
    sizes = {"train": rows(_files(path, "path"))}
    return sizes | ({"heldout": rows(_files(heldout, "heldout"))} if heldout is not None else {})


def load(
    *,
    seed,
    path=None,  # a file, a pattern such as data/train-*.parquet, or a list of these
    heldout=None,  # the same for held-out images; None: the workflow keeps some of the first out
    size=None,  # pixels a side; None: as they are, all of one size
    mode=None,  # grey | rgb; None: that of the first image
    filter="lanczos",  # nearest | box | bilinear | hamming | bicubic | lanczos, antialiased; or pad (black around)
    crop=False,  # cut the centred square out of an image that is not square
    image="image",  # name of the column of images
    label="label",  # name of the column of labels; None: without labels
):
    """Return uint8 N x C x H x W in the order of the files (sorted within a pattern) and rows; no draws."""
    settings = {"size": size, "mode": mode, "resample": filter, "crop": crop}
    splits = {"train": parquet_split(_files(path, "path"), image, label, **settings)}
    if heldout is not None:
        splits["heldout"] = parquet_split(_files(heldout, "heldout"), image, label, **settings)
    return splits


def _files(patterns, parameter):
    if patterns is None:
        raise UserError(f"hf_parquet: set the parameter '{parameter}' to a Parquet file, a pattern or a list of them")
    try:
        return parquet_files(patterns)
    except UserError as error:
        raise UserError(f"{error} (hf_parquet, parameter '{parameter}')") from None
