"""All neighbour metrics of one evaluation beside two plain faiss flat searches on the same sets.

    python benchmarks/bench_neighbours.py --write                            # every method, n = 4,096
    python benchmarks/bench_neighbours.py --n 65536 --methods faiss ours metrics --data spread --repeats 1 --write

The searches are those of the samples among the training set (two nearest) and of the training set among itself. Ours
resolves near-duplicates and duplicates (float64 differences, self left out by position); faiss does not: the table says
how many nearest distances are off by more than one part in a thousand. "metrics" is all that is made of them: entropy
with its duplicates, generalization score, memorised fraction, also against the merged set, near-duplicates, spread.

Each row runs in a process of its own. The BLAS inside the faiss wheel does not know some processors and takes slow
kernels: "faiss as installed" is what a script gets, "faiss" has the kernels set as ours sets them.
"""

import argparse
import json
import subprocess
import sys

import numpy as np
from _bench import clock, keep, machine, peak_mib, product_rate, reset_peak, table

METHODS = {
    "installed": "faiss as installed, two searches",
    "faiss": "faiss, two searches",
    "ours": "ours, two searches",
    "metrics": "ours, all metrics",
}


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


def with_faiss(samples, training):
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


def metrics(samples, training):
    """Everything that selfloop.metrics makes of them; the samples among themselves are precision's and recall's."""
    from selfloop.metrics import Options, neighbour_rows

    threshold = 0.25 * np.sqrt(training.shape[1])
    known = np.ones(len(samples))
    return [neighbour_rows("space", samples, training, None, threshold, Options(), known).samples]


def one(method, name, n, d):
    """Run one method in this process and return its record."""
    samples, training = data(name, n, d)
    search = {"ours": ours, "metrics": metrics}.get(method, with_faiss)
    if method != "installed":
        from selfloop.neighbours import import_faiss

        import_faiss()
    search(samples[:200], training[:200])  # imports and first-call costs
    reset_peak()
    before, start = peak_mib(), clock()
    found = search(samples, training)
    seconds, cpu = (clock() - start).tolist()
    rows = np.linspace(0, n - 1, min(n, 200)).astype(int)
    asked = [(samples[rows], None), (training[rows], rows)]
    wrong = [off(x[rows], *of, training) for x, of in zip(found, asked, strict=False)]
    return {"seconds": seconds, "cpu": cpu, "memory": peak_mib() - before, "wrong": float(np.mean(wrong))}


def off(distances, queries, own, base):
    """Return the share of nearest distances that are off by more than 0.1 %, by differences in float64."""
    truth = np.array([np.linalg.norm(base.astype(np.float64) - q, axis=1) for q in queries])
    if own is not None:
        truth[np.arange(len(queries)), own] = np.inf
    truth = truth.min(axis=1)
    return np.mean(np.abs(distances - truth) > 1e-3 * truth)


def rows(a):
    """Return the rows of the table; the fastest of the repeats by CPU time."""
    result = []
    for name in a.data:
        base = None
        for method in a.methods:
            command = [sys.executable, __file__, "--n", str(a.n), "--d", str(a.d), "--threads", str(a.threads)]
            command += ["--one", method, name]
            runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                    for _ in range(a.repeats)]  # fmt: skip
            best = min(runs, key=lambda run: run["cpu"])
            base = base or best
            ratios = [f"{best[key] / base[key]:.2f}" for key in ("seconds", "cpu")]
            result.append([name, METHODS[method], f"{best['seconds']:.2f}", f"{best['cpu']:.2f}", *ratios,
                           f"{best['memory']:.0f}", f"{best['wrong']:.1%}"])  # fmt: skip
    return result


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--n", type=int, default=4096, help="samples, and items of the training set")
    p.add_argument("--d", type=int, default=384, help="dimensions")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="the first is the ratio's 1")
    p.add_argument("--data", nargs="+", choices=["spread", "collapsed"], default=["spread", "collapsed"])
    p.add_argument("--write", action="store_true", help="to benchmarks/results/ as well")
    p.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.one:
        print(json.dumps(one(*a.one, a.n, a.d)))
        return
    head = machine(a.threads, packages=("faiss-cpu", "numpy"))
    title = f"n = {a.n:,} samples against {a.n:,} training items, d = {a.d}, best of {a.repeats}."
    columns = ["data", "method", "seconds", "CPU seconds", "ratio", "ratio (CPU)", "peak memory, MiB more",
               "wrong distances"]  # fmt: skip
    body, rate = table(columns, rows(a)), product_rate(a.d)
    note = (f"The distances as one float32 product, pairs of training items once, at the {rate:.0f} GFLOP/s measured "
            f"here: {3 * a.n**2 * a.d / 1e9 / rate:.1f} s.")  # fmt: skip
    keep(f"neighbours_n{a.n}", f"# Neighbours\n\n{head}\n\n{title}\n\n{body}\n\n{note}", a.write)


if __name__ == "__main__":
    main()
