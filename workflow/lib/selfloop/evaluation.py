"""One generation measured: which sets are compared in which feature spaces, each pair of sets searched once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from selfloop import replicates
from selfloop.embedded import Embedded, lookup
from selfloop.errors import UserError
from selfloop.histograms import class_counts, distance_histogram
from selfloop.manifolds import manifolds
from selfloop.metrics import Options, class_rows, distribution_rows, neighbour_rows, share_rows, threshold_row
from selfloop.neighbours import nearest, nearest_others

Sets = Mapping[str, Mapping[str, Embedded]]


class Evaluation(NamedTuple):
    """The rows of metrics.json and the content of histograms.json."""

    rows: list[dict]
    histograms: dict


class _Searched(NamedTuple):
    """What the manifolds of one space have found that other metrics need too."""

    within_samples: np.ndarray  # float64 n x K, to the nearest other samples
    within_real: np.ndarray | None  # float64 N x K, to the nearest other real training images, if these were searched
    nearest_real: np.ndarray | None  # int64[n], the real training image nearest to each sample, likewise


def evaluate(
    sets: Sets,
    training_set: pa.Table,
    distribution: Sequence[str],
    neighbours: Sequence[str],
    options: Options,
) -> Evaluation:
    """Return all metrics: distances between distributions, then neighbours, classes, shares of the generations.

    ``sets`` has ``samples`` (those to evaluate), ``real`` (generation 0), ``pool`` (every item that can be in the
    training set) and, if there are any, ``heldout``; each is feature space -> Embedded. ``training_set`` has the rows
    of D_g.
    """
    if options.reference == "heldout" and not sets.get("heldout"):
        raise UserError("evaluate.reference is heldout, but there are no held-out images")
    rows, distances, searched = [], {}, {}
    for space in distribution:
        more, searched[space] = _distribution(space, sets, options)
        rows += more
    first = distribution[0]
    for space in dict.fromkeys([*neighbours, first]):
        training = lookup(training_set, sets["pool"][space])
        if space in neighbours:
            more, distances[space] = _neighbours(space, sets, training, searched.get(space), options)
            rows += more
        if space == first:
            of_classes, classes = _classes(space, sets, training, searched[space])
    possible = np.unique(sets["pool"][first].generation)
    rows += of_classes + share_rows(training_set.column("generation").to_numpy(), possible)
    return Evaluation(rows, {"nearest_training_distance": distances, "classes": classes})


def _distribution(space: str, sets: Sets, options: Options) -> tuple[list[dict], _Searched | None]:
    references = {"train": sets["real"][space].features}
    if sets.get("heldout"):
        references["heldout"] = sets["heldout"][space].features
    samples = sets["samples"][space].features
    if sets["samples"][space].replicate is not None:
        return replicates.pooled_distribution_rows(space, samples, references, options), None
    if len({features.shape[1] for features in (samples, *references.values())}) > 1:
        raise UserError(f"space '{space}': samples and real images have features of different dimensions")
    reference = references[options.reference]
    widest = max(options.k, options.coverage_k)
    within, within_real = (nearest_others(x, min(widest, len(x) - 1))[0] for x in (samples, reference))
    found = manifolds(samples, reference, within, within_real, k=options.k, coverage_k=options.coverage_k)
    rows = distribution_rows(space, samples, references, found, options)
    if options.reference == "train":
        return rows, _Searched(within, within_real, found.nearest)
    return rows, _Searched(within, None, None)


def _neighbours(
    space: str, sets: Sets, training: Embedded, searched: _Searched | None, options: Options
) -> tuple[list[dict], dict]:
    samples, real = sets["samples"][space], sets["real"][space]
    heldout = sets["heldout"][space] if sets.get("heldout") else None
    if samples.replicate is not None:
        rows = replicates.moment_rows("train", space, training) + replicates.moment_rows("samples", space, samples)
        found = replicates.averaged_neighbour_rows(space, samples, training, real, heldout, options)
        threshold = found.rows[0]
    else:
        within = None if searched is None else searched.within_samples[:, 0]
        within_real = None if searched is None or searched.within_real is None else searched.within_real[:, 0]
        same = training.ids.equals(real.ids)  # the first training set is all of generation 0
        if same and within_real is None:
            within_real = nearest_others(real.features, 1)[0][:, 0]
        threshold = threshold_row(space, real.features, options, within_real)
        rows, far = [threshold], None if heldout is None else heldout.features
        features = (samples.features, training.features, far)
        known = (within, within_real if same else None)
        found = neighbour_rows(space, *features, threshold["value"], options, *known)
    return [*rows, *found.rows], distance_histogram(found.samples, found.heldout, threshold["value"])


def _classes(space: str, sets: Sets, training: Embedded, searched: _Searched | None) -> tuple[list[dict], dict | None]:
    """Return class_distance and the class histograms; nothing where a real image has no class.

    A sample without a label takes that of the nearest real training image in ``space``.
    """
    real, samples = sets["real"][space], sets["samples"][space]
    labels, known = real.classes()
    if not known.all() or samples.replicate is not None:
        return [], None
    own = samples.classes()[1].all()
    labelled = {
        "samples": _labelled(samples, real, None if searched is None else searched.nearest_real),
        "training_set": _labelled(training, real, None),
        "real": labels,
        "heldout": None,
    }
    if sets.get("heldout"):
        heldout, known = sets["heldout"][space].classes()
        labelled["heldout"] = heldout if known.all() else None
    classes = np.unique(np.concatenate([x for x in labelled.values() if x is not None]))
    counts = {name: None if x is None else class_counts(x, classes) for name, x in labelled.items()}
    origin = {"labels": "own" if own else "nearest real training image", "space": None if own else space}
    return class_rows(origin["space"], counts), {**origin, "classes": classes.tolist(), **counts}


def _labelled(items: Embedded, real: Embedded, nearest_real: np.ndarray | None) -> np.ndarray:
    """Return the labels int64[] of ``items``: their own, else that of the nearest of ``real`` (positions, if known)."""
    labels, known = items.classes()
    unknown = np.flatnonzero(~known)
    if len(unknown):
        if nearest_real is None:
            positions = nearest(items.features[unknown], real.features, 1)[1][:, 0]
        else:
            positions = nearest_real[unknown]
        labels[unknown] = real.classes()[0][positions]
    return labels
