"""The 1,797 handwritten digits that scikit-learn ships: 8x8, grey, 17 levels (Alpaydin and Kaynak 1998, UCI)."""

import numpy as np

from selfloop.packaged import packaged_file, read_images

_N = 1797
_ABSENT = "the digits come with scikit-learn, which is not installed: pip install scikit-learn"


def count():
    return {"train": _N}


def load(*, seed):
    """Return uint8 1797 x 1 x 8 x 8, levels 0..16 as round(v * 255 / 16), with labels 0..9; a finite set, no draws."""
    file = packaged_file("sklearn", "datasets", "data", "digits.csv.gz", absent=_ABSENT)
    levels, labels = read_images(file, _N, 8)
    return {"train": {"samples": np.rint(levels * (255 / 16)).astype(np.uint8), "labels": labels}}
