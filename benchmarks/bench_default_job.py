"""The default experiment in an empty folder: where its wall time goes.

    python benchmarks/bench_default_job.py --write               # ten generations, minutes
    python benchmarks/bench_default_job.py --generations 2 --cores 2

`snakemake results/gen<G>/fid.json`, as `make fid` runs it. A job lasts from its start by Snakemake to its end; what of
it is start of a process is Python itself and its imports, which every process of the run adds up and says in its log.
Snakemake alone is the time in which no job runs: from its start to the first job, between jobs, and after the last one.
Jobs run beside one another, so that their sum is more than the wall time.
"""

import argparse
import collections
import compileall
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _bench import checkout, keep, machine, table

INTERPRETER = 0.03  # seconds of a Python that imports nothing
# Every Python of the run reads this first. Within an import it is out of the way: it costs nothing, and counts it once.
TIMER = """
import atexit, builtins, importlib, os, sys, time

class Imports:
    def __init__(self):
        self.seconds, self.ways = 0.0, [(builtins, "__import__"), (importlib, "import_module"), (os, "_exit")]
        self.plain = [getattr(module, name) for module, name in self.ways]
        self.watch()
        atexit.register(self.say)

    def watch(self, timed=True):
        counted = [self.outermost(plain) for plain in self.plain[:2]] + [self.leave]
        for (module, name), function in zip(self.ways, counted if timed else self.plain):
            setattr(module, name, function)

    def outermost(self, plain):
        def imported(*given, **named):
            start = time.perf_counter()
            self.watch(False)
            try:
                return plain(*given, **named)
            finally:
                self.watch()
                self.seconds += time.perf_counter() - start
        return imported

    def say(self):
        print(f"imports: {self.seconds:.4f} s", file=sys.stderr, flush=True)

    def leave(self, status):
        self.say()
        self.plain[2](status)

Imports()
"""


def run(folder: Path, a: argparse.Namespace, generations: int, **environment: str) -> tuple[float, float]:
    """Run the experiment and return when it began and ended, seconds of the clock."""
    experiment = folder / "experiment.yaml"
    experiment.write_text(f"generations: {generations}\n")
    files = [*([os.path.abspath(a.config)] if a.config else []), str(experiment)]
    command = [sys.executable, "-m", "snakemake", "--cores", str(a.cores), "--configfile", *files, "--",
               f"results/gen{generations}/fid.json"]  # fmt: skip
    start = time.time()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | environment)
    if done.returncode:
        sys.exit(f"snakemake failed:\n{done.stderr[-3000:]}")
    return start, time.time()


def jobs(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Return the (start, end) of every job by stage: Snakemake writes a job's benchmark file when it ends."""
    found = collections.defaultdict(list)
    for path in sorted(folder.glob("results/**/benchmarks/**/*.tsv")):
        seconds = float(path.read_text().splitlines()[1].split("\t")[0])
        end = path.stat().st_mtime
        found[stage(path.relative_to(folder))].append((end - seconds, end))
    return dict(found)


def stage(path: Path) -> str:
    """Return the stage of a benchmark or log file: `results/gen3/benchmarks/sample/part-0000.tsv` is of sample."""
    parts = path.parts
    folder = next(i for i, part in enumerate(parts) if part in ("benchmarks", "logs"))
    return Path(parts[folder + 1]).stem + (" of real images" if parts[1] in ("gen0", "heldout") else "")


def imports(folder: Path) -> dict[str, float]:
    """Return the seconds that the jobs of each stage spend on starts of their processes, from their logs."""
    found = collections.defaultdict(float)
    for path in folder.glob("results/**/logs/**/*.log"):
        times = re.findall(r"^imports: ([\d.]+) s$", path.read_text(), re.MULTILINE)
        found[stage(path.relative_to(folder))] += sum(INTERPRETER + float(seconds) for seconds in times)
    return dict(found)


def alone(intervals: list[tuple[float, float]], start: float, end: float) -> dict[str, float]:
    """Return the seconds before the first job, between jobs and after the last one in which no job runs."""
    between, until = 0.0, None
    for first, last in sorted(intervals):
        between += max(0.0, first - until) if until is not None else 0.0
        until = max(last, until or last)
    return {"to the first job": min(first for first, _ in intervals) - start, "between jobs": between,
            "after the last job": end - until}  # fmt: skip


def report(a, start: float, end: float, by_stage: dict, starts: dict) -> str:
    """Return the tables."""
    rows, total, starting = [], 0.0, 0.0
    for name, spans in sorted(by_stage.items(), key=lambda item: -sum(e - s for s, e in item[1])):
        seconds, own = sum(last - first for first, last in spans), starts.get(name, 0.0)
        total, starting = total + seconds, starting + own
        rows.append([name, len(spans), f"{seconds:.1f}", f"{own:.1f}", f"{seconds - own:.1f}"])
    rows.append(["all", sum(map(len, by_stage.values())), f"{total:.1f}", f"{starting:.1f}", f"{total - starting:.1f}"])
    wall, idle = end - start, alone([span for spans in by_stage.values() for span in spans], start, end)
    snakemake = sum(idle.values())
    share = (snakemake + (wall - snakemake) * starting / total) / wall
    parts = ", ".join(f"{seconds:.1f} s {name}" for name, seconds in idle.items())
    text = (f"{a.generations} generations, {a.cores} cores: {wall:.1f} s. Snakemake alone: {snakemake:.1f} s "
            f"({parts}), {snakemake / wall:.0%}. Starts of processes: {starting / total:.0%} of the time of jobs. "
            f"Both together: {share:.0%} of the wall time.")  # fmt: skip
    return f"{text}\n\n{table(['stage', 'jobs', 'seconds', 'of which start', 'work'], rows)}"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--generations", type=int, default=10)
    p.add_argument("--cores", type=int, default=2)
    p.add_argument("--config", help="differences from the default, a config file")
    p.add_argument("--write", action="store_true", help="write the table to benchmarks/results/ as well")
    a = p.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.pop(name, None)  # the stages set their own
    head = machine(a.cores, packages=("snakemake", "torch", "diffusers"))
    with tempfile.TemporaryDirectory() as temporary:
        folder, timer = Path(temporary, "run"), Path(temporary, "timer")
        folder.mkdir()
        checkout(folder)
        compileall.compile_dir(folder / "workflow", quiet=1)
        timer.mkdir()
        (timer / "sitecustomize.py").write_text(TIMER)
        path = os.pathsep.join(filter(None, [str(timer), os.environ.get("PYTHONPATH")]))
        start, end = run(folder, a, a.generations, PYTHONPATH=path)
        text = report(a, start, end, jobs(folder), imports(folder))
    keep("default_job", f"# The default job\n\n{head}\n\n{text}", a.write)


if __name__ == "__main__":
    main()
