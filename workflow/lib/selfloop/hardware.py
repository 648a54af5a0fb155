"""What the machine has, found without importing torch and without timing anything; and how it gives memory."""

import ctypes
import subprocess
from pathlib import Path


def detect() -> dict[str, bool]:
    """Return {"cuda": an NVIDIA GPU is there, "bf16": it has bf16 arithmetic (compute capability 8.0 and newer)}."""
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        return {"cuda": False, "bf16": False}
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
        return {"cuda": True, "bf16": min(float(line) for line in answer.split()) >= 8.0}
    except (OSError, subprocess.SubprocessError, ValueError):
        return {"cuda": True, "bf16": False}


def keep_freed_memory() -> None:
    """Tell malloc to keep what this process frees for its next tensors, instead of giving it back (glibc alone).

    By default glibc returns every block of 32 MiB and more to the system, which hands it out again page by page, each
    filled with zeros: on a CPU this took a third of the time of a large network (docs/performance.md).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_max = -1, -4  # malloc.h
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, -1)
