"""What the code of arXiv 2509.16499 computes its "FID" with: torchvision's ImageNet Inception v3, 2048 features.

Its last layer is removed, images are resized by Pillow (bilinear) to 299 x 299 and scaled to [-1, 1]. This is another
network than the FID's, with other weights and another resize: a distance here is FD (inception_paper), never FID.
No stage downloads the weights: `snakemake --cores 1 fetch_inception_paper` does, where there is a network.
"""

from selfloop.pretrained import check_weights, embedding, grey_to_rgb, reading, weights_file
from selfloop.sources import FOLDER, SOURCES, how_to_get

EXTRACTOR = "inception_paper"
PREPROCESSING = "grey repeated to 3 channels, Pillow bilinear to 299 x 299, to [-1, 1] (torchvision)"
FILE = SOURCES["inception_paper"].files[0]
SHA256 = FILE.sha256
PATH = f"{FOLDER}/inception_paper/{FILE.file}"
_SIDE = 299


def weights(*, weights=PATH):
    """Return the path of the file whose SHA-256 is recorded."""
    return _file(weights)


def load(
    *,
    state,
    device,
    weights=PATH,  # the .pth file of torchvision, Inception_V3_Weights.IMAGENET1K_V1
    sha256=SHA256,  # of that file, checked
):
    """Return `embed(images uint8 B x C x H x W, C = 1 or 3) -> float32 B x 2048`."""
    path = _file(weights)
    check_weights(EXTRACTOR, path, sha256)
    import torch
    from torchvision.models import inception_v3

    from selfloop.resize import resizer

    network = inception_v3(weights=None, transform_input=False, init_weights=False)
    with reading(path, "torchvision's Inception v3"):
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network.fc = torch.nn.Identity()
    network = network.eval().to(device)
    resize = resizer("bilinear", device)

    def prepare(pixels):
        return grey_to_rgb(resize(pixels, _SIDE, _SIDE)).float().div(255).sub_(0.5).div_(0.5)

    return embedding(EXTRACTOR, network, prepare, device)


def _file(path):
    return weights_file(EXTRACTOR, path, f"{how_to_get(EXTRACTOR)}, or set `weights` to the file of {FILE.url}")
