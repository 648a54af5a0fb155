"""What `snakemake fetch_<name>` brings in: where each file is published, its size and its SHA-256.

A preset looks for its files where the fetch step puts them, FOLDER/<name>/<file>, so that nothing needs to be set.
"""

from pathlib import PurePosixPath
from typing import NamedTuple

FOLDER = "resources"  # the default of `fetch.folder`


class Remote(NamedTuple):
    """One published file."""

    url: str
    sha256: str  # of the whole file
    size: int  # bytes

    @property
    def file(self) -> str:
        """The name it has on disk."""
        return PurePosixPath(self.url).name


class Source(NamedTuple):
    """Files that belong together: `plugin` reads them, with `parameter` naming their place where it is another."""

    files: tuple[Remote, ...]
    licence: str
    plugin: str
    parameter: str


_CIFAR = "https://www.cs.toronto.edu/~kriz"
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_DINOV2 = "https://huggingface.co/facebook/dinov2-small/resolve/ed25f3a31f01632728cabb09d1542f84ab7b0056"

SOURCES = {
    # The authors' binary version: the other ones hold pickles, which can run code when they are read.
    "cifar10": Source(
        (
            Remote(
                f"{_CIFAR}/cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                170_052_171,
            ),
        ),
        "none stated by its authors",
        "workflow/plugins/datasets/cifar10.py",
        "dataset.params.path",
    ),
    # The first mirror of torchvision: the files of LeCun, Cortes and Burges.
    "mnist": Source(
        (
            Remote(
                f"{_MNIST}/train-images-idx3-ubyte.gz",
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                9_912_422,
            ),
            Remote(
                f"{_MNIST}/train-labels-idx1-ubyte.gz",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                28_881,
            ),
            Remote(
                f"{_MNIST}/t10k-images-idx3-ubyte.gz",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                1_648_877,
            ),
            Remote(
                f"{_MNIST}/t10k-labels-idx1-ubyte.gz",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                4_542,
            ),
        ),
        "CC BY-SA 3.0",
        "workflow/plugins/datasets/mnist.py",
        "dataset.params.path",
    ),
    "fashion_mnist": Source(
        (
            Remote(
                f"{_FASHION}/train-images-idx3-ubyte.gz",
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                26_421_880,
            ),
            Remote(
                f"{_FASHION}/train-labels-idx1-ubyte.gz",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                29_515,
            ),
            Remote(
                f"{_FASHION}/t10k-images-idx3-ubyte.gz",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                4_422_102,
            ),
            Remote(
                f"{_FASHION}/t10k-labels-idx1-ubyte.gz",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                5_148,
            ),
        ),
        "MIT",
        "workflow/plugins/datasets/fashion_mnist.py",
        "dataset.params.path",
    ),
    # torch-fidelity's release of the FID-Inception weights; the name carries the first digits of the SHA-256.
    "inception": Source(
        (
            Remote(
                "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
                "weights-inception-2015-12-05-6726825d.pth",
                "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
                95_628_359,
            ),
        ),
        "Apache-2.0",
        "workflow/plugins/embedders/inception.py",
        "embedder.spaces.inception.params.weights",
    ),
    # torchvision's Inception v3 for ImageNet, the network of the paper's FID script.
    "inception_paper": Source(
        (
            Remote(
                "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
                "0cc3c7bd75056d25e46cba549dc184522069b81e9787eff6df84f397bd52a5ef",
                108_949_747,
            ),
        ),
        "BSD-3-Clause",
        "workflow/plugins/embedders/inception_paper.py",
        "embedder.spaces.inception_paper.params.weights",
    ),
    "dinov2": Source(
        (
            Remote(
                f"{_DINOV2}/config.json",
                "1809f83e3bdb1609a501a610ad4a742f4fd8ae44d72ca4aa0df52d1f2ac8628d",
                547,
            ),
            Remote(
                f"{_DINOV2}/model.safetensors",
                "ae1e99fcefd534ed978cdeb8326f08030c96e28b7a81ffcbc98a857c84d14be1",
                88_249_960,
            ),
        ),
        "Apache-2.0",
        "workflow/plugins/embedders/dinov2.py",
        "embedder.spaces.dinov2.params.weights",
    ),
}


def how_to_get(name: str) -> str:
    """Return the words that end the message of a preset whose files are missing."""
    return f"`snakemake --cores 1 fetch_{name}` gets it where there is a network (docs/datasets.md)"
