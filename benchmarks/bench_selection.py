"""Greedy and threshold decay, 2N -> N: ours beside the paper's released loops, in one run on the same data and threads.

    python benchmarks/bench_selection.py                             # 65,536 -> 32,768, d = 384, 2 threads
    python benchmarks/bench_selection.py --n 16384 --threads 1 --write

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
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ALPHA = 0.95
RESULTS = Path(__file__).parent / "results"


def features(n: int, d: int):
    """Float32 N x d: ten Gaussian clusters whose spectrum falls like 1/k, as features of images have it."""
    import numpy as np

    rng = np.random.default_rng(0)
    spectrum = (10 / np.sqrt(np.arange(1, d + 1))).astype(np.float32)
    result = rng.standard_normal((n, d), dtype=np.float32)
    result += 2 * rng.standard_normal((10, d), dtype=np.float32)[rng.integers(0, 10, n)]
    result *= spectrum
    return result


def peak_mib() -> float:
    """Return the largest resident size of this process since ``reset_peak``, in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def reset_peak() -> None:
    """Let the peak start again from the present size (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


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


def clock():
    """Return float64[2]: wall and CPU seconds."""
    import numpy as np

    return np.array([time.perf_counter(), time.process_time()])


def released_row(pool, repeats: int):
    """Seconds of one step of the released greedy loop: cdist of one row with the pool, minimum, argmax."""
    import torch

    nearest = torch.full((len(pool),), float("inf"))
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


def machine() -> str:
    """One line: processor, cores, memory, versions."""
    import numpy as np
    import torch

    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, torch {torch.__version__}"
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB; {versions}; load {os.getloadavg()[0]:.1f} at the start"


def run_ours(rule: str, a: argparse.Namespace) -> dict:
    """Run ``ours`` in a process of its own and return what it measured."""
    command = [sys.executable, __file__, "--one", rule, "--n", str(a.n), "--d", str(a.d), "--threads", str(a.threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def table(a: argparse.Namespace) -> str:
    """Measure everything and return the result as Markdown."""
    import torch

    torch.set_num_threads(a.threads)
    what = f"{a.n:,} -> {a.n // 2:,}, d = {a.d}, {a.threads} threads; the released loops are extrapolated"
    rows = [machine(), "", what, ""]
    rows += [
        "| rule | ours: wall s | CPU s | released: wall s | CPU s | ratio: wall | CPU | peak above features, MiB |"
    ]
    rows += ["|---|---|---|---|---|---|---|---|"]
    pool = torch.from_numpy(features(a.n, a.d))
    costs = released_costs(pool)
    for rule in ("greedy", "paper", "released"):
        own = run_ours(rule, a)
        if rule == "greedy":
            theirs = released_greedy(pool, a.n // 2)
        else:
            theirs = released_threshold(pool, own["order"], own["scores"], rule, costs)
        (wall, cpu), name = own["seconds"], rule if rule == "greedy" else f"threshold decay, {rule}"
        numbers = f"{wall:.1f} | {cpu:.1f} | {theirs[0]:,.0f} | {theirs[1]:,.0f}"
        rows.append(f"| {name} | {numbers} | {theirs[0] / wall:,.0f} | {theirs[1] / cpu:,.0f} | {own['mib']:.0f} |")
    return "\n".join(rows) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--n", type=int, default=65536, help="size of the pool; half of it is chosen")
    p.add_argument("--d", type=int, default=384, help="dimension of the features")
    p.add_argument("--threads", type=int, default=2, help="BLAS and torch threads of both")
    p.add_argument("--write", action="store_true", help="write the table to benchmarks/results/ as well")
    p.add_argument("--one", choices=["greedy", "paper", "released"], help="time one of ours and print JSON")
    a = p.parse_args()
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = str(a.threads)  # before numpy and torch load
    if a.one:
        print(json.dumps(ours(a.one, a.n, a.d)))
        return
    text = table(a)
    print(text)
    if a.write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"selection_n{a.n}_d{a.d}_t{a.threads}.md").write_text(f"# Selection\n\n{text}")


if __name__ == "__main__":
    main()
