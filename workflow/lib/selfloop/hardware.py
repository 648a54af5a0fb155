"""What the machine has, found without importing torch and without timing anything."""

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
