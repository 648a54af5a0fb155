"""Greedy and threshold decay, 2N -> N: ours beside the paper's released loops, in one run on the same data and threads.

    python benchmarks/bench_selection.py                             # 65,536 -> 32,768, d = 384, 2 threads
    python benchmarks/bench_selection.py --n 16384 --threads 1 --write
    python benchmarks/bench_selection.py --device cuda --write       # greedy alone, on one GPU

The released loops (arXiv 2509.16499) hold the pool in torch and call torch.cdist with one row at a time: greedy once
per item chosen, threshold decay once per candidate of each pass, against everything chosen so far. They would take
hours at full size, so that a part of each is timed and the rest follows from what one row costs. Greedy: every row
costs the same. Threshold decay: one candidate is timed against eight sizes of the chosen set; how many candidates meet
how many chosen is counted from the passes of ours, which choose the same. Each of ours runs in a
process of its own for its peak memory, counted above the features. Wall seconds are those of a quiet machine only on a
quiet machine: CPU seconds and their ratio stand beside them.
"""

import argparse
import json
import subprocess
import sys

from _bench import clock, keep, machine, peak_device_mib, peak_mib, product_rate, reset_peak, table

ALPHA = 0.95
_FULL_SECONDS = 120  # the released loop runs to the end on a GPU if it takes no longer


def features(n: int, d: int, seed: int = 0):
    """Float32 N x d: ten Gaussian clusters whose spectrum falls like 1/k, as features of images have it.

    ``seed`` draws other items of the same clusters.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    spectrum = (10 / np.sqrt(np.arange(1, d + 1))).astype(np.float32)
    result = rng.standard_normal((n, d), dtype=np.float32)
    centres = np.random.default_rng(1000).standard_normal((10, d), dtype=np.float32)
    result += 2 * centres[rng.integers(0, 10, n)]
    result *= spectrum
    return result


def ours(rule: str, n: int, d: int) -> dict:
    """Time one of ours in this process: (wall, CPU) seconds, peak MiB above the features, and its order and scores."""
    import numpy as np

    from selfloop.selection import greedy, threshold_decay

    pool = features(n, d)
    for function in (greedy, threshold_decay):
        function(pool[:512], 256, 0)  # code and BLAS threads loaded
    reset_peak()
    before, start = peak_mib(), clock()
    if rule == "greedy":
        chosen = greedy(pool, n // 2, 0)
    else:
        chosen = threshold_decay(pool, n // 2, 0, alpha=ALPHA, schedule=rule)
    seconds = (clock() - start).tolist()
    scores = chosen.score[chosen.order].filled(np.nan).tolist()
    return {"seconds": seconds, "mib": peak_mib() - before, "order": chosen.order.tolist(), "scores": scores}


def released_row(pool, repeats: int):
    """Seconds of one step of the released greedy loop: cdist of one row with the pool, minimum, argmax."""
    import torch

    nearest = torch.full((len(pool),), float("inf"), device=pool.device)
    start = clock()
    for i in range(repeats):
        nearest = torch.minimum(nearest, torch.cdist(pool[i : i + 1], pool).squeeze(0))
        nearest.argmax().item()
    return (clock() - start) / repeats


def released_candidate(pool, chosen_size: int, repeats: int):
    """Seconds of one candidate of the released threshold loop: cdist with everything chosen, compared with tau."""
    import torch

    chosen = pool[:chosen_size]
    start = clock()
    for i in range(repeats):
        bool((torch.cdist(pool[i : i + 1], chosen) > 1.0).all())
    return (clock() - start) / repeats


def released_greedy(pool, n: int):
    """Seconds of the released greedy loop for n items, from 20 rows of it."""
    released_row(pool, 2)
    return n * released_row(pool, 20)


def released_costs(pool):
    """Time a candidate against sets of chosen items: their sizes, and float64[sizes, 2] (wall, CPU) seconds.

    From N/256 to N/2; the sizes take turns, so that a slow moment of the machine falls on all of them.
    """
    import numpy as np

    sizes = [len(pool) >> k for k in range(8, 0, -1)]
    rounds = [[released_candidate(pool, size, 10) for size in sizes] for _ in range(6)]
    return sizes, np.median(rounds[1:], axis=0)


def released_threshold(pool, order: list[int], scores: list[float], schedule: str, costs):
    """Seconds of the released threshold loop: each pass, seen in the tau of each chosen item, times what it costs."""
    import numpy as np

    sizes, seconds = costs
    taus, counts = np.unique(-np.array(scores[1:]), return_counts=True)  # -tau ascending: passes that added something
    tau0 = ((pool - pool[order[0]]) ** 2).sum(1).max().sqrt().item()
    total, chosen, before = np.zeros(2), 1, -1
    for k, (tau, added) in enumerate(zip(-taus, counts, strict=True)):
        decays = round(np.log(tau / tau0) / np.log(ALPHA))
        empty = decays - before - 1 + (schedule == "paper" and before >= 0)  # passes that added nothing
        left = len(pool) - chosen
        walked = (
            left if k + 1 < len(taus) else left * (order[-1] + 1) / len(pool)
        )  # the last one stops at its last item
        for candidates, size in ((empty * left, chosen), (walked, chosen + added / 2)):
            total += [candidates * np.interp(size, sizes, column) for column in seconds.T]
        chosen, before = chosen + added, decays
    return total


def run_ours(rule: str, a: argparse.Namespace) -> dict:
    """Run ``ours`` in a process of its own and return what it measured."""
    command = [sys.executable, __file__, "--one", rule, "--n", str(a.n), "--d", str(a.d), "--threads", str(a.threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def cpu_table(a: argparse.Namespace) -> str:
    """Measure all rules on the CPU and return the result as Markdown."""
    import torch

    torch.set_num_threads(a.threads)
    rows, pool = [], torch.from_numpy(features(a.n, a.d))
    costs = released_costs(pool)
    for rule in ("greedy", "paper", "released"):
        own = run_ours(rule, a)
        if rule == "greedy":
            theirs = released_greedy(pool, a.n // 2)
        else:
            theirs = released_threshold(pool, own["order"], own["scores"], rule, costs)
        (wall, cpu), name = own["seconds"], rule if rule == "greedy" else f"threshold decay, {rule}"
        rows.append([name, f"{wall:.1f}", f"{cpu:.1f}", f"{theirs[0]:,.0f}", f"{theirs[1]:,.0f}",
                     f"{theirs[0] / wall:,.0f}", f"{theirs[1] / cpu:,.0f}", f"{own['mib']:.0f}"])  # fmt: skip
    head = ["rule", "ours: wall s", "CPU s", "released: wall s", "CPU s", "ratio: wall", "CPU",
            "peak above features, MiB"]  # fmt: skip
    what = f"{a.n:,} -> {a.n // 2:,}, d = {a.d}, {a.threads} threads; the released loops are extrapolated"
    n, rate = a.n // 2, product_rate(a.d)
    limit = (a.n * n - n**2 / 2) * 2 * a.d / 1e9 / rate
    note = f"Greedy's distances as one float32 product, at the {rate:.0f} GFLOP/s measured here: {limit:.1f} s."
    return f"{what}\n\n{table(head, rows)}\n\n{note}"


def gpu_table(a: argparse.Namespace) -> str:
    """Measure greedy on the GPU and return the result as Markdown."""
    import numpy as np
    import torch

    from selfloop import selection, selection_torch

    data, n = features(a.n, a.d), a.n // 2
    selection_torch.greedy(data[:4096], 64, 0, a.device)  # libraries loaded
    start = clock()
    chosen = selection_torch.greedy(data, n, 0, a.device)
    ours = clock() - start
    mib = peak_device_mib(a.device) - data.nbytes / 2**20
    pool = torch.from_numpy(data).to(a.device)
    theirs, how = released_greedy(pool, n), "extrapolated from 20 rows"
    if theirs[0] < _FULL_SECONDS:
        theirs, how = released_row(pool, n) * n, "in full"
    start = clock()
    on_cpu = selection.greedy(data, n, 0)
    cpu = clock() - start
    differ = np.flatnonzero(chosen.order != on_cpu.order)
    same = len(np.intersect1d(chosen.order, on_cpu.order)) / n
    head = ["greedy", "wall s", "ratio", "peak above features, MiB"]
    rows = [[f"released loop, {a.device}", f"{theirs[0]:.2f}", "1.0", ""],
            [f"ours, {a.device}", f"{ours[0]:.2f}", f"{theirs[0] / ours[0]:.1f}", f"{mib:.0f}"],
            [f"ours, numpy, {a.threads} threads", f"{cpu[0]:.2f}", f"{theirs[0] / cpu[0]:.1f}", ""]]  # fmt: skip
    what = (f"{a.n:,} -> {n:,}, d = {a.d}; the released loop {how}. Both of ours choose the same in the same order "
            f"{'throughout' if not len(differ) else f'for the first {differ[0]:,} picks'}; {same:.3%} of the chosen "
            "are the same.")  # fmt: skip
    return f"{what}\n\n{table(head, rows)}"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--n", type=int, default=65536, help="size of the pool; half of it is chosen")
    p.add_argument("--d", type=int, default=384, help="dimension of the features")
    p.add_argument("--threads", type=int, default=2, help="BLAS and torch threads of both")
    p.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="cuda: greedy on one GPU")
    p.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)  # the GPU's engine on a CPU
    p.add_argument("--write", action="store_true", help="write the table to benchmarks/results/ as well")
    p.add_argument("--one", choices=["greedy", "paper", "released"], help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.one:
        print(json.dumps(ours(a.one, a.n, a.d)))
        return
    made = gpu_table if a.device == "cuda" or a.torch else cpu_table
    text = f"# Selection\n\n{machine(a.threads, a.device)}\n\n{made(a)}"
    keep(f"selection_{a.device}_n{a.n}_d{a.d}", text, a.write)


if __name__ == "__main__":
    main()
