"""CIFAR-10 (Krizhevsky 2009): 32x32 RGB photographs of 10 classes, 50,000 for training and 10,000 held out.

`snakemake --cores 1 fetch_cifar10` puts its authors' archive where `path` looks; a folder of Parquet files will do too.
"""

from selfloop.published import CIFAR10, count_published, load_published


def count(*, path="resources/cifar10"):
    return count_published(CIFAR10, path)


def load(
    *,
    seed,
    path="resources/cifar10",  # folder with cifar-10-binary.tar.gz, or with train*.parquet and test*.parquet
):
    """Return uint8 N x 3 x 32 x 32 and labels 0..9 in the order of the files; no draws."""
    return load_published(CIFAR10, path)
