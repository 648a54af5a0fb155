"""Bring in real items: generation 0 (D_1), the held-out items, or the fresh real items of one generation."""

import json

from _stage import parser, stage


def main():
    import numpy as np

    from selfloop.dataset import choose, load_dataset
    from selfloop.plugins import all_parameters, load_plugin
    from selfloop.samples import write_samples
    from selfloop.seeds import derive

    p = parser(__doc__)
    p.add_argument("--dataset", required=True, help="dataset plug-in, a Python file")
    p.add_argument("--params", type=json.loads, default={}, help="its parameters, JSON")
    p.add_argument("--part", choices=["train", "heldout", "fresh"], required=True, help="which real items")
    p.add_argument("--heldout", type=int, help="held-out items; left out: what the plug-in gives as held-out")
    p.add_argument("--heldout-seed", type=int, default=0, help="chooses the held-out items")
    p.add_argument("--n", type=int, help="items to bring in, per replicate (train, fresh)")
    p.add_argument("--balanced", action="store_true", help="the same number of each class (train, fresh)")
    p.add_argument("--seed", type=int, default=0, help="the chain's seed")
    p.add_argument("--generation", type=int, default=0, help="the generation that trains on them (fresh)")
    p.add_argument("--results-version", type=int, required=True)
    p.add_argument("--output", required=True, help="part-0000.npy; the table is written beside it")
    a = p.parse_args()

    stream = derive(a.heldout_seed if a.part == "heldout" else a.seed, f"data_{a.part}", a.generation)
    splits = load_dataset(a.dataset, a.params, stream)
    values, labels, replicate, positions = choose(splits, a.part, a.n, a.heldout, a.heldout_seed, stream, a.balanced)
    prefix = {"train": "real", "heldout": "heldout", "fresh": f"fresh{a.generation}"}[a.part]
    write_samples(
        a.output,
        values,
        {
            "stage": "data",
            "part": a.part,
            "dataset": a.dataset,
            "params": all_parameters(load_plugin(a.dataset, "dataset").load, a.params),
            "balanced": a.balanced,
            "results_version": a.results_version,
        },
        sample_id=[f"{prefix}-{position:06d}" for position in positions],
        index=np.arange(len(values)),
        label=labels,
        replicate=replicate,
    )
    print(f"{len(values):,} real items of shape {'x'.join(map(str, values.shape[1:]))} ({a.part})")


if __name__ == "__main__":
    stage(main)
