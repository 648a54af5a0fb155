"""Draw the same seeds from every model of a chain: what evolution.png shows. They are in no pool and in no metric."""

import json
from pathlib import Path

from _stage import parser, stage


def main():
    p = parser(__doc__)
    p.add_argument("--generator", required=True, help="generator plug-in, a Python file")
    p.add_argument("--params", type=json.loads, default={}, help="parameters of its load(), JSON")
    p.add_argument("--models", nargs="+", required=True, help="weights.safetensors of each generation")
    p.add_argument("--outputs", nargs="+", required=True, help="one .npy for each model; its table lies beside it")
    p.add_argument("--rows", type=int, required=True, help="seeds to follow")
    p.add_argument("--seed", type=int, required=True, help="the chain's seed")
    p.add_argument("--device", default="cpu", help="cpu or cuda")
    p.add_argument("--precision", default="fp32", help="fp32, bf16 or fp16")
    p.add_argument("--deterministic", action="store_true", help="deterministic algorithms on a GPU")
    p.add_argument("--results-version", type=int, required=True)
    a = p.parse_args()

    import numpy as np

    from selfloop.class_labels import asked_labels
    from selfloop.model import read_model, setup_torch
    from selfloop.plugins import call, load_plugin
    from selfloop.samples import write_samples
    from selfloop.seeds import derive, item_seeds

    module = load_plugin(a.generator, "generator")
    device = setup_torch(a.device, a.threads, a.deterministic)
    seeds = item_seeds(derive(a.seed, "tracked", 0), a.rows)
    for model, output in zip(a.models, a.outputs, strict=True):
        weights, record = read_model(model)
        given = {"shape": tuple(record["shape"]), "model": record["params"], "precision": a.precision,
                 "compile": False, "device": device}  # fmt: skip
        draw = call(module.load, given, a.params, a.generator, weights)
        labels = asked_labels(draw, "balanced", weights, seeds, np.arange(a.rows), a.generator)
        values = draw(seeds) if labels is None else draw(seeds, labels=labels)
        ids = [f"tracked-{Path(output).stem}-{row}" for row in range(a.rows)]
        metadata = {"stage": "sample_tracked", "results_version": a.results_version}
        write_samples(output, values, metadata, sample_id=ids, index=range(a.rows), label=labels, seed=seeds)


if __name__ == "__main__":
    stage(main)
