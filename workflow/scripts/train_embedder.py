"""Fit an embedder once on the real training images; its state is an input of every embed stage."""

import json

from _stage import parser, stage


def main():
    p = parser(__doc__)
    p.add_argument("--embedder", required=True, help="embedder plug-in, a Python file that defines fit()")
    p.add_argument("--params", type=json.loads, default={}, help="its parameters, JSON")
    p.add_argument("--space", required=True, help="name of the feature space")
    p.add_argument("--samples", required=True, help="part-0000.npy of generation 0")
    p.add_argument("--seed", type=int, required=True, help="embedder.seed, the same for all chains")
    p.add_argument("--device", default="cpu", help="cpu or cuda")
    p.add_argument("--deterministic", action="store_true", help="deterministic algorithms on a GPU")
    p.add_argument("--results-version", type=int, required=True)
    p.add_argument("--throughput", help="throughput record to write, JSON")
    p.add_argument("--output", required=True, help="weights.safetensors; model.json is written beside it")
    a = p.parse_args()

    from selfloop.embedding import fit_embedder
    from selfloop.model import setup_torch, write_model
    from selfloop.run import Progress
    from selfloop.samples import read_samples
    from selfloop.seeds import derive

    values, table = read_samples(a.samples)
    labels = None if table.column("label").null_count else table.column("label").to_numpy()
    device = setup_torch(a.device, a.threads, a.deterministic)
    progress = Progress(f"train embedder {a.space}")
    state = fit_embedder(a.embedder, a.params, values, labels, derive(a.seed, f"embedder_{a.space}", 0), device)
    record = {name: getattr(a, name) for name in ("embedder", "params", "space", "seed", "results_version", "threads")}
    write_model(a.output, state, record | {"n": len(values), "shape": list(values.shape[1:])})
    progress(1, 1, work=len(values))
    progress.finish(a.throughput)


if __name__ == "__main__":
    stage(main)
