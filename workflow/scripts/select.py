"""Let the selection rule choose from the pool of generation g, check its answer, and write the next training set."""

import json
from pathlib import Path

from _stage import parser, stage


def main():
    p = parser(__doc__)
    p.add_argument(
        "--selector", help="selection rule, a script; left out in generation 0, where all real items are kept"
    )
    p.add_argument("--params", type=json.loads, default={}, help="its parameters, JSON")
    p.add_argument("--pool", nargs="+", required=True, help="embeddings of the candidates, one file per generation")
    p.add_argument("--reference", nargs="+", default=[], help="embeddings of the reference set")
    p.add_argument("--paradigm", default="replace", help="replace, accumulate or subsample")
    p.add_argument("--n", required=True, help="items to choose, per replicate, or 'all'")
    p.add_argument("--previous", help="training_set.parquet of this generation (accumulate)")
    p.add_argument("--real", help="embeddings of generation 0, for a fixed fraction of real items")
    p.add_argument("--fresh", help="embeddings of the real items drawn for the next generation")
    p.add_argument("--real-n", type=int, default=0, help="real items to add, per replicate")
    p.add_argument("--generation", type=int, required=True)
    p.add_argument("--seed", type=int, required=True, help="the chain's seed")
    p.add_argument("--results-version", type=int, required=True)
    p.add_argument("--selection", help="selection.parquet to write (not in generation 0)")
    p.add_argument("--throughput", help="throughput record to write, JSON")
    p.add_argument("--output", required=True, help="training_set.parquet of the next generation to write")
    a = p.parse_args()

    import numpy as np

    from selfloop.files import read_table, write_table
    from selfloop.pool import run_rule
    from selfloop.run import Progress
    from selfloop.seeds import derive
    from selfloop.training_set import fixed_real, items, next_training_set

    progress = Progress(f"select g{a.generation}", "candidates")
    pool = items([read_table(path, "embeddings") for path in a.pool])
    selected, selection = np.ones(len(pool), dtype=bool), None
    if a.selector:
        seed = derive(a.seed, "select", a.generation)
        n = "all" if a.n == "all" else int(a.n)
        selection, metadata = run_rule(a.selector, a.pool, a.reference, n, seed, a.params, pool, Path(a.output).parent)
        selected = selection.column("selected").to_numpy()
    real = None
    if a.fresh:
        real = items([read_table(a.fresh, "embeddings")])
    elif a.real:
        candidates = items([read_table(a.real, "embeddings")])
        real = fixed_real(candidates, a.real_n, np.random.default_rng(derive(a.seed, "real_fraction", 0)))
    previous = read_table(a.previous, "training_set") if a.previous else None
    training_set = next_training_set(a.paradigm, pool, selected, previous, real)
    stamp = {"generation": a.generation + 1, "paradigm": a.paradigm, "results_version": a.results_version}
    if selection is not None:
        write_table(a.selection, selection, "selection", metadata | stamp)
    write_table(a.output, training_set, "training_set", stamp)
    progress.done_here = len(pool)
    progress.finish(a.throughput)
    print(f"select g{a.generation}: {selected.sum():,} of {len(pool):,} candidates; "
          f"D_{a.generation + 1} has {len(training_set):,} items")  # fmt: skip


if __name__ == "__main__":
    stage(main)
