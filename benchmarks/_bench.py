"""What every benchmark does: find the library, fix the threads, say on which machine it ran, keep the table.

Import it before numpy or torch: the number of threads of BLAS and OpenMP is read when they load.
"""

import os
import platform
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
sys.path.insert(0, str(ROOT / "workflow" / "lib"))
THREADS = sys.argv[sys.argv.index("--threads") + 1] if "--threads" in sys.argv[:-1] else "2"
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{_library}_NUM_THREADS"] = THREADS


def machine(threads: int, device: str = "cpu", packages=("numpy", "torch")) -> str:
    """Return one line: processor, cores, memory, threads used, GPU, versions of ``packages``, load."""
    from importlib.metadata import PackageNotFoundError, version

    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"Python {platform.python_version()}"]
    for name in packages:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"no {name}")
    hardware = [f"{cpu}, {os.cpu_count()} cores ({threads} threads used), {memory:.0f} GiB"]
    if device.startswith("cuda"):
        import torch

        hardware.append(torch.cuda.get_device_name())
    return f"{'; '.join(hardware)}; {', '.join(versions)}; load {os.getloadavg()[0]:.1f} at the start"


def table(head: list[str], rows: list[list]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def keep(name: str, text: str, write: bool) -> None:
    """Print a result, and write it to benchmarks/results/NAME.md if asked to."""
    print(text, flush=True)
    if write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.md").write_text(text.rstrip() + "\n")


def checkout(folder: Path) -> None:
    """Copy the workflow into an empty folder, and let the rules find this Python."""
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("workflow", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    bin_folder = str(Path(sys.executable).parent)
    if not os.environ["PATH"].startswith(bin_folder):
        os.environ["PATH"] = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"


def clock():
    """Return float64[2]: wall and CPU seconds."""
    import numpy as np

    return np.array([time.perf_counter(), time.process_time()])


def product_rate(d: int) -> float:
    """Return GFLOP/s of numpy's float32 product of 4,096 x d by d x 16,384, the fastest of ten."""
    import numpy as np

    x, y = (np.random.default_rng(0).standard_normal((n, d), dtype=np.float32) for n in (4096, 16384))
    out = np.empty((len(x), len(y)), np.float32)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        np.matmul(x, y.T, out=out)
        times.append(time.perf_counter() - start)
    return 2 * out.size * d / min(times) / 1e9


def peak_mib() -> float:
    """Return the largest resident size of this process since ``reset_peak``, in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def reset_peak() -> None:
    """Let the peak start again from the present size (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_device_mib(device: str) -> float:
    """Return the largest memory that torch held on a GPU, MiB; of another device the peak of this process."""
    if not device.startswith("cuda"):
        return peak_mib()
    import torch

    return torch.cuda.max_memory_allocated() / 2**20


def wait_for(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()
