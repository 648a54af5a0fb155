"""Exact neighbours beside two plain faiss flat searches, on the sets that one evaluation compares.

Ours resolves near-duplicates and duplicates (float64 differences, self left out by position); plain faiss does not. The
table gives seconds, the ratio to plain faiss, the rise of peak memory, and how many nearest distances are off by more
than one part in a thousand. Each row runs in a process of its own. The BLAS inside the faiss wheel does not know some
processors and takes slow kernels; "kernels set" is plain faiss with them set as ours sets them.

Example:
    python benchmarks/bench_neighbours.py --n 16384 --d 384 --threads 1 --write
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
METHODS = ("plain faiss", "plain faiss, kernels set", "ours")


def data(name, n, d):
    """Return (samples, training set), float32 n x d each."""
    rng = np.random.default_rng(0)
    training = rng.standard_normal((n, d), dtype=np.float32)
    if name == "collapsed":  # a hundred images, in near-copies a millionth of their distance apart, far from the origin
        training = 100 + training[rng.integers(0, 100, n)] + 1e-5 * training
    samples = training[rng.permutation(n)] + np.float32(1e-5 if name == "collapsed" else 0.5) * rng.standard_normal(
        (n, d), dtype=np.float32
    )
    return samples.astype(np.float32), training.astype(np.float32)


def plain(samples, training):
    """Two searches of a flat index, as a script would do them: k = 2 of the samples, k = 2 (self first) of the rest."""
    import faiss

    index = faiss.IndexFlatL2(training.shape[1])
    index.add(training)
    first = np.sqrt(np.maximum(index.search(samples, 2)[0][:, 0], 0))
    return first, np.sqrt(np.maximum(index.search(training, 2)[0][:, 1], 0))


def ours(samples, training):
    """The two searches of selfloop.metrics."""
    from selfloop.neighbours import nearest, nearest_others

    return nearest(samples, training, 2)[0][:, 0], nearest_others(training, 1)[0][:, 0]


def one(method, name, n, d):
    """Run one method in this process and print its record as JSON."""
    samples, training = data(name, n, d)
    search = ours if method == "ours" else plain
    if method == "plain faiss, kernels set":
        from selfloop.neighbours import import_faiss

        import_faiss()
    search(samples[:200], training[:200])  # imports and first-call costs
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, cpu = time.perf_counter(), time.process_time()
    found = search(samples, training)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    rows = np.linspace(0, n - 1, min(n, 200)).astype(int)
    wrong = [off(found[0][rows], samples[rows], training, None), off(found[1][rows], training[rows], training, rows)]
    print(json.dumps({"seconds": seconds, "cpu": cpu, "memory": memory, "wrong": float(np.mean(wrong))}))


def off(distances, queries, base, own):
    """Return the share of nearest distances that are off by more than 0.1 %, by differences in float64."""
    truth = np.array([np.linalg.norm(base.astype(np.float64) - q, axis=1) for q in queries])
    if own is not None:
        truth[np.arange(len(queries)), own] = np.inf
    truth = truth.min(axis=1)
    return np.mean(np.abs(distances - truth) > 1e-3 * truth)


def table(n, d, threads, repeats):
    """Return the lines of the Markdown table; the fastest of ``repeats`` runs by CPU time."""
    names = [f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL")]
    environment = os.environ | {name: str(threads) for name in names}
    environment["PYTHONPATH"] = str(HERE.parent / "workflow" / "lib")
    lines = ["| data | method | seconds | CPU seconds | ratio (CPU) | peak memory, MiB more | wrong distances |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for name in ("spread", "collapsed"):
        base = None
        for method in METHODS:
            command = [sys.executable, __file__, "--n", str(n), "--d", str(d), "--one", method, name]
            runs = [json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
                    for _ in range(repeats)]  # fmt: skip
            best = min(runs, key=lambda run: run["cpu"])
            base = base or best["cpu"]
            cells = [name, method, f"{best['seconds']:.2f}", f"{best['cpu']:.2f}", f"{best['cpu'] / base:.2f}"]
            lines.append(f"| {' | '.join(cells)} | {best['memory']:.0f} | {best['wrong']:.1%} |")
    return lines


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--n", type=int, default=4096, help="samples, and items of the training set")
    p.add_argument("--d", type=int, default=384, help="dimensions")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--write", action="store_true", help="to benchmarks/results/neighbours.md as well")
    p.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.one:
        return one(*a.one, a.n, a.d)
    import faiss

    hardware = f"{os.cpu_count()} cores {platform.machine()}, faiss {faiss.__version__}, numpy {np.__version__}"
    title = f"n = {a.n:,} against {a.n:,}, d = {a.d}, {a.threads} thread(s), best of {a.repeats}; {hardware}"
    text = "\n".join([title, "", *table(a.n, a.d, a.threads, a.repeats), ""])
    print(text)
    if a.write:
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / "neighbours.md").write_text(text)


if __name__ == "__main__":
    main()
