"""`selfloop check` of an embedder plug-in: fitting, and features that depend on their own image alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from selfloop.check import Finding, array_problem, disturb, same, stored, unless, verdict
from selfloop.check_generator import made_up_items
from selfloop.plugins import CONTRACTS, call_parameters, offered

_TOLERANCE = 1e-3  # of the largest feature: float32 sums in another order


def findings(module, params: Mapping, shape) -> Iterator[Finding]:
    """Check the module's fit, weights and load on made-up images of `shape`."""
    images = made_up_items(False, shape)
    functions = {name: getattr(module, name) for name in CONTRACTS["embedder"] if hasattr(module, name)}

    def ask(name, disturbed, *positional, **given):
        disturb(disturbed)
        own = call_parameters(functions[name], params, "--params", also=functions.values())
        return functions[name](*positional, **(own | offered(functions[name], **given)))

    identity = {"extractor": module.EXTRACTOR, "preprocessing": module.PREPROCESSING}
    own = ask("describe", 1) if "describe" in functions else {}
    yield unless(_identity_problem(own), "; ".join(f"{name}: {text}" for name, text in (identity | own).items()))
    state = None
    if "fit" in functions:
        labels = np.arange(len(images)) % 4
        state = ask("fit", 1, images.copy(), labels, seed=1, device="cpu")
        problem = array_problem("fit's state", state)
        yield unless(problem, "fit: a dict of arrays, all finite")
        if problem:
            return
        equal = same(state, ask("fit", 2, images.copy(), labels, seed=1, device="cpu"))
        yield verdict(equal, "fit: the same twice, to the bit", "fit: two fits with one seed give other states")
    elif "weights" in functions:
        path = ask("weights", 1)
        yield verdict(Path(path).is_file(), f"weights: {path}", f"weights: {path} is no file")
    embed = ask("load", 3, state=stored(state) if state else None, device="cpu")
    yield from _features(embed, images)


def _features(embed, images: np.ndarray) -> Iterator[Finding]:
    """Check an embedding: float32 B x d, finite, a function of the image alone, and that it leaves the images alone."""
    given = images.copy()

    def features(batch, disturbed):
        disturb(disturbed)
        return embed(batch)

    first = features(given, 1)
    problem = _form_problem(first, len(images))
    yield unless(problem, f"embed: float32 {' x '.join(map(str, getattr(first, 'shape', ())))}, all finite")
    if problem:
        return
    intact = np.array_equal(given, images)
    yield verdict(
        intact, "embed: leaves the images as they are", "embed: changes the images it is given; work on a copy"
    )
    equal = np.array_equal(first, features(images.copy(), 2))
    yield verdict(equal, "embed: the same twice", "embed: two calls differ")
    rows = np.array([9, 0, 4])
    few = features(images[rows], 3)
    alone = np.shape(few) == first[rows].shape and np.abs(few - first[rows]).max() <= _TOLERANCE * np.abs(first).max()
    wrong = "embed: an image's features depend on the batch it is in (evaluation mode?)"
    yield verdict(alone, "embed: an image's features do not depend on the batch it is in", wrong)
    differ = (first != first[0]).any()
    yield verdict(differ, "embed: different images, different features", "embed: all images have the same features")


def _identity_problem(answer) -> str | None:
    texts = isinstance(answer, dict) and all(isinstance(text, str) for text in answer.values())
    if not texts or not set(answer) <= {"extractor", "preprocessing"}:
        return f"describe answers {answer!r}, not a dict of extractor and preprocessing, both text"
    return None


def _form_problem(answer, n: int) -> str | None:
    if not isinstance(answer, np.ndarray):
        return f"embed answers {type(answer).__name__}, not a numpy array"
    if answer.dtype != np.float32 or answer.ndim != 2 or len(answer) != n:
        return f"embed answers {answer.dtype} {answer.shape} for {n} images, not float32 ({n}, d)"
    if not np.isfinite(answer).all():
        return f"embed: the features of {int((~np.isfinite(answer)).any(axis=1).sum())} images are not finite"
    return None
