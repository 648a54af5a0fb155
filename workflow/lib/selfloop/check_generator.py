"""`selfloop check` of a generator plug-in: training, resuming, and samples that depend on their own seeds alone."""

import copy
from collections.abc import Iterator, Mapping

import numpy as np

from selfloop.check import Finding, array_problem, disturb, same, stored, unless, verdict
from selfloop.class_labels import asked_labels
from selfloop.plugins import call
from selfloop.seeds import item_seeds, normal, uniform
from selfloop.team import Team

_N, _REPLICATES, _SAMPLES = 48, 3, 12


class _Run:
    """A run that remembers the checkpoints, or goes on from one."""

    def __init__(self, checkpoint=None):
        self.checkpoint, self.saved = checkpoint, []

    def progress(self, step, total, **values):
        """Take the report and print nothing."""

    def load_checkpoint(self):
        return self.checkpoint

    def save_checkpoint(self, state):
        self.saved.append(copy.deepcopy(state))


def findings(module, params: Mapping, sampling: Mapping, shape) -> Iterator[Finding]:
    """Check the module's train with `params` and its load with `sampling`, on made-up items."""
    closed = getattr(module, "FAMILY", None) == "closed_form"
    samples = made_up_items(closed, shape)
    given = {"labels": np.arange(_N) % 4, "replicate": np.arange(_N) % _REPLICATES if closed else None, "seed": 1,
             "device": "cpu", "precision": "fp32", "compile": False, "team": Team(1, "cpu")}  # fmt: skip

    def train(run, disturbed):
        disturb(disturbed)
        return call(module.train, given | {"run": run}, params, "--params", samples.copy())

    run = _Run()
    weights = train(run, 1)
    problem = array_problem("train's weights", weights)
    yield unless(problem, f"train: {len(weights) if not problem else 0} arrays, all finite")
    if problem:
        return
    weights = stored(weights)
    equal = same(weights, train(_Run(), 2))
    yield verdict(equal, "train: the same twice, to the bit", "train: two runs with one seed give other weights")
    if run.saved:
        equal = same(weights, train(_Run(run.saved[len(run.saved) // 2]), 3))
        wrong = "train: a run that goes on from a checkpoint gives other weights than an uninterrupted one"
        yield verdict(equal, f"train: goes on from a checkpoint ({len(run.saved)} saved) to the same weights", wrong)
    given |= {"shape": samples.shape[1:], "model": dict(params)}
    sample = call(module.load, given, sampling, "--sampling", weights)
    labels = asked_labels(sample, "balanced", weights, item_seeds(7, _SAMPLES), np.arange(_SAMPLES), "load")
    yield from _samples(sample, samples, closed, labels)


def made_up_items(closed: bool, shape) -> np.ndarray:
    """Return float64 48 x 2, or uint8 48 x C x H x W: dark images, each with a bright square in another place."""
    if closed:
        return normal(item_seeds(5, _N), (2,))
    place = uniform(item_seeds(5, _N), (2,))
    rows, columns = (np.abs(np.arange(side) / side - place[:, i, None]) < 0.25 for i, side in enumerate(shape[1:]))
    square = (rows[:, :, None] & columns[:, None, :])[:, None]
    return np.broadcast_to(np.where(square, 220, 30), (_N, *shape)).astype(np.uint8)


def _samples(sample, like: np.ndarray, closed: bool, labels: np.ndarray | None) -> Iterator[Finding]:
    """Check a sampler: form, range, and that item i is a function of seeds[i] (and replicate[i], labels[i]) alone."""
    seeds, replicate = item_seeds(7, _SAMPLES), np.arange(_SAMPLES) % _REPLICATES

    def draw(rows, disturbed, replicate=replicate, labels=labels):
        disturb(disturbed)
        given = {"replicate": replicate if closed else None, "labels": labels}
        return sample(seeds[rows], **{name: column[rows] for name, column in given.items() if column is not None})

    everything = np.arange(_SAMPLES)
    first = draw(everything, 1)
    problem = _form_problem(first, like)
    yield unless(problem, f"sample: {_SAMPLES} items, {like.dtype} {' x '.join(map(str, like.shape[1:]))}")
    if problem:
        return
    near = _near(first, draw(everything, 2))
    yield verdict(near, "sample: the same twice", "sample: two calls with the same seeds differ")
    rows = np.array([9, 0, 4])
    few = draw(rows, 3)
    alone = len(few) == len(rows) and _near(first[rows], few)
    wrong = ("sample: an item depends on the batch it is made in (draw its noise from its own seed, "
             "selfloop.seeds.normal)")  # fmt: skip
    yield verdict(alone, "sample: an item does not depend on the batch it is made in", wrong)
    distinct = len(np.unique(first.reshape(_SAMPLES, -1), axis=0))
    ok = f"sample: {distinct} different items from {_SAMPLES} seeds"
    yield verdict(distinct > 1, ok, "sample: other seeds give the same items")
    if labels is not None:
        differs = not np.array_equal(draw(everything, 5, labels=np.roll(labels, 1)), first)
        yield verdict(differs, "sample: other labels give other items", "sample: the label makes no difference")
    if closed:
        moved = draw(everything, 4, (replicate + 1) % _REPLICATES)
        differs = not np.array_equal(moved, first)
        yield verdict(differs, "sample: each replicate has its own model", "sample: the replicate makes no difference")


def _form_problem(answer, like: np.ndarray) -> str | None:
    if not isinstance(answer, np.ndarray):
        return f"sample answers {type(answer).__name__}, not a numpy array"
    if answer.dtype != like.dtype or answer.shape != (_SAMPLES, *like.shape[1:]):
        wanted = f"{like.dtype} {(_SAMPLES, *like.shape[1:])}"
        return f"sample answers {answer.dtype} {answer.shape} for {_SAMPLES} seeds, not {wanted}"
    if answer.dtype == np.float64 and not np.isfinite(answer).all():
        return "sample answers values that are not finite"
    return None


def _near(a, b) -> bool:
    """Within one grey level, or 1e-9 of a float64's size."""
    if a.dtype == np.uint8:
        return bool((np.abs(a.astype(int) - b.astype(int)) <= 1).all())
    return np.allclose(a, b, rtol=1e-9, atol=1e-9)
