"""FFHQ (Karras et al. 2019), faces, made small: your copy as a folder, a zip archive or Parquet, whatever its size.

There is no fetch step: its authors give it out through Google Drive (github.com/NVlabs/ffhq-dataset). Only the images
that are chosen are read, one at a time.
"""

from selfloop.image_files import count_images, find_images


def count(*, path="resources/ffhq", heldout=None):
    sizes = {"train": count_images(path)}
    return sizes | ({"heldout": count_images(heldout)} if heldout is not None else {})


def load(
    *,
    seed,
    path="resources/ffhq",  # a folder of images, a .zip of them, a folder or pattern of Parquet files
    heldout=None,  # the same for held-out images; None: the workflow keeps some of the first out
    size=32,  # pixels a side; the paper's
    filter="lanczos",  # nearest | box | bilinear | hamming | bicubic | lanczos, antialiased; the paper's is not known
):
    """Return uint8 N x 3 x size x size in the sorted order of the names; no labels, no draws."""
    splits = {"train": path} | ({"heldout": heldout} if heldout is not None else {})
    return {name: {"samples": find_images(where, size=size, mode="rgb", resample=filter)}
            for name, where in splits.items()}  # fmt: skip
