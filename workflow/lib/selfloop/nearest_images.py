"""The exact nearest training image of each image, in pixels, in blocks of one matrix product each."""

import numpy as np

from selfloop.errors import UserError

_BLOCK = 1024  # images of each side in one product: 4 MiB of float32 distances


def nearest_images(images: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (distance float64 N, position int64 N) of the nearest of ``training`` for each of ``images``.

    uint8 N x C x H x W and M x C x H x W in. Euclidean distance in grey levels (0..255) over all channels and pixels;
    of equally near ones the lowest position. Squared distances are integers: exact in float32 up to 256 elements and in
    float64 (used above that) always.
    """
    if images.shape[1:] != training.shape[1:]:
        raise UserError(f"images of shape {images.shape[1:]} against training images of shape {training.shape[1:]}")
    elements = int(np.prod(images.shape[1:]))
    exact = np.float32 if elements * 255**2 < 2**24 else np.float64
    best = np.full(len(images), np.inf)
    position = np.zeros(len(images), dtype=np.int64)
    for row in range(0, len(images), _BLOCK):
        a = images[row : row + _BLOCK].reshape(-1, elements).astype(exact)
        for column in range(0, len(training), _BLOCK):
            b = training[column : column + _BLOCK].reshape(-1, elements).astype(exact)
            squared = (a * a).sum(axis=1)[:, None] - 2 * (a @ b.T) + (b * b).sum(axis=1)
            nearest = squared.argmin(axis=1)
            distance = squared[np.arange(len(a)), nearest]
            here = distance < best[row : row + len(a)]
            best[row : row + len(a)][here] = distance[here]
            position[row : row + len(a)][here] = nearest[here] + column
    return np.sqrt(best), position
