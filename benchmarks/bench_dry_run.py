"""The dry run of ten generations of eight arms: what a user waits for before anything runs.

    python benchmarks/bench_dry_run.py --write

In a folder of its own, with nothing computed yet: `snakemake --dry-run --quiet` of everything, beside the parts that
it cannot do without: Python with Snakemake imported, and a workflow of one rule. The fastest of the repeats; CPU
seconds stand beside wall seconds, which are those of a quiet machine only on a quiet machine.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _bench import checkout, keep, machine, table

SELECTORS = "workflow/plugins/selectors"
ARMS = {
    "greedy": {"selection": {"script": f"{SELECTORS}/greedy.py"}},
    "threshold_decay": {"selection": {"script": f"{SELECTORS}/threshold_decay.py"}},
    "subsample": {"training_set": {"paradigm": "subsample"}},
    "accumulate": {"training_set": {"paradigm": "accumulate"}},
    "stratified": {"training_set": {"paradigm": "subsample"}, "selection": {"script": f"{SELECTORS}/stratified.py"}},
    "anchored": {"training_set": {"real_fraction": 0.1, "real_source": "fresh"}},
    "ddim": {"sampling": {"params": {"sampler": "ddim"}}},
}
ONE_RULE = "rule all:\n    output: 'x'\n    shell: 'touch x'\n"


def timed(command: list[str], folder: Path, repeats: int) -> tuple[float, float]:
    """Run a command and return the (wall, CPU) seconds of the fastest of ``repeats`` runs, children included."""
    best = (float("inf"), float("inf"))
    for _ in range(repeats):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = min(best, (wall, cpu))
    return best


def experiment(folder: Path, arms: int, generations: int) -> str:
    """Write the default chain with ``arms`` - 1 others beside it, and return the file."""
    chosen = dict(list(ARMS.items())[: arms - 1])
    path = folder / "experiment.yaml"
    path.write_text(json.dumps({"generations": generations, "arms": chosen}))  # which is YAML too
    return str(path)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--generations", type=int, default=10)
    p.add_argument("--arms", type=int, default=8, help="chains, the main one counted: 1 to 8")
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--threads", type=int, default=1, help="BLAS threads; nothing here uses them")
    p.add_argument("--write", action="store_true", help="write the table to benchmarks/results/ as well")
    a = p.parse_args()
    head = machine(a.threads, packages=("snakemake",))
    with tempfile.TemporaryDirectory() as temporary:
        folder, small = Path(temporary, "experiment"), Path(temporary, "small")
        folder.mkdir()
        small.mkdir()
        checkout(folder)
        Path(small, "Snakefile").write_text(ONE_RULE)
        snakemake = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "--cores", "2"]
        ours = [*snakemake, "--configfile", experiment(folder, a.arms, a.generations)]
        rules = subprocess.run([*ours[:3], "--list-rules", *ours[-2:]], cwd=folder,
                               capture_output=True, text=True).stdout  # fmt: skip
        parts = {
            "import of Snakemake alone": timed([sys.executable, "-c", "import snakemake.cli"], small, a.repeats),
            "dry run of one rule": timed(snakemake, small, a.repeats),
            "dry run of the experiment": timed(ours, folder, a.repeats),
        }
    rows = [[name, f"{wall:.2f}", f"{cpu:.2f}"] for name, (wall, cpu) in parts.items()]
    what = f"{a.generations} generations of {a.arms} arms: {len(rules.split()):,} rules; best of {a.repeats}."
    keep("dry_run", f"# Dry run\n\n{head}\n\n{what}\n\n{table(['', 'seconds', 'CPU seconds'], rows)}", a.write)


if __name__ == "__main__":
    main()
