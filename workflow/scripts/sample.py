"""Draw samples of one generation from its model: one seed per item, the same bytes for any number of shards."""

import json

from _stage import parser, stage


def main():
    p = parser(__doc__)
    p.add_argument("--generator", required=True, help="generator plug-in, a Python file")
    p.add_argument("--params", type=json.loads, default={}, help="parameters of its load(), JSON")
    p.add_argument("--model", required=True, help="weights.safetensors; model.json lies beside it")
    p.add_argument("--n", type=int, required=True, help="samples of the whole generation, per replicate")
    p.add_argument("--labels", default="uniform", help="classes of a class-conditional model's samples: uniform, "
                   "balanced or training")  # fmt: skip
    p.add_argument("--shard", type=int, default=0, help="which shard to make, from 0")
    p.add_argument("--shards", type=int, default=1, help="number of shards")
    p.add_argument("--batch-size", type=int, default=256, help="items per batch; the last is padded to it")
    p.add_argument("--generation", type=int, required=True)
    p.add_argument("--seed", type=int, required=True, help="the chain's seed")
    p.add_argument("--device", default="cpu", help="cpu or cuda")
    p.add_argument("--precision", default="fp32", help="fp32, bf16 or fp16")
    p.add_argument("--compile", action="store_true", help="torch.compile the network")
    p.add_argument("--deterministic", action="store_true", help="deterministic algorithms on a GPU")
    p.add_argument("--results-version", type=int, required=True)
    p.add_argument("--throughput", help="throughput record to write, JSON")
    p.add_argument("--output", required=True, help="part .npy; the table is written beside it")
    a = p.parse_args()

    import numpy as np

    from selfloop.batches import in_batches, shard_rows
    from selfloop.class_labels import asked_labels
    from selfloop.model import read_model, setup_torch
    from selfloop.plugins import call, load_plugin
    from selfloop.run import Progress
    from selfloop.samples import write_samples
    from selfloop.seeds import derive, item_seeds

    weights, record = read_model(a.model)
    given = {"shape": tuple(record["shape"]), "model": record["params"], "precision": a.precision, "compile": a.compile,
             "device": setup_torch(a.device, a.threads, a.deterministic)}  # fmt: skip
    module = load_plugin(a.generator, "generator")
    draw = call(module.load, given, a.params, a.generator, weights)
    replicates = record["replicates"] or 0
    total = a.n * max(1, replicates)
    rows = shard_rows(total, a.shard, a.shards, a.batch_size)
    seeds = item_seeds(derive(a.seed, "sample", a.generation), total)[rows]
    replicate = (rows // a.n).astype(np.int32) if replicates else None
    labels = asked_labels(draw, a.labels, weights, seeds, rows, a.generator)
    columns = {"seeds": seeds, "replicate": replicate, "labels": labels}
    columns = {name: column for name, column in columns.items() if column is not None}
    progress = Progress(f"sample g{a.generation}" + (f" shard {a.shard}" if a.shards > 1 else ""))
    values = in_batches(draw, columns, a.batch_size, progress)
    write_samples(
        a.output,
        values,
        {"stage": "sample", "generation": a.generation, "params": a.params, "results_version": a.results_version},
        sample_id=[f"g{a.generation}-{row:06d}" for row in rows],
        index=rows,
        label=labels,
        seed=seeds,
        replicate=replicate,
    )
    counted = getattr(draw, "evaluations", None)
    progress.finish(a.throughput, **({} if counted is None else {"network_evaluations": counted()}))


if __name__ == "__main__":
    stage(main)
