"""MNIST (LeCun, Cortes and Burges 1998): 28x28 grey handwritten digits, 60,000 for training and 10,000 held out.

`snakemake --cores 1 fetch_mnist` puts its authors' files where `path` looks; a folder of Parquet files will do too.
"""

from selfloop.images import resize_splits
from selfloop.published import count_published, idx_set, load_published


def count(*, path="resources/mnist"):
    return count_published(idx_set("mnist"), path)


def load(
    *,
    seed,
    path="resources/mnist",  # folder with train-images-idx3-ubyte.gz, ..., or train*.parquet and test*.parquet
    size=None,  # pixels a side; None: 28, as they are
    filter="pad",  # how: pad (black around), or nearest | box | bilinear | hamming | bicubic | lanczos, antialiased
):
    """Return uint8 N x 1 x H x W and labels 0..9 in the order of the files; no draws."""
    return resize_splits(load_published(idx_set("mnist"), path), size, filter, path)
