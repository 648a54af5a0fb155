"""The raw values themselves: pixels 0..255 (or the coordinates of closed-form items) as one float32 row an item."""

import numpy as np

EXTRACTOR = "pixels"
PREPROCESSING = "raw values (pixels 0..255), C x H x W flattened, float32"


def load(*, state, device):
    """Return `embed(images uint8 B x C x H x W, or float64 B x d) -> float32 B x d`."""
    return lambda images: np.asarray(images).reshape(len(images), -1).astype(np.float32)
