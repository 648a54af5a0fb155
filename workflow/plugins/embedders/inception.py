"""The FID-Inception network (Inception-2015 in TensorFlow's arithmetic) of torch-fidelity: 2048 features, for FID.

With the published weights a Frechet distance here is *the* FID; with any others it is called FD. No stage downloads
them: `snakemake --cores 1 fetch_inception` does, where there is a network.
"""

from selfloop.pretrained import FID_EXTRACTOR, FID_SHA256, check_weights, embedding, grey_to_rgb, reading, weights_file
from selfloop.sources import FOLDER, SOURCES, how_to_get

EXTRACTOR = FID_EXTRACTOR
PREPROCESSING = "grey repeated to 3 channels, TensorFlow-1 bilinear to 299 x 299, (v - 128) / 128 (torch-fidelity 0.4)"
SHA256 = FID_SHA256
FILE = SOURCES["inception"].files[0]
PATH = f"{FOLDER}/inception/{FILE.file}"


def weights(*, weights=PATH):
    """Return the path of the file whose SHA-256 is recorded."""
    return _file(weights)


def load(
    *,
    state,
    device,
    weights=PATH,  # the .pth file
    sha256=SHA256,  # of that file, checked before it is read: it is a pickle, which can run code
):
    """Return `embed(images uint8 B x C x H x W, C = 1 or 3) -> float32 B x 2048`."""
    path = _file(weights)
    check_weights(EXTRACTOR, path, sha256)
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    with reading(path, "the FID-Inception network"):
        network = FeatureExtractorInceptionV3(EXTRACTOR, ["2048"], feature_extractor_weights_path=str(path))
    network.to(device)
    return embedding("inception", lambda pixels: network(pixels)[0], grey_to_rgb, device)


def _file(path):
    return weights_file("inception", path, f"{how_to_get('inception')}, or set `weights` to the file of {FILE.url}")
