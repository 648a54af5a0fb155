"""Turn the samples of one generation into features, in one or more feature spaces."""

import json
from pathlib import Path

from _stage import parser, stage


def main():
    p = parser(__doc__)
    p.add_argument("--space", nargs="+", required=True, metavar="JSON", dest="spaces",
                   help='{"name":, "plugin":, "params":, "state":, "output":} for each space')  # fmt: skip
    p.add_argument("--samples", required=True, help="part-0000.npy")
    p.add_argument("--generation", type=int, required=True, help="the generation that the samples are of")
    p.add_argument("--shard", type=int, default=0, help="which shard to make, from 0")
    p.add_argument("--shards", type=int, default=1, help="number of shards")
    p.add_argument("--batch-size", type=int, default=256, help="items per batch; the last is padded to it")
    p.add_argument("--device", default="cpu", help="cpu or cuda")
    p.add_argument("--deterministic", action="store_true", help="deterministic algorithms on a GPU")
    p.add_argument("--results-version", type=int, required=True)
    p.add_argument("--throughput", help="throughput record to write, JSON")
    a = p.parse_args()

    from selfloop.batches import shard_rows
    from selfloop.contracts import make_table
    from selfloop.embedding import embed_samples, load_embedder
    from selfloop.files import write_table
    from selfloop.model import setup_torch
    from selfloop.run import Progress
    from selfloop.samples import read_samples

    device = setup_torch(a.device, a.threads, a.deterministic)
    values, table = read_samples(a.samples)
    rows = shard_rows(len(values), a.shard, a.shards, a.batch_size)
    values, table = values[rows[0] : rows[-1] + 1], table.slice(rows[0], len(rows))
    total = Progress(f"embed g{a.generation}")
    for space in map(json.loads, a.spaces):
        embed, metadata = load_embedder(space["plugin"], space["params"], space["state"], device)
        progress = Progress(f"embed g{a.generation} {space['name']}")
        features = embed_samples(embed, values, a.batch_size, progress)
        embedded = make_table(
            "embeddings",
            sample_id=table.column("sample_id"),
            generation=[a.generation] * len(table),
            label=table.column("label"),
            replicate=table.column("replicate"),
            embedding=features,
        )
        metadata |= {"space": space["name"], "d": features.shape[1], "results_version": a.results_version}
        write_table(Path(space["output"]), embedded, "embeddings", metadata)
        total.done_here += len(features)
    total.finish(a.throughput)


if __name__ == "__main__":
    stage(main)
