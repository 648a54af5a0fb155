"""The rows of metrics.json and fid.json, and evaluate.py run as a program."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.neighbors import KNeighborsClassifier

from selfloop import evaluation, memorization, metrics
from selfloop.contracts import embedding_column, features, make_table
from selfloop.distribution import frechet_distance, kid, statistics
from selfloop.diversity import vendi_score
from selfloop.embedded import Embedded, first_rows, lookup, read_spaces
from selfloop.entropy import FLOOR, entropy
from selfloop.errors import UserError
from selfloop.evaluation import evaluate
from selfloop.files import read_table, write_table
from selfloop.manifolds import manifolds
from selfloop.metric_words import _WORDS
from selfloop.metrics import Options, distance_label, fid_record, small_sample_warning
from selfloop.neighbours import nearest_others, pairwise
from selfloop.pretrained import FID_SHA256
from selfloop.replicates import averaged_neighbour_rows, gaussian_frechet_distance, moment_rows

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = {
    "fd", "kid", "precision", "recall", "entropy_train", "entropy_train_distinct", "duplicates_train",
    "entropy_samples", "gs", "gs_heldout", "memorised_fraction", "memorised_fraction_merged",
    "near_duplicate_fraction", "trace_cov_train", "trace_cov_samples", "real_share", "share_g0", "density", "coverage",
    "vendi",
}  # fmt: skip
INFO = {"extractor": "pixels", "weights_sha256": "none", "preprocessing": "none"}


def write(path, name, values, generation=0, replicate=None, first=0, **info):
    ids = [f"{name}-{i:06d}" for i in range(first, first + len(values))]
    table = make_table("embeddings", sample_id=ids, generation=[generation] * len(values), replicate=replicate,
                       embedding=values)  # fmt: skip
    write_table(path, table, "embeddings", INFO | info)
    return ids


@pytest.fixture
def images(tmp_path):
    """Real, held-out and generated features with a training set of both real and generated rows; 0 and 1 are copies."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal((n, 5)).astype(np.float32)
              for name, n in (("real", 60), ("heldout", 40), ("g1", 50), ("g2", 70))}  # fmt: skip
    arrays["g1"][1] = arrays["g1"][0]
    write(tmp_path / "real.parquet", "real", arrays["real"])
    write(tmp_path / "heldout.parquet", "real", arrays["heldout"], first=60)
    write(tmp_path / "g1.parquet", "g1", arrays["g1"], 1)
    write(tmp_path / "g2.parquet", "g2", arrays["g2"], 2)
    ids = [f"g1-{i:06d}" for i in (4, 0, 1, 7, *range(20, 40))] + [f"real-{i:06d}" for i in (59, 3)]
    generation = [1] * 24 + [0] * 2
    table = make_table("training_set", sample_id=ids, generation=generation, index=[0] * 26)
    write_table(tmp_path / "training_set.parquet", table, "training_set")
    arrays["training"] = np.concatenate([arrays["g1"][[4, 0, 1, 7, *range(20, 40)]], arrays["real"][[59, 3]]])
    return tmp_path, arrays


def read_all(folder, space="pixels"):
    files = {"samples": ["g2"], "real": ["real"], "heldout": ["heldout"], "pool": ["g1", "real"]}
    files = {name: [f"{space}={folder}/{stem}.parquet" for stem in stems] for name, stems in files.items()}
    sets = read_spaces(files, [space])
    sets["samples"] = {space: first_rows(sets["samples"][space], 30, "generation 2")}
    return sets, read_table(folder / "training_set.parquet", "training_set")


def by_name(rows):
    keys = [(r["metric"], r["space"], r["distance"]) for r in rows]
    assert len(set(keys)) == len(keys), "one metric twice"
    return {r["metric"]: r for r in rows}


def test_every_metric_of_the_contract(images):
    folder, arrays = images
    sets, training_set = read_all(folder)
    options = Options(kid_subsets=4, near_duplicate_threshold={"pixels": 0.8}, seed=9)
    rows = by_name(evaluate(sets, training_set, ["pixels"], ["pixels"], options).rows)
    assert set(rows) >= CONTRACT
    more = {"fd_heldout", "fd_real", "kid_std", "near_duplicate_threshold", "merged_train", "vendi_real", "share_g1"}
    assert set(rows) - CONTRACT == more, "and none of classes: nothing has a label"
    g, d, real, heldout = arrays["g2"][:30], arrays["training"], arrays["real"], arrays["heldout"]
    within = (nearest_others(x, 5)[0] for x in (g, real))
    shares = dict(zip(("precision", "recall", "density", "coverage"), manifolds(g, real, *within), strict=False))
    expected = {
        "fd": (frechet_distance(statistics(g), statistics(real)), 30, 60),
        "fd_heldout": (frechet_distance(statistics(g), statistics(heldout)), 30, 40),
        "fd_real": (frechet_distance(statistics(heldout), statistics(real)), 40, 60),
        "kid": (kid(g, real, subsets=4, subset_size=15, seed=9)[0], 30, 60),
        "kid_std": (kid(g, real, subsets=4, subset_size=15, seed=9)[1], 30, 60),
        **{name: (value, 30, 60) for name, value in shares.items()},
        "vendi": (vendi_score(g)[0], 30, None),
        "vendi_real": (vendi_score(real[:30])[0], 30, None),
        "entropy_train": (entropy(d, floor=FLOOR), 26, None),
        "entropy_train_distinct": (entropy(np.delete(d, 2, axis=0)), 25, None),
        "duplicates_train": (1, 26, None),
        "entropy_samples": (entropy(g, floor=FLOOR), 30, None),
        "gs": (np.linalg.norm(g[:, None] - d, axis=2).min(axis=1).mean(), 30, 26),
        "gs_heldout": (np.linalg.norm(heldout[:, None] - d, axis=2).min(axis=1).mean(), 40, 26),
        "trace_cov_train": (np.trace(np.cov(d, rowvar=False)), 26, None),
        "trace_cov_samples": (np.trace(np.cov(g, rowvar=False)), 30, None),
        "real_share": (2 / 26, 26, None),
        "share_g0": (2 / 26, 26, None),
        "share_g1": (24 / 26, 26, None),
        "near_duplicate_threshold": (0.8, 0, None),
    }
    for name, (value, n, n_reference) in expected.items():
        assert rows[name]["value"] == pytest.approx(value, rel=1e-6), name
        assert (rows[name]["n"], rows[name]["n_reference"]) == (n, n_reference), name
    assert rows["merged_train"]["value"] >= 1, "the copy is merged"
    assert rows["memorised_fraction_merged"]["n_reference"] == 26 - rows["merged_train"]["value"]


def test_every_metric_is_described():
    page = (ROOT / "docs/metrics.md").read_text()
    for metric in CONTRACT | set(_WORDS):
        assert f"`{metric}`" in page, metric


def test_heldout_as_the_reference(images):
    sets, training_set = read_all(images[0])
    rows = by_name(evaluate(sets, training_set, ["pixels"], [], Options(reference="heldout", kid_subsets=2)).rows)
    default = by_name(evaluate(sets, training_set, ["pixels"], [], Options(kid_subsets=2)).rows)
    assert rows["fd"]["value"] == default["fd_heldout"]["value"]
    assert rows["fd_train"]["value"] == default["fd"]["value"]
    assert rows["fd_real"] == default["fd_real"]
    assert rows["precision"]["n_reference"] == 40
    assert "gs" not in rows, "no neighbours were asked for"


def test_every_space_has_its_distances_and_the_first_one_the_classes(images):
    folder, _ = images
    label_all(folder, "real")
    stems = {"samples": ["g2"], "real": ["real"], "heldout": ["heldout"], "pool": ["g1", "real"]}
    for name in ("g1", "g2", "real", "heldout"):
        table = read_table(folder / f"{name}.parquet", "embeddings")
        half = embedding_column(features(table)[:, :2])
        table = table.set_column(table.column_names.index("embedding"), "embedding", half)
        write_table(folder / f"{name}_half.parquet", table, "embeddings", INFO)
    files = {name: [f"{space}={folder}/{stem}{ending}.parquet" for space, ending in (("all", ""), ("half", "_half"))
                    for stem in of] for name, of in stems.items()}  # fmt: skip
    training_set = read_table(folder / "training_set.parquet", "training_set")
    sets = read_spaces(files, ["all", "half"])
    both = evaluate(sets, training_set, ["all", "half"], ["half"], Options(kid_subsets=2))
    alone = evaluate(sets, training_set, ["half"], [], Options(kid_subsets=2))
    names = ["fd", "fd_heldout", "fd_real", "kid", "kid_std", "precision", "recall", "density", "coverage", "vendi"]
    for space in ("all", "half"):
        assert set(names) < {r["metric"] for r in both.rows if r["space"] == space}, space
    by_metric = {r["metric"]: r for r in both.rows if r["space"] == "half"}
    assert all(by_metric[r["metric"]] == r for r in alone.rows if r["metric"] in names)
    assert [r["space"] for r in both.rows if r["metric"] == "class_distance"] == ["all"]
    assert both.histograms["classes"]["space"] == "all" and list(both.histograms["nearest_training_distance"]) == [
        "half"
    ]


def test_without_heldout(images):
    sets, training_set = read_all(images[0])
    sets["heldout"] = {}
    rows = by_name(evaluate(sets, training_set, ["pixels"], ["pixels"], Options(kid_subsets=2)).rows)
    assert not {"gs_heldout", "fd_heldout", "fd_real"} & set(rows)
    with pytest.raises(UserError, match=r"evaluate\.reference is heldout, but there are no held-out images"):
        evaluate(sets, training_set, ["pixels"], [], Options(reference="heldout"))


def test_gs_as_mse_says_so(images):
    sets, training_set = read_all(images[0])
    rows = by_name(evaluate(sets, training_set, ["pixels"], ["pixels"], Options(gs_distance="mse", kid_subsets=2)).rows)
    assert rows["gs"]["distance"] == rows["gs_heldout"]["distance"] == "mse"
    assert rows["entropy_train"]["distance"] == "l2"


@pytest.mark.parametrize(("reference", "expected"), [("train", 6), ("heldout", 8)])
def test_each_pair_of_sets_is_searched_once(images, monkeypatch, reference, expected):
    """All metrics of one space: samples, real and D_g among themselves, samples and held-out among D_g: five searches,
    one pass of samples and real items, and D_g among real items for its classes. With held-out items as the reference,
    these among themselves and the samples among real items for their classes are searched too.
    """
    searches = []

    def counted(module, name):
        original = getattr(module, name)

        def search(*arrays, **options):
            searches.append((name, *map(len, arrays[:2] if name == "nearest" else arrays[:1])))
            return original(*arrays, **options)

        monkeypatch.setattr(module, name, search)

    for module, name in (
        (metrics, "nearest"),
        (metrics, "nearest_others"),
        (evaluation, "nearest"),
        (evaluation, "nearest_others"),
        (evaluation, "manifolds"),
        (memorization, "nearest_others"),
    ):
        counted(module, name)  # fmt: skip
    folder = images[0]
    label_all(folder, "real")
    sets, training_set = read_all(folder)
    evaluate(sets, training_set, ["pixels"], ["pixels"], Options(reference=reference, kid_subsets=2))
    assert sum(name == "manifolds" for name, *_ in searches) == 1
    found = [search for search in searches if search[0] != "manifolds"]
    assert len(set(found)) == len(found) == expected, found


@pytest.mark.parametrize("reference", ["train", "heldout"])
def test_the_real_images_as_training_set_are_searched_once(images, monkeypatch, reference):
    folder, _ = images
    sets, _ = read_all(folder)
    ids = [f"real-{i:06d}" for i in range(60)]
    table = make_table("training_set", sample_id=ids, generation=[0] * 60, index=range(60))
    options = Options(reference=reference, kid_subsets=2)
    wanted = evaluate(sets, table, ["pixels"], ["pixels"], options).rows
    searched = []
    for module in (evaluation, metrics, memorization):
        monkeypatch.setattr(module, "nearest_others", lambda x, *a: searched.append(len(x)) or nearest_others(x, *a))
    assert evaluate(sets, table, ["pixels"], ["pixels"], options).rows == wanted
    assert searched.count(60) == 1
    real = sets["real"]["pixels"].features
    assert by_name(wanted)["entropy_train"]["value"] == pytest.approx(entropy(real, floor=FLOOR))


def test_a_training_set_of_one_image_has_no_value_for_distinct_rows():
    rng = np.random.default_rng(2)
    training = np.tile(rng.standard_normal((1, 4)).astype(np.float32), (10, 1))
    rows = by_name(metrics.neighbour_rows("x", rng.standard_normal((5, 4)), training, None, 0.1, Options()).rows)
    assert rows["entropy_train_distinct"]["value"] is None and rows["entropy_train_distinct"]["n"] == 1
    assert rows["duplicates_train"]["value"] == 9 and rows["trace_cov_train"]["value"] == 0
    assert np.isfinite(rows["entropy_train"]["value"])
    json.dumps(list(rows.values()), allow_nan=False)


# ---- classes, histograms, shares ----


def label_all(folder, *names, labels=(0, 1, 1, 2)):
    """Give every item of a set a label, in turn."""
    for name in names:
        table = read_table(folder / f"{name}.parquet", "embeddings")
        column = pa.array(np.resize(labels, len(table)), pa.int32())
        table = table.set_column(table.column_names.index("label"), "label", column)
        write_table(folder / f"{name}.parquet", table, "embeddings", INFO)


def measured(images, reference="train"):
    sets, training_set = read_all(images[0])
    options = Options(kid_subsets=2, near_duplicate_threshold={"pixels": 0.8}, reference=reference)
    result = evaluate(sets, training_set, ["pixels"], ["pixels"], options)
    return by_name(result.rows), result.histograms


@pytest.mark.parametrize("reference", ["train", "heldout"])
def test_classes_of_the_nearest_real_image(images, reference):
    """Of samples and generated training items; real ones have their own. scikit-learn's classifier is the reference."""
    folder, arrays = images
    label_all(folder, "real")
    label_all(folder, "heldout", labels=(2, 2, 1))
    rows, histograms = measured(images, reference)
    labels = np.resize([0, 1, 1, 2], 60)
    nearest_class = KNeighborsClassifier(1).fit(arrays["real"], labels)
    counts = {
        "samples": np.bincount(nearest_class.predict(arrays["g2"][:30]), minlength=3),
        "training_set": np.bincount(nearest_class.predict(arrays["training"]), minlength=3),
        "real": np.bincount(labels),
        "heldout": np.bincount(np.resize([2, 2, 1], 40), minlength=3),
    }
    found = histograms["classes"]
    assert (found["labels"], found["space"], found["classes"]) == ("nearest real training image", "pixels", [0, 1, 2])
    for name, expected in counts.items():
        assert found[name] == expected.tolist(), name
    share = {name: x / x.sum() for name, x in counts.items()}
    for metric, name, n in (("class_distance", "samples", 30), ("class_distance_heldout", "heldout", 40)):
        assert rows[metric]["value"] == pytest.approx(np.abs(share[name] - share["real"]).sum() / 2, rel=1e-12)
        assert (rows[metric]["n"], rows[metric]["n_reference"], rows[metric]["distance"]) == (n, 60, "tv")


def test_a_conditional_generators_own_labels(images):
    label_all(images[0], "real")
    label_all(images[0], "g2", labels=(0, 3))
    rows, histograms = measured(images)
    found = histograms["classes"]
    assert (found["labels"], found["space"], found["classes"]) == ("own", None, [0, 1, 2, 3])
    assert (found["samples"], found["real"], found["heldout"]) == ([15, 0, 0, 15], [15, 30, 15, 0], None)
    assert rows["class_distance"]["value"] == pytest.approx(0.75) and rows["class_distance"]["space"] is None
    assert "class_distance_heldout" not in rows


def test_no_class_of_what_has_none(images):
    label_all(images[0], "g2")
    rows, histograms = measured(images)
    assert histograms["classes"] is None and not {"class_distance", "class_distance_heldout"} & set(rows)


def test_histograms_of_distances_to_the_training_set(images):
    _, arrays = images
    rows, histograms = measured(images)
    found = histograms["nearest_training_distance"]["pixels"]
    for name, items in (("samples", arrays["g2"][:30]), ("heldout", arrays["heldout"])):
        distances = pairwise(items, arrays["training"]).min(axis=1)
        assert found[name] == np.histogram(distances, found["edges"])[0].tolist()
    below = np.array(found["edges"])[1:] <= found["threshold"]
    assert found["threshold"] == 0.8
    assert np.array(found["samples"])[below].sum() == pytest.approx(30 * rows["near_duplicate_fraction"]["value"])


def test_shares_of_generations_sum_to_one():
    """With a 0 for a generation that could have been chosen: a mean over seeds must not leave it out."""
    rows = by_name(metrics.share_rows(np.array([0, 1, 1, 3]), [0, 1, 2, 3]))
    assert {name: r["value"] for name, r in rows.items() if name.startswith("share")} == {
        "share_g0": 0.25, "share_g1": 0.5, "share_g2": 0.0, "share_g3": 0.25,
    }  # fmt: skip
    assert rows["real_share"]["value"] == 0.25 and all(r["n"] == 4 for r in rows.values())
    assert set(by_name(metrics.share_rows(np.array([4, 4]), [4]))) == {"real_share", "share_g0", "share_g4"}


# ---- closed-form families ----


def replicated(rng, replicates, n, name, mean=0.0, scale=1.0, d=1):
    values = (mean + scale * rng.standard_normal((replicates * n, d))).astype(np.float32)
    replicate = np.repeat(np.arange(replicates, dtype=np.int32), n)
    return Embedded(pa.array([f"{name}-{i}" for i in range(len(values))]), values, replicate, INFO)


def test_moments_per_replicate():
    items = replicated(np.random.default_rng(3), 50, 8, "g1", 2.0, 3.0)
    rows = by_name(moment_rows("samples", "pixels", items))
    x = items.features.astype(np.float64).reshape(50, 8)
    expected = {"mean_samples": x.mean(1), "variance_samples": x.var(1)}
    for name, values in expected.items():
        assert rows[name]["value"] == pytest.approx(values.mean(), rel=1e-12)
        assert rows[f"{name}_se"]["value"] == pytest.approx(values.std(ddof=1) / 50**0.5, rel=1e-12)
        assert (rows[name]["n"], rows[name]["n_reference"]) == (8, 50)


def test_variance_of_the_training_set_has_the_closed_form():
    """E[variance, ddof = 0] of N real items is 1 - 1/N: model 1 of the Gaussian family."""
    rows = by_name(moment_rows("train", "pixels", replicated(np.random.default_rng(4), 2000, 10, "real")))
    value, error = rows["variance_train"]["value"], rows["variance_train_se"]["value"]
    assert error < 0.012, "the test has no power"
    assert abs(value - 0.9) < 4 * error


def test_neighbours_are_of_the_same_replicate():
    """Two replicates far apart, in any order of rows: the averages are those of each alone."""
    rng = np.random.default_rng(5)
    sets = [replicated(rng, 2, n, name, d=3) for n, name in ((12, "g1"), (15, "g0"), (15, "real"), (9, "heldout"))]
    for items in sets:
        items.features[items.replicate == 1] += 1000
    rows = by_name(averaged_neighbour_rows("x", *sets, Options()).rows)
    for name in ("gs", "gs_heldout", "entropy_train", "memorised_fraction"):
        alone = []
        for r in (0, 1):
            s, t, real, h = (items.features[items.replicate == r] for items in sets)
            threshold = metrics.threshold_row("x", real, Options())["value"]
            alone.append(by_name(metrics.neighbour_rows("x", s, t, h, threshold, Options()).rows)[name]["value"])
        assert rows[name]["value"] == pytest.approx(np.mean(alone), rel=1e-12), name
    order = rng.permutation(24)
    shuffled = by_name(averaged_neighbour_rows("x", sets[0].take(order), *sets[1:], Options()).rows)
    assert shuffled["gs"]["value"] == pytest.approx(rows["gs"]["value"], rel=1e-12)
    assert rows["gs"]["n"] == 12 and rows["gs"]["n_reference"] == 15


def test_replicates_that_do_not_match():
    rng = np.random.default_rng(6)
    two, three = replicated(rng, 2, 5, "a"), replicated(rng, 3, 5, "b")
    with pytest.raises(UserError, match=r"space 'x': .* have different replicates"):
        averaged_neighbour_rows("x", two, three, two, None, Options())
    with pytest.raises(UserError, match="the training set have no replicates, the samples do"):
        averaged_neighbour_rows("x", two, Embedded(two.ids, two.features, None, INFO), two, None, Options())


@pytest.mark.parametrize("d", [1, 4])
def test_frechet_distance_without_torch(d):
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((50, d)).astype(np.float32), (2 * rng.standard_normal((40, d)) + 1).astype(np.float32)
    expected = frechet_distance(statistics(a), statistics(b))
    assert gaussian_frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_evaluation_of_replicates_imports_nothing_heavy(tmp_path):
    items = replicated(np.random.default_rng(9), 4, 10, "real")
    ids = write(tmp_path / "x.parquet", "real", items.features, replicate=items.replicate)
    table = make_table("training_set", sample_id=ids, generation=[0] * 40, index=list(range(40)))
    write_table(tmp_path / "training_set.parquet", table, "training_set")
    code = f"""if True:
        import sys
        from selfloop.embedded import read_spaces
        from selfloop.evaluation import evaluate
        from selfloop.files import read_table
        from selfloop.metrics import Options
        files = {{name: ["x={tmp_path}/x.parquet"] for name in ("samples", "real", "heldout", "pool")}}
        d = read_table("{tmp_path}/training_set.parquet", "training_set")
        rows = evaluate(read_spaces(files, ["x"]), d, ["x"], ["x"], Options()).rows
        names = {{r["metric"] for r in rows}}
        assert {{"fd", "mean_train", "variance_samples_se", "gs", "real_share"}} <= names, names
        heavy = {{"torch", "torch_fidelity", "scipy", "sklearn"}} & set(sys.modules)
        assert not heavy, heavy
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert run.returncode == 0, run.stderr


def environment():
    return os.environ | {"PYTHONPATH": str(ROOT / "workflow/lib"), "OMP_NUM_THREADS": "1"}


# ---- fid.json ----


@pytest.mark.parametrize(
    ("extractor", "weights", "label"),
    [
        ("inception-v3-compat", FID_SHA256, "FID"),
        ("inception-v3-compat", FID_SHA256[:16], "FD (inception-v3-compat)"),
        ("inception-v3-compat", "0" * 64, "FD (inception-v3-compat)"),
        ("inception-v3-compat, weights 01234567", FID_SHA256, "FD (inception-v3-compat, weights 01234567)"),
        ("my inception", FID_SHA256, "FD (my inception)"),
        ("classifier", FID_SHA256, "FD (classifier)"),
    ],
)
def test_only_inception_2015_is_called_fid(extractor, weights, label):
    assert distance_label({"extractor": extractor, "weights_sha256": weights}) == label


def test_fid_json_and_its_warning():
    rows = [metrics.row("fd", 3.5, 1024, 4096, "a"), metrics.row("kid", 0.25, 1024, 4096, "a"),
            metrics.row("kid_std", 0.125, 1024, 4096, "a"), metrics.row("fd", 9.0, 9, 9, "b")]  # fmt: skip
    record = fid_record(rows, "a", INFO, "train", 7)
    assert record == {
        "fid": 3.5, "label": "FD (pixels)", "extractor": "pixels", "weights_sha256": "none", "reference": "train",
        "n_generated": 1024, "n_reference": 4096, "kid": 0.25, "kid_std": 0.125, "results_version": 7,
    }  # fmt: skip
    assert small_sample_warning(record) == (
        "warning: FD (pixels) from 1,024 samples against 4,096 is biased upwards; kid (0.25 +- 0.12) is unbiased"
    )
    assert small_sample_warning(record | {"n_generated": 2048}) is None
    assert "kid" not in small_sample_warning(fid_record(rows[:1], "a", INFO, "train", 1))


# ---- reading ----


def test_what_is_evaluated_is_the_first_n_of_each_replicate():
    items = replicated(np.random.default_rng(8), 2, 5, "g1").take(np.array([0, 5, 1, 6, 2, 7, 8, 3]))
    assert first_rows(items, 2, "x").ids.to_pylist() == ["g1-0", "g1-5", "g1-1", "g1-6"]
    with pytest.raises(UserError, match=r"generation 3: 4 samples, fewer than the 5 to evaluate \(evaluate\.n\)"):
        first_rows(items, 5, "generation 3")


def test_a_training_row_that_no_file_has(images):
    sets, training_set = read_all(images[0])
    with pytest.raises(UserError, match=r"24 rows of the training set are in none of .*such as g1-000004"):
        lookup(training_set, sets["real"]["pixels"])


def test_features_of_other_weights_are_not_compared(images):
    folder, arrays = images
    write(folder / "heldout.parquet", "real", arrays["heldout"], first=60, weights_sha256="other")
    with pytest.raises(UserError, match=r"samples \(pixels\) and heldout \(pixels\) hold features of different spaces"):
        read_all(folder)


def test_options_that_are_no_space_and_file(images):
    with pytest.raises(UserError, match="--real-embeddings: 'pixels' is not SPACE=FILE"):
        read_spaces({"real": ["pixels"]}, ["pixels"])
    with pytest.raises(UserError, match="--real-embeddings: no file of space dino"):
        read_spaces({"real": [f"pixels={images[0]}/real.parquet"]}, ["pixels", "dino"])


# ---- the program ----


def command(folder, *more):
    options = {"samples": ["g2"], "real": ["real"], "heldout": ["heldout"], "pool": ["g1", "real"]}
    files = [part for name, stems in options.items()
             for part in (f"--{name}-embeddings", *(f"pixels={folder}/{stem}.parquet" for stem in stems))]  # fmt: skip
    return [sys.executable, str(ROOT / "workflow/scripts/evaluate.py"), "--generation", "2", *files,
            "--training-set", str(folder / "training_set.parquet"), "--distribution", "pixels",
            "--neighbours", "pixels", "--kid-subsets", "3", "--kid-subset-size", "auto", "--k", "3",
            "--results-version", "1", "--near-duplicate-threshold", '{"pixels": null}',
            "--fid", str(folder / "fid.json"), "--metrics", str(folder / "metrics.json"),
            "--histograms", str(folder / "histograms.json"), *more]  # fmt: skip


def run(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=environment())


def test_evaluate_twice_gives_the_same_bytes(images):
    folder = images[0]
    outputs = []
    for _ in range(2):
        result = run(folder, "--n", "30")
        assert result.returncode == 0, result.stderr
        assert "warning: FD (pixels) from 30 samples against 60 is biased upwards; kid" in result.stderr
        outputs.append([(folder / name).read_bytes() for name in ("fid.json", "metrics.json", "histograms.json")])
    assert outputs[0] == outputs[1]
    rows = by_name(json.loads(outputs[0][1]))
    assert set(rows) >= CONTRACT
    assert all(list(r) == ["metric", "value", "n", "n_reference", "space", "distance"] for r in rows.values())
    assert json.loads(outputs[0][0])["fid"] == rows["fd"]["value"]


def test_evaluate_says_a_mistake_in_one_line_and_leaves_nothing(images):
    folder = images[0]
    result = run(folder, "--n", "71")
    assert result.returncode == 2
    assert result.stderr == "ERROR: generation 2, pixels: 70 samples, fewer than the 71 to evaluate (evaluate.n)\n"
    assert not list(folder.glob("*.json"))
