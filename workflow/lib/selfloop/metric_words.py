"""What each metric is called in a figure: title in plain words, unit, the baseline it is read against."""

import re
from typing import NamedTuple


class Words(NamedTuple):
    """How a metric is written and drawn."""

    title: str
    unit: str  # the axis label; {distance} is L2 or MSE
    baseline: str = ""  # the metric of real images that it is read against, drawn thin in the same panel
    ratio: bool = False  # the ratio to the baseline means something
    twin: str = ""  # the metric that it may be equal to everywhere
    minor: bool = False  # not in the overview
    single: bool = True  # has a figure of its own


_WORDS = {
    "fd": Words("Fréchet distance to the real data", "FD", "fd_real"),
    "fd_real": Words("Fréchet distance, held-out to training", "FD", minor=True),
    "kid": Words("Kernel distance to the real data", "KID"),
    "kid_std": Words("Spread of KID over its subsets", "standard deviation", minor=True),
    "precision": Words("Precision: realistic samples", "share of samples"),
    "recall": Words("Recall: real data covered", "share of real items"),
    "density": Words("Density around a sample", "balls / k"),
    "coverage": Words("Coverage of real items", "share of real items"),
    "vendi": Words("Diversity (Vendi score)", "effective number of items", "vendi_real"),
    "vendi_real": Words("Diversity, real (Vendi score)", "effective number of items", minor=True),
    "class_distance": Words("Class shares, off the real data's", "total variation", "class_distance_heldout"),
    "class_distance_heldout": Words("Class shares of held-out images", "total variation", minor=True),
    "entropy_train": Words("Entropy of the training set", "nats"),
    "entropy_train_distinct": Words("Entropy of its distinct items", "nats", twin="entropy_train"),
    "entropy_samples": Words("Entropy of the samples", "nats"),
    "duplicates_train": Words("Duplicates in the training set", "items"),
    "gs": Words("Samples to training set (GS)", "mean {distance} distance", "gs_heldout", ratio=True),
    "gs_heldout": Words("Held-out real to training set", "mean {distance} distance", minor=True),
    "memorised_fraction": Words("Memorised samples", "share of samples"),
    "memorised_fraction_merged": Words("Memorised, duplicates merged", "share of samples"),
    "merged_train": Words("Near-duplicates in training set", "items"),
    "near_duplicate_fraction": Words("Samples close to a training item", "share of samples"),
    "near_duplicate_threshold": Words("Threshold of near-duplicates", "distance", minor=True),
    "trace_cov_train": Words("Spread of the training set", "trace of covariance"),
    "trace_cov_samples": Words("Spread of the samples", "trace of covariance"),
    "real_share": Words("Real items in the training set", "share"),
}

# Shares of a whole: True shows the whole range 0..1, False from 0 to the largest value (at least 0.1).
SHARES = {
    "precision": True,
    "recall": True,
    "coverage": True,
    "class_distance": False,
    "real_share": True,
    "memorised_fraction": False,
    "memorised_fraction_merged": False,
    "near_duplicate_fraction": False,
}

# Positive and multiplicative: a log axis once the values span more than a decade or so.
LOGARITHMIC = {"fd", "fd_heldout", "fd_train", "kid", "gs", "gs_heldout", "trace_cov_train", "trace_cov_samples"}


def words(metric: str) -> Words:
    """Return what to call ``metric``; a name that is not known here stands for itself.

    ``<metric>_<reference>`` (the same metric against the other reference set) is named after the metric.
    """
    if metric in _WORDS:
        return _WORDS[metric]
    if generation := re.fullmatch(r"share_g(\d+)", metric):
        return Words(f"Training items of generation {generation[1]}", "share", minor=True, single=False)
    for reference, text in (("_heldout", "held-out"), ("_train", "training")):
        base = _WORDS.get(metric.removesuffix(reference))
        if metric.endswith(reference) and base:
            return base._replace(title=base.title.replace("the real data", f"{text} real"))
    return Words(metric, "value")
