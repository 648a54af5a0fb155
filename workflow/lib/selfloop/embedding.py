"""Feature spaces: an embedder plug-in fitted, loaded, and applied to samples in batches of a fixed size."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from selfloop.batches import in_batches
from selfloop.errors import UserError
from selfloop.files import sha256
from selfloop.model import read_model
from selfloop.plugins import call_parameters, load_plugin, offered
from selfloop.pretrained import described


def fit_embedder(path: str, params: Mapping, images: np.ndarray, labels, seed: int, device: str) -> dict:
    """Call an embedder's ``fit`` on the real training images and return its state, a dict of arrays."""
    module = load_plugin(path, "embedder")
    own = _parameters(module, "fit", params, path)
    return module.fit(np.asarray(images), labels, **offered(module.fit, seed=seed, device=device), **own)


def load_embedder(path: str, params: Mapping, state_path: str | None, device: str) -> tuple[Callable, dict[str, str]]:
    """Return (embed, metadata): ``embed(images) -> float32 B x d``, and what identifies the feature space.

    The metadata are ``extractor`` (with its weights where these are not the ones that the name means),
    ``preprocessing`` and ``weights_sha256`` (of the fitted state or of the weights file; empty for an extractor without
    weights).
    """
    module = load_plugin(path, "embedder")
    if hasattr(module, "fit") and state_path is None:
        raise UserError(f"{path}: this embedder is fitted; its state (--state) is missing")
    weights = getattr(module, "weights", None)
    file = state_path or (weights and weights(**_parameters(module, "weights", params, path)))
    state = read_model(state_path)[0] if state_path else None
    own = _parameters(module, "load", params, path)
    embed = module.load(**offered(module.load, state=state, device=device), **own)
    digest = sha256(file) if file and Path(file).is_file() else ""
    identity = {"extractor": module.EXTRACTOR, "preprocessing": module.PREPROCESSING}
    if hasattr(module, "describe"):
        identity |= module.describe(**_parameters(module, "describe", params, path))
    identity["extractor"] = described(identity["extractor"], getattr(module, "SHA256", None), digest)
    return embed, identity | {"weights_sha256": digest}


def embed_samples(embed: Callable, values: np.ndarray, batch_size: int, progress=None) -> np.ndarray:
    """Return float32 N x d features; UserError for any other answer and for values that are not finite."""
    features = in_batches(embed, {"images": values}, batch_size, progress)
    if features.ndim != 2 or features.dtype != np.float32:
        raise UserError(f"the embedder answered {features.dtype} of shape {features.shape}; expected float32 B x d")
    bad = ~np.isfinite(features).all(axis=1)
    if bad.any():
        raise UserError(
            f"the embedder's features of {bad.sum()} items are not finite, the first is item {bad.argmax()}"
        )
    return features


def _parameters(module, function: str, params: Mapping, where: str) -> dict:
    """Return the user's parameters that one function takes, known being those of all the plug-in's functions."""
    others = [getattr(module, name) for name in ("fit", "load", "weights", "describe") if hasattr(module, name)]
    return call_parameters(getattr(module, function), params, where, also=others)
