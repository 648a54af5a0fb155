"""Metrics of closed-form families, where one file carries many independent chains under a ``replicate`` column.

Everything that is about neighbours is computed within each replicate and averaged; the Frechet distance is of all
replicates pooled. KID, precision, recall, density, coverage and the Vendi score are left out: there is no picture to
judge, and the moments say it exactly.
"""

from collections.abc import Mapping

import numpy as np

from selfloop.embedded import Embedded, replicate_groups
from selfloop.errors import UserError
from selfloop.metrics import Neighbours, Options, neighbour_rows, row, threshold_row


def pooled_distribution_rows(
    space: str, samples: np.ndarray, references: Mapping[str, np.ndarray], options: Options
) -> list[dict]:
    """Return fd against the reference of ``options``, fd against the other one, and fd_real between the two.

    ``samples`` n x d and each of ``references`` (train, heldout) N x d hold all replicates.
    """
    others = [name for name in references if name != options.reference]
    rows = []
    for name in (options.reference, *others):
        metric = "fd" if name == options.reference else f"fd_{name}"
        value = gaussian_frechet_distance(samples, references[name])
        rows.append(row(metric, value, len(samples), len(references[name]), space))
    if others:
        value = gaussian_frechet_distance(references["heldout"], references["train"])
        rows.append(row("fd_real", value, len(references["heldout"]), len(references["train"]), space))
    return rows


def moment_rows(name: str, space: str, items: Embedded) -> list[dict]:
    """Return mean and variance of ``items``, averaged over coordinates and replicates, each with its standard error.

    Variance is of each replicate alone and with ddof = 0, as a maximum-likelihood fit has it: ``variance_train`` of D_g
    is the variance of model g of the Gaussian family. ``n`` is the number of items of a replicate, ``n_reference`` the
    number of replicates, over which the standard error is taken (null for a single one).
    """
    groups = replicate_groups(items.replicate, len(items.features))
    x = [items.features[rows].astype(np.float64) for rows in groups]
    rows = []
    for moment, values in (("mean", [v.mean() for v in x]), ("variance", [v.var(axis=0).mean() for v in x])):
        error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else None
        counts = (len(groups[0]), len(groups), space)
        rows += [row(f"{moment}_{name}", np.mean(values), *counts), row(f"{moment}_{name}_se", error, *counts)]
    return rows


def averaged_neighbour_rows(
    space: str, samples: Embedded, training: Embedded, real: Embedded, heldout: Embedded | None, options: Options
) -> Neighbours:
    """Return the threshold of near-duplicates and the neighbour metrics, within each replicate, averaged.

    A held-out set without replicates is compared with every replicate. Counts that differ between replicates are null.
    Distances are those of all replicates.
    """
    parts = [_groups(items, name) for items, name in ((samples, "samples"), (training, "training set"), (real, "real"))]
    if len({tuple(part) for part in parts}) > 1:
        raise UserError(f"space '{space}': samples, training set and real images have different replicates")
    far = _groups(heldout, "heldout") if heldout is not None and heldout.replicate is not None else {}
    results, found = [], []
    for replicate in parts[0]:
        own_samples, own_training, own_real = (part[replicate] for part in parts)
        own_heldout = far.get(replicate, None if heldout is None else heldout.features)
        threshold = threshold_row(space, own_real, options)
        found.append(neighbour_rows(space, own_samples, own_training, own_heldout, threshold["value"], options))
        results.append([threshold, *found[-1].rows])
    return Neighbours(
        [_average(rows) for rows in zip(*results, strict=True)],
        np.concatenate([part.samples for part in found]),
        None if heldout is None else np.concatenate([part.heldout for part in found]),
    )


def gaussian_frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Frechet distance of the Gaussians with mean and covariance (ddof = 1) of ``a`` n x d and ``b`` N x d.

    The formula of distribution.frechet_distance(), without the seconds that importing torch-fidelity takes.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    first, second = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    shift = a.mean(axis=0) - b.mean(axis=0)
    overlap = np.sqrt(np.linalg.eigvals(first @ second).astype(complex)).real.sum()
    return float(shift @ shift + np.trace(first) + np.trace(second) - 2.0 * overlap)


def _groups(items: Embedded, name: str) -> dict[int, np.ndarray]:
    if items.replicate is None:
        raise UserError(f"the {name} have no replicates, the samples do")
    groups = replicate_groups(items.replicate, len(items.features))
    return {int(items.replicate[rows[0]]): items.features[rows] for rows in groups}


def _average(rows: tuple[dict, ...]) -> dict:
    values = [r["value"] for r in rows]
    counts = {key: rows[0][key] if len({r[key] for r in rows}) == 1 else None for key in ("n", "n_reference")}
    value = None if None in values else float(np.mean(values))
    return rows[0] | {"value": value} | counts
