"""Measure one generation: fid.json, metrics.json and histograms.json, from embeddings.

The first --n samples in index order (of each replicate) are measured. Embeddings are given as SPACE=FILE.
"""

import json
import sys

from _stage import parser, stage

_SETS = {
    "samples": "the generation's samples",
    "real": "real training images (generation 0)",
    "heldout": "held-out real images",
    "pool": "every file with rows of the training set",
}


def main():
    p = parser(__doc__)
    p.add_argument("--generation", type=int, required=True, help="g, of the samples")
    p.add_argument("--n", type=int, required=True, help="samples to measure, the first in index order")
    p.add_argument("--reference", choices=["train", "heldout"], default="train", help="real images to compare with")
    for name, text in _SETS.items():
        p.add_argument(f"--{name}-embeddings", nargs="+", metavar="SPACE=FILE", required=name != "heldout", default=[],
                       dest=name, help=text)  # fmt: skip
    p.add_argument("--training-set", required=True, help="training_set.parquet that the model was trained on (D_g)")
    p.add_argument("--distribution", nargs="+", required=True, metavar="SPACE", help="for fd, kid, precision, ...")
    p.add_argument("--neighbours", nargs="*", default=[], metavar="SPACE", help="for entropy, gs, memorisation")
    p.add_argument("--kid-subsets", type=int, default=100, help="subsets that KID averages over")
    p.add_argument(
        "--kid-subset-size", type=_size, help="a number, or auto (default): half of the smaller set, at most 1,000"
    )
    p.add_argument("--k", type=int, default=3, help="neighbourhood of precision and recall")
    p.add_argument("--coverage-k", type=int, default=5, help="neighbourhood of density and coverage")
    p.add_argument("--gs-distance", choices=["l2", "mse"], default="l2", help="distance of the generalization score")
    p.add_argument("--near-duplicate-threshold", type=json.loads, default={}, metavar="JSON", dest="near",
                   help="feature space -> Euclidean distance, or null: half the median of the real images")  # fmt: skip
    p.add_argument("--seed", type=int, default=0, help="of the chain")
    p.add_argument("--results-version", type=int, required=True)
    p.add_argument("--fid", required=True, help="fid.json to write")
    p.add_argument("--metrics", required=True, help="metrics.json to write")
    p.add_argument("--histograms", required=True, help="histograms.json to write")
    p.add_argument("--throughput", help="throughput record to write, JSON")
    a = p.parse_args()

    from selfloop import neighbours
    from selfloop.embedded import first_rows, read_spaces
    from selfloop.evaluation import evaluate
    from selfloop.files import read_table, write_json
    from selfloop.metrics import Options, fid_record, small_sample_warning
    from selfloop.run import Progress
    from selfloop.seeds import derive

    progress = Progress(f"evaluate g{a.generation}")
    seed = derive(a.seed, "evaluate", a.generation)
    options = Options(a.reference, a.kid_subsets, a.kid_subset_size, a.k, a.coverage_k, a.gs_distance, a.near, seed)
    spaces = list(dict.fromkeys(a.distribution + a.neighbours))
    sets = read_spaces({name: getattr(a, name) for name in _SETS}, spaces)
    sets["samples"] = {s: first_rows(e, a.n, f"generation {a.generation}, {s}") for s, e in sets["samples"].items()}
    training_set = read_table(a.training_set, "training_set")
    rows, histograms = evaluate(sets, training_set, a.distribution, a.neighbours, options)
    first = a.distribution[0]
    record = fid_record(rows, first, sets["samples"][first].extractor, a.reference, a.results_version)
    if warning := small_sample_warning(record):
        print(warning, file=sys.stderr)
    write_json(a.histograms, histograms)
    write_json(a.metrics, rows)
    write_json(a.fid, record)
    progress.done_here = a.n
    progress.finish(a.throughput, GB_of_distances=round(neighbours.compared * 4 / 1e9, 6))  # as float32


def _size(text):
    return None if text == "auto" else int(text)


if __name__ == "__main__":
    stage(main)
