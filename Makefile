# The two commands of the README. Both set up the environment in .venv first, are safe to repeat and do nothing twice.

PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
# Rules call `python` from the path.
RUN = PATH="$(CURDIR)/.venv/bin:$$PATH"

.PHONY: fid test all lint bench

# The default experiment: ten generations on real digits, in minutes.
fid: .venv/installed
	$(RUN) snakemake --cores $(CORES) results/gen10/fid.json

# Everything of config.yaml: all arms and seeds, metrics.csv, figures; and the report, one file to look at.
all: .venv/installed
	$(RUN) snakemake --cores $(CORES)
	$(RUN) snakemake --cores 1 --report report.html

test: .venv/installed
	$(RUN) OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile

# Ours beside the common way, on two CPU cores, in a quarter of an hour; to benchmarks/results/. A million items, and a
# GPU, are commands of their own: see the head of bench_selection_million.py, and --device cuda.
bench: .venv/installed
	$(RUN) python benchmarks/bench_selection.py --write
	$(RUN) python benchmarks/bench_neighbours.py --n 65536 --threads 2 --methods faiss ours metrics --data spread --repeats 1 --write
	$(RUN) python benchmarks/bench_training.py --write
	$(RUN) python benchmarks/bench_sampling.py --write
	$(RUN) python benchmarks/bench_dry_run.py --write
	$(RUN) python benchmarks/bench_default_job.py --write

lint: .venv/installed
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) snakefmt --check Snakefile workflow
	$(RUN) snakemake --lint

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --editable '.[dev]'
	touch $@
