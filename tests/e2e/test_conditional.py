"""A class-conditional chain: labels are drawn for the samples and reach the next training set."""

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import load_file


def test_labels_go_round_the_loop(checkout):
    done = checkout.run("results/gen2/fid.json", "results/figures/evolution.png", config="conditional.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    results = checkout.folder / "results"
    samples = pq.read_table(results / "gen1/samples/part-0000.parquet")
    assert samples.column("label").to_pylist() == [i % 10 for i in range(128)], "balanced: the classes in turn"
    embedded = pq.read_table(results / "gen1/embeddings/classifier/part-0000.parquet")
    assert embedded.column("label").to_pylist() == samples.column("label").to_pylist()
    label_of = dict(zip(*(samples.column(name).to_pylist() for name in ("sample_id", "label")), strict=True))
    training_set = pq.read_table(results / "gen2/training_set.parquet")
    labels = training_set.column("label").to_pylist()
    assert labels == [label_of[name] for name in training_set.column("sample_id").to_pylist()]
    counts = load_file(results / "gen2/model/weights.safetensors")["class_counts"]
    assert counts.tolist() == np.bincount(labels, minlength=10).tolist() and counts.sum() == 64
    tracked = pq.read_table(results / "figures/tracked/gen2.parquet")
    assert tracked.column("label").to_pylist() == [0, 1, 2, 3]
