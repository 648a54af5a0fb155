"""One generation measured: which sets are compared in which feature spaces."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from selfloop import replicates
from selfloop.embedded import Embedded, lookup
from selfloop.errors import UserError
from selfloop.metrics import Options, distribution_rows, neighbour_rows, real_share_row, threshold_row


def evaluate(
    sets: Mapping[str, Mapping[str, Embedded]],
    training_set: pa.Table,
    distribution: Sequence[str],
    neighbours: Sequence[str],
    options: Options,
) -> list[dict]:
    """Return the rows of metrics.json: distances between distributions, then neighbours, then the share of real items.

    ``sets`` has ``samples`` (those to evaluate), ``real`` (generation 0), ``pool`` (every item that can be in the
    training set) and, if there are any, ``heldout``; each is feature space -> Embedded. ``training_set`` has the rows
    of D_g.
    """
    if options.reference == "heldout" and not sets.get("heldout"):
        raise UserError("evaluate.reference is heldout, but there are no held-out images")
    rows = []
    for space in distribution:
        rows += _distribution(space, sets, options)
    for space in neighbours:
        rows += _neighbours(space, sets, lookup(training_set, sets["pool"][space]), options)
    return [*rows, real_share_row(training_set.column("generation").to_numpy())]


def _distribution(space: str, sets: Mapping, options: Options) -> list[dict]:
    references = {"train": sets["real"][space].features}
    if sets.get("heldout"):
        references["heldout"] = sets["heldout"][space].features
    samples = sets["samples"][space]
    rows_of = distribution_rows if samples.replicate is None else replicates.pooled_distribution_rows
    return rows_of(space, samples.features, references, options)


def _neighbours(space: str, sets: Mapping, training: Embedded, options: Options) -> list[dict]:
    samples, real = sets["samples"][space], sets["real"][space]
    heldout = sets["heldout"][space] if sets.get("heldout") else None
    if samples.replicate is not None:
        moments = replicates.moment_rows("train", space, training) + replicates.moment_rows("samples", space, samples)
        return moments + replicates.averaged_neighbour_rows(space, samples, training, real, heldout, options)
    threshold = threshold_row(space, real.features, options)
    far = None if heldout is None else heldout.features
    return [threshold, *neighbour_rows(space, samples.features, training.features, far, threshold["value"], options)]
