"""A trained model on disk (safetensors and JSON, never pickle), and torch set up for a stage."""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from selfloop.errors import UserError
from selfloop.files import atomic, read_json, sha256, write_json
from selfloop.hardware import keep_freed_memory


def fingerprint(plugin: str, settings: Mapping, *items: np.ndarray | None) -> str:
    """Return the SHA-256 of all that a training run depends on: the plug-in's file, its settings and the items.

    ``items`` are arrays of one row an item (samples, labels, replicate), None where there is no such column.
    """
    shapes = [None if array is None else [str(array.dtype), *array.shape] for array in items]
    digest = hashlib.sha256(json.dumps([sha256(plugin), settings, shapes], sort_keys=True).encode())
    for array in items:
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def write_model(path: str | Path, weights: Mapping, record: Mapping) -> None:
    """Write ``weights.safetensors`` and, last, ``model.json`` beside it; numpy arrays and torch tensors are welcome."""
    from safetensors.numpy import save_file

    arrays = {name: _array(value) for name, value in sorted(weights.items())}
    bad = [name for name, value in arrays.items() if value.dtype.kind == "f" and not np.isfinite(value).all()]
    if bad:
        raise UserError(f"training diverged: '{bad[0]}' and {len(bad) - 1} other weights are not finite; "
                        "lower the learning rate or use fp32")  # fmt: skip
    with atomic(path) as temporary:
        save_file(arrays, temporary)
    write_json(Path(path).with_name("model.json"), record)


def read_model(path: str | Path) -> tuple[dict[str, np.ndarray], dict]:
    """Return (weights, record) of a model."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    record = read_json(Path(path).with_name("model.json"))
    try:
        return load_file(path), record
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except SafetensorError as error:
        raise UserError(f"{path}: not a whole safetensors file ({error})") from None


def already_trained(path: str | Path, mark: str) -> bool:
    """Whether another process finished exactly this model while this one waited for its lock."""
    record = Path(path).with_name("model.json")
    if not (Path(path).exists() and record.exists() and read_json(record).get("fingerprint") == mark):
        return False
    print(f"{path}: already trained by another process", file=sys.stderr)
    return True


def setup_torch(device: str, threads: int, deterministic: bool) -> str:
    """Fix torch's threads, memory and determinism without importing it: a stage without torch does not pay for it.

    Returns ``device``. A plug-in's ``import torch`` then meets OMP_NUM_THREADS (set by the stage script) and these.
    """
    import os

    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if device.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            raise UserError(f"device: '{device}' is asked for, torch finds no GPU (use device: cpu or auto)")
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
        torch.backends.cudnn.benchmark = not deterministic
        torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads what it has not written
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # fp32 means fp32
        torch.set_num_threads(threads)
    else:
        keep_freed_memory()
    return device


def _array(value) -> np.ndarray:
    return np.ascontiguousarray(value if isinstance(value, np.ndarray) else value.detach().cpu().numpy())
