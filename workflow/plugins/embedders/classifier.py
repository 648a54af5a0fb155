"""A small convolutional classifier, trained once on the real training images; its penultimate layer is the embedding.

Works on any C x H x W from 8x8 to 64x64 with labels. Distances in it are called FD (classifier), never FID.
"""

import numpy as np

from selfloop.errors import UserError
from selfloop.quick_start import without_compiler

EXTRACTOR = "classifier"
PREPROCESSING = "uint8 / 127.5 - 1, penultimate layer after ReLU"
_AT_ONCE = 2**20  # floats of the windows of a convolution that are held at once, 4 MiB: they stay in a cache


def fit(
    images,  # uint8 N x C x H x W
    labels,  # int N
    *,
    seed,
    device,
    nimg=20_000,  # images seen in training
    width=32,  # channels of the first convolution; the others have twice as many
    features=64,  # dimension of the embedding
    batch_size=64,
    lr=2e-3,  # peak of the one-cycle schedule, AdamW
    weight_decay=0.01,
    label_smoothing=0.0,
    shift=0.4,  # augmentation, standard deviations: pixels,
    scale=0.0,  # relative size,
    rotation=0.0,  # radians
):
    """Return the state, weights and image shape as arrays, a function of data and seed; UserError without labels."""
    import torch

    shape, labels = images.shape[1:], _class_numbers(labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make_network(shape, width, features, int(labels.max()) + 1).to(device)
    with without_compiler():
        optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
        steps = max(2, nimg // batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
        loss_function = torch.nn.CrossEntropyLoss(label_smoothing=label_smoothing)
        stream = torch.Generator().manual_seed(seed)
        pixels, targets = torch.from_numpy(np.array(images)).to(device), torch.from_numpy(labels).to(device)
        for index in _batches(len(images), batch_size, steps, stream):
            x = _augment(to_input(pixels[index].float()), stream, shift, scale, rotation)
            optimizer.zero_grad(set_to_none=True)
            loss_function(network(x), targets[index]).backward()
            optimizer.step()
            schedule.step()
    state = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    return state | {"shape": np.array(shape, np.int64)}


def load(*, state, device):
    """Return `embed(images uint8 B x C x H x W) -> float32 B x d`, for images of the shape it was trained on.

    On a CPU it is matrix products in NumPy. torch is 1.3 times as fast there but takes a second to load, in which NumPy
    embeds 5,000 images of 28x28: it has caught up after some 20,000.
    """
    shape = tuple(int(value) for value in state["shape"])
    body = _numpy_body(state) if str(device) == "cpu" else _torch_body(state, shape, device)

    def embed(images):
        if tuple(images.shape[1:]) != shape:
            raise UserError(f"classifier: images of {' x '.join(map(str, images.shape[1:]))}, trained on "
                            f"{' x '.join(map(str, shape))}")  # fmt: skip
        return body(np.asarray(images))

    return embed


def _numpy_body(state):
    """Return the network up to its features, in NumPy: uint8 B x C x H x W -> float32 B x d."""
    names = ["stem", *(f"conv{i}" for i in range(1, 1 + sum(name.startswith("conv") for name in state) // 2))]
    # out x in x 3 x 3 to 3 x 3 x in x out
    kernels = [np.ascontiguousarray(state[f"{name}.weight"].transpose(2, 3, 1, 0)) for name in names]
    weight, bias = state["features.weight"], state["features.bias"]
    height, width = _sides_after(state["shape"][1:], len(names) - 1)
    weight = weight.reshape(len(weight), -1, height, width).transpose(2, 3, 1, 0).reshape(-1, len(weight))

    def some(images):
        x = to_input(np.moveaxis(images, 1, 3).astype(np.float32))
        for name, kernel in zip(names, kernels, strict=True):
            x = _convolve(x, kernel, state[f"{name}.bias"], 1 if name == "stem" else 2)
        return np.maximum(x.reshape(len(x), -1) @ weight + bias, 0)

    channels = max(kernels[0].shape[2], kernels[0].shape[3] / 4)  # the second convolution has a quarter of the places
    step = max(1, int(_AT_ONCE / (9 * channels * np.prod(state["shape"][1:]))))
    return lambda images: np.concatenate([some(images[i : i + step]) for i in range(0, len(images), step)])


def _convolve(x, kernel, bias, stride):
    """Return max(0, 3x3 convolution + bias), float32 B x H' x W' x out, of B x H x W x C with a border of one 0."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))[:, ::stride, ::stride]
    windows = np.moveaxis(windows, 3, 5)  # B x H' x W' x 3 x 3 x C
    y = windows.reshape(-1, 9 * x.shape[3]) @ kernel.reshape(9 * x.shape[3], -1)
    y += bias
    return np.maximum(y, 0, out=y).reshape(*windows.shape[:3], -1)


def _torch_body(state, shape, device):
    """Return the same in torch, for a GPU: uint8 B x C x H x W -> float32 B x d, both in the memory of the CPU."""
    import torch

    width, features = len(state["stem.weight"]), len(state["features.weight"])
    network = make_network(shape, width, features, len(state["classes.weight"])).to(device)
    network.load_state_dict({name: torch.as_tensor(value) for name, value in state.items() if name != "shape"})
    body = network[:-1].eval()

    @torch.inference_mode()
    def embed(images):
        return body(to_input(torch.from_numpy(np.array(images)).to(device).float())).cpu().numpy()

    return embed


def make_network(shape, width, features, classes):
    """Build the network: 3x3 convolutions, from the second on with stride 2 down to a side of 2; two linear layers."""
    from collections import OrderedDict

    from torch import nn

    channels, *sides = shape
    layers = OrderedDict(stem=nn.Conv2d(channels, width, 3, padding=1), stem_relu=nn.ReLU())
    inside = width
    while min(sides) > 2:
        i = len(layers) // 2
        layers |= {f"conv{i}": nn.Conv2d(inside, 2 * width, 3, padding=1, stride=2), f"relu{i}": nn.ReLU()}
        inside, sides = 2 * width, _sides_after(sides, 1)
    layers |= {"flat": nn.Flatten(), "features": nn.Linear(inside * sides[0] * sides[1], features), "relu": nn.ReLU()}
    return nn.Sequential(layers | {"classes": nn.Linear(features, classes)})


def to_input(pixels):
    """Return [-1, 1] for float32 0..255, of torch or NumPy."""
    return pixels / 127.5 - 1


def _sides_after(sides, halvings):
    """Return height and width after so many convolutions with stride 2."""
    return [-(-int(side) // 2**halvings) for side in sides]


def _class_numbers(labels):
    if labels is None:
        raise UserError("classifier: the dataset has no labels to train on; use another embedder (pixels, dinov2, ...)")
    labels = np.asarray(labels, np.int64)
    if labels.min() < 0:
        raise UserError(f"classifier: label {labels.min()} is not a class number 0, 1, ...")
    return labels


def _batches(n, batch_size, steps, stream):
    """Yield the index of each batch from an endless sequence of shuffled epochs."""
    import torch

    order = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        while len(order) < batch_size:
            order = torch.cat([order, torch.randperm(n, generator=stream)])
        yield order[:batch_size]
        order = order[batch_size:]


def _augment(x, stream, shift, scale, rotation):
    """Move, scale and turn each image about its centre at random; what comes in at the border repeats the edge."""
    import torch
    from torch.nn import functional

    n, _, height, width = x.shape
    normal = torch.randn(4, n, generator=stream)
    size, angle = 1 + scale * normal[0], rotation * normal[1]
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = size * angle.cos()
    theta[:, 0, 1], theta[:, 1, 0] = -angle.sin(), angle.sin()
    theta[:, 0, 2], theta[:, 1, 2] = normal[2] * 2 * shift / width, normal[3] * 2 * shift / height
    grid = functional.affine_grid(theta.to(x.device), x.shape, align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
