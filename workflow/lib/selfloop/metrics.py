"""The rows of metrics.json and the content of fid.json for one generation, from features in memory.

One search of the samples among the training set and one of the training set among itself serve all neighbour metrics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from selfloop.distribution import frechet_distance, kid, statistics
from selfloop.diversity import vendi_score
from selfloop.entropy import FLOOR, entropy_from_distances, entropy_report
from selfloop.histograms import total_variation
from selfloop.manifolds import Manifolds
from selfloop.memorization import (
    default_threshold,
    generalization_score,
    memorised_fraction,
    memorised_fraction_merged,
    merge_near_duplicates,
    near_duplicate_fraction,
)
from selfloop.neighbours import nearest, nearest_others
from selfloop.pretrained import FID_EXTRACTOR, FID_SHA256

FEW_SAMPLES = 2048  # under this many, the bias of the Frechet distance is of the size of the effects studied
_KID_SUBSET_SIZE = 1000  # torch-fidelity's default


@dataclass(frozen=True)
class Options:
    """What of ``evaluate:`` in the config matters to the numbers."""

    reference: str = "train"  # train | heldout: what fd, kid, precision, recall, density and coverage are against
    kid_subsets: int = 100
    kid_subset_size: int | None = None  # None: half of the smallest set, at most 1,000
    k: int = 3  # precision and recall
    coverage_k: int = 5  # density and coverage
    gs_distance: str = "l2"  # l2 | mse
    near_duplicate_threshold: Mapping[str, float | None] = field(default_factory=dict)  # by space; None: from the real
    seed: int = 0  # KID subsets


def row(metric, value, n, n_reference=None, space=None, distance=None) -> dict:
    """Return one row of metrics.json; a value that is not finite has no place in JSON and becomes null."""
    value = None if value is None or not np.isfinite(value) else float(value)
    return {"metric": metric, "value": value, "n": n, "n_reference": n_reference, "space": space, "distance": distance}


class Neighbours(NamedTuple):
    """Neighbour metrics of one space, and the distances to the nearest training item that they rest on."""

    rows: list[dict]
    samples: np.ndarray  # float64[n]
    heldout: np.ndarray | None  # float64[H]


def distribution_rows(
    space: str, samples: np.ndarray, references: Mapping[str, np.ndarray], found: Manifolds, options: Options
) -> list[dict]:
    """Return fd (against the other reference too), kid with its spread, shares of manifolds, and Vendi scores.

    ``samples`` float n x d; ``references`` holds the real training images under ``train`` and, where there are any, the
    held-out ones under ``heldout``; ``found`` is of the samples and the chosen reference. ``fd_real`` is the distance
    between the two references, ``vendi_real`` the score of as many images of the reference as there are samples: what a
    perfect model would have.
    """
    n, real = len(samples), references[options.reference]
    stats = {name: statistics(features) for name, features in references.items()}
    ours = statistics(samples)
    rows = []
    for name in sorted(references, key=lambda name: name != options.reference):
        metric = "fd" if name == options.reference else f"fd_{name}"
        rows.append(row(metric, frechet_distance(ours, stats[name]), n, len(references[name]), space))
    if len(references) == 2:
        value = frechet_distance(stats["heldout"], stats["train"])
        rows.append(row("fd_real", value, len(references["heldout"]), len(references["train"]), space))
    size = options.kid_subset_size or min(_KID_SUBSET_SIZE, max(2, min(n, len(real)) // 2))
    values = kid(samples, real, subsets=options.kid_subsets, subset_size=size, seed=options.seed)
    names = ("kid", "kid_std", "precision", "recall", "density", "coverage")
    rows += [row(name, value, n, len(real), space) for name, value in zip(names, values + found[:4], strict=True)]
    for name, features in (("vendi", samples), ("vendi_real", real[:n])):
        score, items = vendi_score(features)
        rows.append(row(name, score, items, None, space, "cosine"))
    return rows


def neighbour_rows(
    space: str,
    samples: np.ndarray,
    training: np.ndarray,
    heldout: np.ndarray | None,
    threshold: float,
    options: Options,
    within_samples: np.ndarray | None = None,
    within_training: np.ndarray | None = None,
) -> Neighbours:
    """Return entropy, duplicates, generalization scores, memorisation and spread of one space.

    ``samples`` n x d, ``training`` N x d (D_g), ``heldout`` H x d or None; ``threshold`` of near-duplicates,
    Euclidean; ``within_samples`` float64[n] and ``within_training`` float64[N] the distances from each to its nearest
    other one, where they are known. ``near_duplicate_fraction`` is of samples near a training item; ``merged_train``
    counts the training items that are near-duplicates of earlier ones.
    """
    n, size, d = len(samples), len(training), samples.shape[1]
    to_training, positions = nearest(samples, training, 2)
    within = nearest_others(training, 1)[0][:, 0] if within_training is None else within_training
    entropy = entropy_report(training, within)
    own = nearest_others(samples, 1)[0][:, 0] if within_samples is None else within_samples
    own_entropy = entropy_from_distances(own, d, floor=FLOOR)
    kept = merge_near_duplicates(training, within, threshold)
    first, second = to_training.T
    merged = memorised_fraction_merged(samples, training, to_training, positions, kept, threshold)
    gs = generalization_score(first, d, options.gs_distance)
    rows = [
        row("entropy_train", entropy.floored, size, None, space, "l2"),
        row("entropy_train_distinct", entropy.distinct, entropy.n_distinct, None, space, "l2"),
        row("duplicates_train", entropy.duplicates, size, None, space),
        row("entropy_samples", own_entropy, n, None, space, "l2"),
        row("gs", gs, n, size, space, options.gs_distance),
        row("memorised_fraction", memorised_fraction(first, second), n, size, space, "l2"),
        row("memorised_fraction_merged", merged, n, int(kept.sum()), space, "l2"),
        row("merged_train", size - kept.sum(), size, None, space, "l2"),
        row("near_duplicate_fraction", near_duplicate_fraction(first, threshold), n, size, space, "l2"),
        row("trace_cov_train", trace_of_covariance(training), size, None, space),
        row("trace_cov_samples", trace_of_covariance(samples), n, None, space),
    ]
    far = None if heldout is None else nearest(heldout, training, 1)[0][:, 0]
    if far is not None:
        baseline = generalization_score(far, d, options.gs_distance)
        rows.insert(5, row("gs_heldout", baseline, len(far), size, space, options.gs_distance))
    return Neighbours(rows, first, far)


def threshold_row(space: str, real: np.ndarray, options: Options, within_real: np.ndarray | None = None) -> dict:
    """Return the row of one space's near-duplicate threshold: the config's, or memorization.default_threshold()."""
    value, n = options.near_duplicate_threshold.get(space), 0
    if value is None:
        value, n = default_threshold(real, within_real)
    return row("near_duplicate_threshold", value, n, None, space, "l2")


def class_rows(space: str | None, counts: Mapping[str, Sequence[int] | None]) -> list[dict]:
    """Return the total variation distances of class histograms from that of the real training images.

    ``counts`` holds samples, real and heldout (or None) over the same classes. ``space`` is where the samples' labels
    come from: that of the nearest real image there; None where the samples have labels of their own.
    """
    size, rows = sum(counts["real"]), []
    for name, of in (("class_distance", counts["samples"]), ("class_distance_heldout", counts["heldout"])):
        if of is not None:
            rows.append(row(name, total_variation(of, counts["real"]), sum(of), size, space, "tv"))
    return rows


def share_rows(generations: np.ndarray, possible: Sequence[int]) -> list[dict]:
    """Return real_share, and the share of each generation in a training set, int[N] ``generations``; they sum to 1.

    ``possible`` are the generations that its items can be from: one of which none was chosen has the share 0.
    """
    names = sorted({0, *map(int, possible)})
    n, counts = len(generations), np.bincount(generations, minlength=names[-1] + 1)
    shares = [row(f"share_g{k}", counts[k] / n, n) for k in names]
    return [row("real_share", counts[0] / n, n), *shares]


def trace_of_covariance(features: np.ndarray) -> float:
    """Return the sum over dimensions of the variance (ddof = 1) of ``features`` N x d, in float64."""
    return float(np.var(features, axis=0, dtype=np.float64, ddof=1).sum())


def fid_record(rows: Sequence[dict], space: str, extractor: Mapping[str, str], reference: str, version: int) -> dict:
    """Return the content of fid.json from the rows of ``space`` (kid is null where it was not computed)."""
    found = {r["metric"]: r for r in rows if r["space"] == space}
    value = {name: found[name]["value"] if name in found else None for name in ("fd", "kid", "kid_std")}
    return {
        "fid": value["fd"],
        "label": distance_label(extractor),
        "extractor": extractor["extractor"],
        "weights_sha256": extractor["weights_sha256"],
        "reference": reference,
        "n_generated": found["fd"]["n"],
        "n_reference": found["fd"]["n_reference"],
        "kid": value["kid"],
        "kid_std": value["kid_std"],
        "results_version": version,
    }


def distance_label(extractor: Mapping[str, str]) -> str:
    """Return "FID" for the FID-Inception network with its 2015 weights, "FD (<extractor>)" for all else."""
    genuine = (extractor["extractor"], extractor["weights_sha256"]) == (FID_EXTRACTOR, FID_SHA256)
    return "FID" if genuine else f"FD ({extractor['extractor']})"


def small_sample_warning(record: Mapping) -> str | None:
    """Return the line to print where fid.json rests on fewer than 2,048 samples or real images, else None."""
    n, n_reference = record["n_generated"], record["n_reference"]
    if min(n, n_reference) >= FEW_SAMPLES:
        return None
    better = "" if record["kid"] is None else f"; kid ({record['kid']:.4g} +- {record['kid_std']:.2g}) is unbiased"
    return f"warning: {record['label']} from {n:,} samples against {n_reference:,} is biased upwards{better}"
