"""A million items, 50,000 chosen: exact greedy and threshold decay in bounded memory, and greedy in two rounds.

    python benchmarks/bench_selection_million.py --write                        # about 14 minutes on two cores
    python benchmarks/bench_selection_million.py --sizes 16384 65536 262144     # 3 minutes

Features (float32, d = 384) lie in an .npy file and are memory-mapped; a twentieth of the pool is chosen. Every row is a
process of its own. Peak memory is all that the process ever had resident: Python, its libraries, the mapped features
and the working copy. The covering radius is the largest distance of an item to its nearest chosen one, measured after
the clock has stopped; with so few candidates a shard the two rounds promise none.

Time grows with the number of distances: N n - n^2 / 2, since the chosen leave the pool. What a million would take for
500,000 chosen is extrapolated from it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from _bench import clock, keep, machine, peak_mib, reset_peak, table

RULES = {"greedy": "greedy, exact", "threshold_decay": "threshold decay, exact", "coreset": "greedy, two rounds"}
CHUNK = 65536


def write_features(path: Path, n: int, d: int) -> None:
    """Write float32 n x d to an .npy file, by the chunk: the clusters of bench_selection.features."""
    import numpy as np
    from bench_selection import features

    mapped = np.lib.format.open_memmap(path, "w+", np.float32, (n, d))
    for k, first in enumerate(range(0, n, CHUNK)):
        mapped[first : first + CHUNK] = features(min(CHUNK, n - first), d, seed=k)
    mapped.flush()


def one(a, rule: str) -> dict:
    """Run one rule on a file in this process: (wall, CPU) seconds, peak MiB, covering radius, number of distances."""
    import numpy as np

    from selfloop.coreset import covering_radius, greedy_coreset
    from selfloop.selection import greedy, threshold_decay

    pool = np.load(a.file, mmap_mode="r")
    n = len(pool) // a.ratio
    greedy(np.ones((100, 4), np.float32), 10, 0)  # code and BLAS threads loaded
    reset_peak()
    start = clock()
    if rule == "greedy":
        chosen = greedy(pool, n, 0)
    elif rule == "threshold_decay":
        chosen = threshold_decay(pool, n, 0, alpha=0.95)
    else:
        chosen = greedy_coreset(pool, n, 0, np.random.default_rng(0), shards=a.shards, factor=a.factor)
    seconds, mib = (clock() - start).tolist(), peak_mib()
    radius = (
        covering_radius(pool, chosen.order) if rule == "coreset" else float(np.delete(chosen.score, chosen.order).max())
    )
    return {"seconds": seconds, "mib": mib, "radius": radius}


def run(a, rule: str, path: Path) -> dict:
    """Run ``one`` in a process of its own and return what it measured."""
    command = [sys.executable, __file__, "--one", rule, "--file", str(path)]
    for name in ("threads", "ratio", "shards", "factor"):
        command += [f"--{name}", str(getattr(a, name))]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measured(a, folder: Path) -> dict[tuple[str, int], dict]:
    """Measure all rules at all sizes."""
    found = {}
    for size in a.sizes:
        path = folder / "features.npy"
        write_features(path, size, a.d)
        for rule in a.rules:
            found[rule, size] = run(a, rule, path)
            print(f"{rule} {size:,}: {found[rule, size]['seconds'][0]:.1f} s", file=sys.stderr, flush=True)
        path.unlink()
    return found


def distances(size: int, n: int) -> float:
    """Return the number of distances from the pool to the chosen, who leave it."""
    return size * n - n * n / 2


def size_table(a, found: dict) -> str:
    """Return a row for every rule and size."""
    rows = []
    for (rule, size), record in found.items():
        (wall, cpu), work = record["seconds"], 2 * a.d * distances(size, size // a.ratio)
        exact = found.get(("greedy", size))
        radius = f"{record['radius']:.3f}" + (f" ({record['radius'] / exact['radius']:.3f})" if exact else "")
        rate = "" if rule == "coreset" else f"{work / wall / 1e9:.0f}"
        rows.append([RULES[rule], f"{size:,}", f"{size // a.ratio:,}", f"{wall:.1f}", f"{cpu:.1f}", rate,
                     f"{record['mib']:,.0f}", radius])  # fmt: skip
    head = ["rule", "N", "n", "wall s", "CPU s", "GFLOP/s", "peak memory, MiB", "covering radius (of exact greedy's)"]
    return table(head, rows)


def growth(a, found: dict) -> str:
    """Return how time grows, and what the largest pool would take for half of it chosen."""
    import numpy as np

    lines = []
    for rule in a.rules:
        seconds = np.array([found[rule, size]["seconds"][0] for size in a.sizes])
        if len(a.sizes) > 1:
            exponents = np.diff(np.log(seconds)) / np.diff(np.log(a.sizes))
            lines.append(f"* {RULES[rule]}: time grows with N to the power "
                         f"{', '.join(f'{x:.2f}' for x in exponents)} from size to size.")  # fmt: skip
        if rule != "coreset":
            last, half = a.sizes[-1], a.sizes[-1] // 2
            longer = distances(last, half) / distances(last, last // a.ratio)
            lines.append(f"* {RULES[rule]}, {last:,} -> {half:,}: {longer:.1f} times as many distances, extrapolated "
                         f"{seconds[-1] * longer / 60:.1f} minutes.")  # fmt: skip
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sizes", type=int, nargs="+", default=[16384, 65536, 262144, 1000000], help="ascending")
    p.add_argument("--ratio", type=int, default=20, help="one item in so many is chosen")
    p.add_argument("--d", type=int, default=384, help="dimension of the features")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    p.add_argument("--shards", type=int, default=16, help="of the two-round one")
    p.add_argument("--factor", type=float, default=2.0, help="its candidates, in units of n")
    p.add_argument("--folder", help="for the features, 1.5 GB at a million (default: the system's temporary folder)")
    p.add_argument("--write", action="store_true", help="write the table to benchmarks/results/ as well")
    p.add_argument("--one", choices=RULES, help=argparse.SUPPRESS)
    p.add_argument("--file", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.one:
        print(json.dumps(one(a, a.one)))
        return
    head = machine(a.threads, packages=("numpy",))
    with tempfile.TemporaryDirectory(dir=a.folder) as folder:
        found = measured(a, Path(folder))
    what = f"d = {a.d}; two rounds: {a.shards} shards, {a.factor:g} n candidates."
    text = "\n\n".join(["# Selection from a million", head, what, size_table(a, found), growth(a, found)])
    keep("selection_million", text, a.write)


if __name__ == "__main__":
    main()
