"""Train model g from scratch on its training set; killed, it goes on from its checkpoint when run again."""

import inspect
import json
from pathlib import Path

from _stage import parser, stage


def main():
    p = parser(__doc__)
    p.add_argument("--generator", required=True, help="generator plug-in, a Python file")
    p.add_argument("--params", type=json.loads, default={}, help="parameters of its train(), JSON")
    p.add_argument("--training-set", required=True, help="training_set.parquet, D_g")
    p.add_argument("--samples", nargs="+", required=True, help="part-0000.npy files that hold its items")
    p.add_argument("--generation", type=int, required=True)
    p.add_argument("--seed", type=int, required=True, help="the chain's seed")
    p.add_argument("--device", default="cpu", help="cpu or cuda")
    p.add_argument("--precision", default="fp32", help="fp32, bf16 or fp16")
    p.add_argument("--compile", action="store_true", help="torch.compile the network")
    p.add_argument("--deterministic", action="store_true", help="deterministic algorithms on a GPU")
    p.add_argument("--processes", type=int, default=1, help="processes that share each batch, one GPU each (default 1)")
    p.add_argument("--results-version", type=int, required=True)
    p.add_argument("--loss", help="loss log to write, tab-separated")
    p.add_argument("--throughput", help="throughput record to write, JSON")
    p.add_argument("--output", required=True, help="weights.safetensors; model.json is written beside it")
    a = p.parse_args()

    from selfloop.errors import UserError
    from selfloop.files import read_table
    from selfloop.model import already_trained, fingerprint, setup_torch, write_model
    from selfloop.plugins import call, load_plugin
    from selfloop.run import FollowerRun, Run
    from selfloop.samples import gather
    from selfloop.seeds import derive
    from selfloop.team import Team

    training_set = read_table(a.training_set, "training_set")
    samples = gather(training_set, a.samples)
    settings = {name: getattr(a, name) for name in ("params", "generation", "seed", "threads", "processes", "device",
                                                   "precision", "compile", "deterministic",
                                                   "results_version")}  # fmt: skip
    column = {name: training_set.column(name) for name in ("label", "replicate")}
    given = {
        "labels": None if column["label"].null_count else column["label"].to_numpy(),
        "replicate": None if column["replicate"].null_count else column["replicate"].to_numpy(),
        "seed": derive(a.seed, "train", a.generation),
        "device": setup_torch(a.device, a.threads, a.deterministic),
        "precision": a.precision,
        "compile": a.compile,
    }
    mark = fingerprint(a.generator, settings, samples, given["labels"], given["replicate"])
    team = Team(a.processes, given["device"])
    module = load_plugin(a.generator, "generator")
    if team.size > 1 and "team" not in inspect.signature(module.train).parameters:
        raise UserError(f"{a.generator}: train() names no team, so it trains in one process: set train_processes to 1")
    making = Run if team.rank == 0 else FollowerRun
    with making(Path(a.output).parent.with_suffix(".checkpoint"), mark, f"train g{a.generation}") as run:
        if already_trained(a.output, mark):
            return
        with team:
            weights = call(module.train, given | {"run": run, "team": team}, a.params, a.generator, samples)
        if team.rank > 0:
            return
        record = {"generator": a.generator, "shape": list(samples.shape[1:]), "dtype": str(samples.dtype), **settings}
        replicates = given["replicate"] is not None and int(given["replicate"].max()) + 1
        write_model(
            a.output, weights, record | {"fingerprint": mark, "n": len(samples), "replicates": replicates or None}
        )
        run.write_losses(a.loss)
        run.progress_line.finish(a.throughput)


if __name__ == "__main__":
    stage(main)
