"""ResNet-20 trained on CIFAR-10 (He et al. 2015, option-A shortcuts): 64 features, for 32 x 32 images of that kind.

It tells the ten classes apart (91.7 % on the test images, the published error) and is cheap. Weights are a NumPy file
whose arrays are named as in akamaster/pytorch_resnet_cifar10 (BSD-2): torch.load its resnet20 checkpoint, drop the
prefix `module.` and numpy.savez the rest. A distance here is FD (cifar_resnet20), never FID.
"""

import numpy as np

from selfloop.errors import UserError
from selfloop.pretrained import check_weights, embedding, grey_to_rgb, reading, weights_file

EXTRACTOR = "cifar_resnet20"
PREPROCESSING = "grey repeated to 3 channels, / 255, ImageNet mean and standard deviation; mean over places"
SHA256 = "7db2ed048755c815689e055b0e68e2d53db7f9f6e0f9b3bc9b6f837ab168774e"  # cifar_resnet20.npz
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BLOCKS = [(stage, block) for stage in (1, 2, 3) for block in (0, 1, 2)]


def weights(*, weights=None):
    """Return the path of the file whose SHA-256 is recorded."""
    return _file(weights)


def load(
    *,
    state,
    device,
    weights=None,  # the .npz file
    sha256=SHA256,  # of that file, checked
):
    """Return `embed(images uint8 B x C x 32 x 32, C = 1 or 3) -> float32 B x 64`."""
    path = _file(weights)
    check_weights(EXTRACTOR, path, sha256)
    import torch

    with reading(path, "ResNet-20"), np.load(path, allow_pickle=False) as arrays:
        layers = _layers({name: torch.from_numpy(arrays[name]).to(device) for name in arrays.files})
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (_MEAN, _STD))

    def prepare(pixels):
        if tuple(pixels.shape[2:]) != (32, 32):
            raise UserError(f"cifar_resnet20: takes images of 32 x 32, not {' x '.join(map(str, pixels.shape[2:]))}")
        return grey_to_rgb(pixels).float().div(255).sub_(mean).div_(std)

    return embedding(EXTRACTOR, lambda x: _features(layers, x), prepare, device)


def _layers(arrays):
    """Return name -> (kernel, bias) of each convolution with the batch normalisation after it (eps 1e-5) folded in."""

    def folded(prefix, k):
        norm = f"{prefix}bn{k}"
        scale = arrays[f"{norm}.weight"] / (arrays[f"{norm}.running_var"] + 1e-5).sqrt()
        kernel = arrays[f"{prefix}conv{k}.weight"] * scale.view(-1, 1, 1, 1)
        return kernel, arrays[f"{norm}.bias"] - arrays[f"{norm}.running_mean"] * scale

    names = [("", 1)] + [(f"layer{stage}.{block}.", k) for stage, block in _BLOCKS for k in (1, 2)]
    return {f"{prefix}conv{k}": folded(prefix, k) for prefix, k in names}


def _features(layers, x):
    """Return float32 B x 64 of the input B x 3 x 32 x 32: three stages of three blocks of two convolutions."""
    from torch.nn.functional import conv2d, pad, relu

    x = relu(conv2d(x, *layers["conv1"], padding=1))
    for stage, block in _BLOCKS:
        stride = 2 if block == 0 and stage > 1 else 1
        y = relu(conv2d(x, *layers[f"layer{stage}.{block}.conv1"], padding=1, stride=stride))
        y = conv2d(y, *layers[f"layer{stage}.{block}.conv2"], padding=1)
        if stride == 2:  # option A: every second pixel, the new channels are zero, half of them before, half after
            new = (y.shape[1] - x.shape[1]) // 2
            x = pad(x[:, :, ::2, ::2], (0, 0, 0, 0, new, new))
        x = relu(x + y)
    return x.mean((2, 3))


def _file(path):
    return weights_file(EXTRACTOR, path, "the head of this plug-in's file says how it is made")
