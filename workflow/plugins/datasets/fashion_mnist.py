"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 28x28 grey pictures of clothes, 60,000 for training, 10,000 held out.

`snakemake --cores 1 fetch_fashion_mnist` puts its authors' files where `path` looks; a folder of Parquet files will do.
"""

from selfloop.images import resize_splits
from selfloop.published import count_published, idx_set, load_published


def count(*, path="resources/fashion_mnist"):
    return count_published(idx_set("fashion_mnist"), path)


def load(
    *,
    seed,
    path="resources/fashion_mnist",  # folder with train-images-idx3-ubyte.gz, ..., or train*.parquet and test*.parquet
    size=None,  # pixels a side; None: 28, as they are
    filter="pad",  # how: pad (black around), or nearest | box | bilinear | hamming | bicubic | lanczos, antialiased
):
    """Return uint8 N x 1 x H x W and labels 0..9 in the order of the files; no draws."""
    return resize_splits(load_published(idx_set("fashion_mnist"), path), size, filter, path)
