"""The named figures: which rows, band and r they show, what of the paper stands beside them, the same bytes again."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import line, rows

from selfloop.against import AGAINST, correlation, one_against_another, paired
from selfloop.config import read_yaml
from selfloop.contracts import make_table
from selfloop.errors import UserError
from selfloop.figure_plan import NAMES, spread_generations, why_not
from selfloop.files import write_table
from selfloop.metrics_table import COLUMNS, Panel, Row, Table
from selfloop.over_generations import OVER_GENERATIONS, over_generations
from selfloop.paper import CONDITIONS, Overlay, describe, read_curves
from selfloop.principal import Cloud, fit, scatter
from selfloop.style import line_style, save, style

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow/scripts"
PAPER = ROOT / "workflow/resources/paper_2509.16499.csv"


def words_of(figure) -> str:
    """All text of a figure."""
    texts = [text.get_text() for text in figure.texts]
    texts += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    for ax in figure.axes:
        texts += [ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel(), *(text.get_text() for text in ax.texts)]
    return "\n".join(texts)


# ---- over the generations ----


def two_seeds(metric, **how):
    return rows(metric, [1.0, 2.0], **how) + rows(metric, [3.0, 2.5], seed=1, **how)


@pytest.mark.parametrize("figure", ["fd", "gs", "entropy", "real_share"])
def test_a_figure_shows_its_metrics_alone_with_mean_and_standard_error(figure):
    metrics = OVER_GENERATIONS[figure]
    found = [row for metric in (*metrics, "kid") for row in two_seeds(metric)]
    with style():
        drawn = over_generations(Table.of(found), figure)
    assert len(drawn.axes) == len(metrics)
    for ax in drawn.axes:
        assert line(ax, 0) == ([1, 2], [2.0, 2.25])
        band = ax.collections[0].get_paths()[0].vertices
        # sd sqrt(2) / sqrt(2 seeds) = 1 around 2
        assert (band[:, 1].min(), band[:, 1].max()) == (pytest.approx(1.0), pytest.approx(3.0))
    assert "band: ± standard error" in words_of(drawn) and "main (mean of 2 seeds)" in words_of(drawn)
    assert "n = 100" in words_of(drawn) and "generation" in words_of(drawn)


def test_one_seed_has_no_band_and_no_word_of_one():
    with style():
        drawn = over_generations(Table.of(rows("fd", [1.0, 2.0])), "fd")
    assert not drawn.axes[0].collections and "band" not in words_of(drawn)


def test_each_feature_space_has_a_panel_and_entropy_two_rows():
    found = [
        row
        for metric in ("entropy_train", "entropy_samples")
        for space in ("a", "b")
        for row in rows(metric, [1.0, 2.0], space=space)
    ]
    with style():
        drawn = over_generations(Table.of(found), "entropy")
    titles = [(ax.get_title(loc="left"), ax.texts[0].get_text()) for ax in drawn.axes]
    assert titles == [
        ("Entropy of the training set", "space: a, n = 100"),
        ("Entropy of the training set", "space: b, n = 100"),
        ("Entropy of the samples", "space: a, n = 100"),
        ("Entropy of the samples", "space: b, n = 100"),
    ]


def test_gs_has_its_baseline_and_the_ratio_to_it():
    found = rows("gs", [2.0, 1.0], distance="l2") + rows("gs_heldout", [4.0, 5.0], distance="l2")
    with style():
        drawn = over_generations(Table.of(found), "gs")
    assert line(drawn.axes[0], 1) == ([1, 2], [4.0, 5.0])
    assert line(drawn.axes[1], 0) == ([1, 2], [0.5, 0.2])
    assert "thin: real images instead" in words_of(drawn) and "mean L2 distance" in words_of(drawn)


def test_gs_without_heldout_images_has_neither():
    with style():
        drawn = over_generations(Table.of(rows("gs", [2.0, 1.0], distance="l2")), "gs")
    assert len(drawn.axes) == 1 and len(drawn.axes[0].lines) == 1 and "real images" not in words_of(drawn)


def test_fid_is_said_only_of_the_space_whose_fid_json_says_so():
    found = rows("fd", [1.0, 2.0], space="inception") + rows("fd", [1.0, 2.0], space="pixels")
    with style():
        drawn = over_generations(Table.of(found), "fd", labels={"inception": "FID"})
    assert [ax.get_ylabel() for ax in drawn.axes] == ["FID", "FD"]


def test_one_generation_is_no_curve():
    with (
        style(),
        pytest.raises(UserError, match="figure fd: there is only generation 1, no curve over the generations"),
    ):
        over_generations(Table.of(rows("fd", [1.0])), "fd")


# ---- one metric against another ----


def scattered(n_of=lambda g: 100):
    """Two arms, two seeds, four generations; the first generation is shared by the arms."""
    rng, found, first = np.random.default_rng(0), [], {}
    for arm in ("main", "greedy"):
        for seed in (0, 1):
            for g in range(1, 5):
                point = rng.uniform(1, 9, 2)
                x, y = first.setdefault((seed, g), point) if g == 1 else point
                for metric, value, distance in (
                    ("entropy_train", x, "l2"),
                    ("gs", y, "l2"),
                    ("trace_cov_train", x, ""),
                ):
                    found.append(Row(arm, seed, g, metric, value, n_of(g), None, "pixels", distance))
    return found


def test_points_are_paired_by_chain_and_generation_and_shared_ones_count_once():
    table = Table.of(scattered())
    x, y = table.panels_of("entropy_train")[0], table.panels_of("gs")[0]
    points = paired(table, x, y, AGAINST["entropy_gs"])
    assert len(points.x) == 2 * 2 * 4 - 2, "generation 1 of both seeds is one point for both arms"
    assert [arm for arm, g in zip(points.arm, points.generation, strict=True) if g == 1] == ["main", "main"]
    assert points.counted.all() and points.n == 100
    for position, chain in enumerate(points.chains()):
        mine = {row.metric: row.value for row in scattered() if (row.arm, row.seed) == chain
                and row.generation == points.generation[position]}  # fmt: skip
        assert (points.x[position], points.y[position]) == (mine["entropy_train"], mine["gs"])


def test_r_is_between_entropy_and_the_logarithm_of_gs():
    table = Table.of(scattered())
    points = paired(table, *(table.panels_of(m)[0] for m in ("entropy_train", "gs")), AGAINST["entropy_gs"])
    found = correlation(points, AGAINST["entropy_gs"])
    assert found.r == pytest.approx(np.corrcoef(points.x, np.log(points.y))[0, 1], abs=1e-12)
    assert found.n == 14 and found.groups == 4 and found.bootstrap[0] < found.r < found.bootstrap[1]
    both = correlation(points, AGAINST["trace_gs"])
    assert both.r == pytest.approx(np.corrcoef(np.log(points.x), np.log(points.y))[0, 1], abs=1e-12)


def test_points_of_another_n_are_hollow_and_not_in_r():
    table = Table.of(scattered(n_of=lambda g: 250 if g == 4 else 100))
    points = paired(table, *(table.panels_of(m)[0] for m in ("entropy_train", "gs")), AGAINST["entropy_gs"])
    assert points.n == 100 and points.counted.sum() == 10
    kept = points.counted
    assert correlation(points, AGAINST["entropy_gs"]).r == pytest.approx(
        np.corrcoef(points.x[kept], np.log(points.y[kept]))[0, 1], abs=1e-12
    )
    with style():
        drawn = one_against_another(table, "entropy_gs")
    assert "Hollow: 4 points of another N, not part of r." in words_of(drawn)
    hollow = [curve for curve in drawn.axes[0].lines if curve.get_markerfacecolor() == "white"]
    assert sum(len(curve.get_xdata()) for curve in hollow) == 4


def test_what_is_undefined_or_has_no_logarithm_is_no_point():
    found = rows("entropy_train", [1.0, np.nan, 3.0, -4.0]) + rows("gs", [1.0, 2.0, 0.0, 4.0])
    table = Table.of(found)
    points = paired(table, *(table.panels_of(m)[0] for m in ("entropy_train", "gs")), AGAINST["entropy_gs"])
    assert points.generation == [1, 4]


@pytest.mark.parametrize(("figure", "axes"), [("entropy_gs", ("linear", "log")), ("trace_gs", ("log", "log"))])
def test_a_scatter_says_r_interval_points_n_and_units(figure, axes):
    table = Table.of(scattered())
    with style():
        drawn = one_against_another(table, figure)
    ax = drawn.axes[0]
    assert (ax.get_xscale(), ax.get_yscale()) == axes
    assert re.fullmatch(r"r = -?\d\.\d{3} \(95 %: -?\d\.\d{3} to -?\d\.\d{3}\), 14 points", ax.get_title(loc="left"))
    assert ax.get_ylabel() == "GS, mean L2 distance (log axis)"
    text = words_of(drawn)
    assert "space: pixels, N = 100" in text and "bootstrap over 4 chains" in text
    assert ("nats" if figure == "entropy_gs" else "trace of covariance (log axis)") in ax.get_xlabel()


@pytest.mark.parametrize(
    ("gs", "said"),
    [([1.0, 2.0, 4.0], "r = 0.982 (95 %: -1.000 to 1.000), 3 points"), ([0.0, 0.0, 0.0], "r is not defined")],
)
def test_too_few_points_are_drawn_and_fail_no_run(gs, said):
    found = rows("entropy_train", [1.0, 2.0, 2.5]) + rows("gs", gs)
    with style():
        drawn = one_against_another(Table.of(found), "entropy_gs")
        drawn.canvas.draw()
    assert drawn.axes[0].get_title(loc="left") == said


# ---- the paper's curves ----


def arm(**changes):
    base = {"paradigm": "replace", "rule": "none", "n": "32768", "pool_factor": "2", "alpha": "0.95",
            "selection_space": "dinov2", "guidance_scale": "none", "reference": "train",
            "spaces": {"theirs": "inception_paper", "dino": "dinov2"}}  # fmt: skip
    return base | changes


def overlay(*settings, **arms):
    return Overlay(read_curves(PAPER, settings), arms)


def test_the_file_has_the_papers_table():
    with open(PAPER, encoding="utf-8") as handle:
        table = list(csv.DictReader(handle))
    found = {
        (row["setting"], row["paradigm"], row["rule"], int(row["generation"])): float(row["value"])
        for row in table
        if row["metric"] == "fd"
    }
    assert found["cifar10", "replace", "none", 8] == 188.8
    assert found["cifar10", "subsample", "greedy", 8] == 52.9
    assert found["ffhq", "replace", "threshold_decay", 2] == 34.6
    assert found["ffhq", "subsample", "greedy", 8] == 44.7
    assert ("ffhq", "replace", "none", 8) not in found
    per_setting = {s: sum(1 for key in found if key[0] == s) for s in ("cifar10", "ffhq")}
    assert per_setting == {"cifar10": 6 * 8 + 1, "ffhq": 3 * 7 + 3 * 8}
    assert all(row["source"].startswith("arXiv 2509.16499") and row["precision"] for row in table)


def test_the_settings_of_the_schema_are_those_of_the_file():
    schema = read_yaml(ROOT / "workflow/schemas/config.schema.yaml")
    wanted = schema["properties"]["report"]["properties"]["paper"]["items"]["enum"]
    with open(PAPER, encoding="utf-8") as handle:
        assert sorted(wanted) == sorted({row["setting"] for row in csv.DictReader(handle)})
    with pytest.raises(UserError, match="the paper has no setting 'imagenet' \\(known: cifar10, ffhq, "):
        read_curves(PAPER, ["imagenet"])


def test_a_curve_stands_in_its_space_alone_beside_the_arm_that_it_agrees_with():
    both = overlay("cifar10", main=arm(), greedy=arm(rule="greedy"))
    found = both.beside(Panel("fd", "theirs", ""))
    assert found["main"][0].points.mean.tolist() == [27.5, 54.8, 79.6, 106.7, 133.3, 155.8, 175.0, 188.8]
    assert found["greedy"][0].points.mean[0] == 27.3
    assert both.beside(Panel("fd", "inception", "")) == {} == both.beside(Panel("fd", "dino", ""))
    assert both.beside(Panel("fd_heldout", "theirs", "")) == {}
    assert both.beside(Panel("gs", "dino", "mse")) == {}, "another distance"
    assert np.isfinite(both.beside(Panel("gs", "dino", "l2"))["main"][0].points.mean).tolist() == [True] + [
        False
    ] * 6 + [True], "nothing is interpolated between generations 1 and 8"


@pytest.mark.parametrize(
    "changes",
    [
        {"n": "1024"},
        {"paradigm": "accumulate"},
        {"rule": "another"},
        {"guidance_scale": "2"},
        {"reference": "heldout"},
        {"rule": "greedy", "selection_space": "pixels"},
        {"rule": "greedy", "pool_factor": "4"},
        {"rule": "threshold_decay", "alpha": "0.8"},
        {"spaces": {"theirs": "inception"}},
    ],
)
def test_an_arm_that_differs_in_anything_has_no_curve_beside_it(changes):
    assert overlay("cifar10", main=arm(**changes)).beside(Panel("fd", "theirs", "")) == {}


def test_of_two_arms_that_agree_the_first_has_the_curve():
    found = overlay("cifar10", main=arm(), again=arm(pool_factor="1")).beside(Panel("fd", "theirs", ""))
    assert list(found) == ["main"]


def test_the_size_study_is_matched_by_n():
    found = overlay(
        "size_study", a=arm(n="4096", spaces={"pixels": "pixels"}), b=arm(n="1024", spaces={"pixels": "pixels"})
    )
    assert [curve.points.mean[0] for curve in found.beside(Panel("gs", "pixels", "mse"))["a"]] == [505.0]
    assert "b" not in found.beside(Panel("gs", "pixels", "mse"))


def test_the_overlay_is_pale_hollow_and_named():
    table = Table.of(rows("fd", [30.0, 60.0], arm="greedy", space="theirs") + rows("fd", [9.0, 9.5], arm="greedy"))
    with style():
        drawn = over_generations(table, "fd", overlay("cifar10", greedy=arm(rule="greedy")))
    ours, theirs = drawn.axes[0].lines
    assert theirs.get_ydata()[:2].tolist() == [27.3, 47.6]
    assert theirs.get_markerfacecolor() == "white" and theirs.get_alpha() < 1
    assert theirs.get_color() == ours.get_color() == line_style(0).color
    assert len(drawn.axes[1].lines) == 1, "nothing of the paper in another space"
    text = words_of(drawn)
    assert "pale, hollow: the paper (space inception_paper only)" in text
    assert "Paper, cifar10: arXiv 2509.16499, read off its figures of FID over iterations; ± 0.5" in text
    assert drawn.axes[0].get_xlim()[1] < 3, "no further than the run"


def test_a_figure_without_a_curve_says_why():
    with style():
        drawn = over_generations(Table.of(rows("fd", [1.0, 2.0])), "fd", overlay("ffhq", main=arm()))
        other = over_generations(Table.of(rows("entropy_train", [1.0, 2.0]) + rows("entropy_samples", [1.0, 2.0])),
                                 "entropy", overlay("ffhq", main=arm()))  # fmt: skip
    assert "no arm agrees with one in space, paradigm, rule, N and pool (ffhq: space" in words_of(drawn)
    assert "inception_paper, N = 8,192" in words_of(drawn)
    assert "No curve of the paper here: there is none of this metric (ffhq)." in words_of(other)


CONFIG = {
    "generations": 3,
    "training_set": {"paradigm": "replace", "real_fraction": 0.0, "size": 64, "n": 64},
    "generator": {"params": {}},
    "sampling": {"pool_factor": 2, "params": {}},
    "selection": {"script": "workflow/plugins/selectors/random.py", "params": {}, "space": "dino"},
    "evaluate": {"reference": "train", "neighbours": ["dino"]},
    "embedder": {"spaces": {"dino": {"plugin": "workflow/plugins/embedders/dinov2.py"},
                            "small": {"plugin": "workflow/plugins/embedders/classifier.py"}}},
}  # fmt: skip


def changed(**sections):
    return {key: {**value, **sections[key]} if key in sections else value for key, value in CONFIG.items()}


def test_what_an_arm_is():
    assert describe(CONFIG) == arm(n="64", spaces={"dino": "dinov2"})
    assert set(describe(CONFIG)) == {*CONDITIONS, "spaces"}
    decay = {"script": "/x/workflow/plugins/selectors/threshold_decay.py", "params": {"alpha": 0.8}}
    assert describe(changed(selection=decay))["rule"] == "threshold_decay"
    assert describe(changed(selection=decay))["alpha"] == "0.8"
    assert describe(changed(selection={"script": "mine/greedy.py"}))["rule"] == "another"
    assert describe(changed(training_set={"real_fraction": 0.1}))["paradigm"] == "mixed"
    assert describe(changed(training_set={"size": "pool"}))["rule"] == "all"
    assert describe(changed(generator={"params": {"num_classes": 10}}))["guidance_scale"] == "1"
    guided = {"generator": {"params": {"num_classes": 10}}, "sampling": {"params": {"guidance_scale": 2.0}}}
    assert describe(changed(**guided))["guidance_scale"] == "2"
    guided["sampling"]["params"]["guidance_schedule"] = "linear"
    assert describe(changed(**guided))["guidance_scale"] == "scheduled"


# ---- which figures there are ----


def test_a_figure_without_data_is_not_part_of_the_run_and_says_why():
    assert [name for name in NAMES if why_not(name, [CONFIG, CONFIG], True, 10)] == ["real_share"]
    assert "no training set after the first has real items" in why_not("real_share", [CONFIG], True, 5)
    subsample = changed(training_set={"paradigm": "subsample"})
    assert [name for name in NAMES if why_not(name, [CONFIG, subsample], True, 9)] == []
    assert why_not("pca", [CONFIG], False, 5) == "the samples are numbers of a closed-form family, not images"
    assert [name for name in NAMES if why_not(name, [CONFIG, subsample], True, 3)] == ["entropy_gs", "trace_gs"]
    one = CONFIG | {"generations": 1}
    drawn = [name for name in NAMES if not why_not(name, [one], True, 1)]
    assert drawn == ["pca"]
    nowhere = changed(evaluate={"neighbours": []})
    assert why_not("gs", [nowhere], True, 5) == "evaluate.neighbours names no feature space"


def test_generations_are_spread():
    assert spread_generations(4) == [1, 2, 3, 4]
    assert spread_generations(10) == [1, 3, 5, 8, 10]
    assert spread_generations(1000)[-1] == 1000


# ---- principal components ----


def features(n, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, d)) * np.arange(d, 0, -1) + 5).astype(np.float32)


@pytest.mark.parametrize(("n", "d"), [(50, 6), (5, 40)])
def test_components_against_the_singular_value_decomposition(n, d):
    real = features(n, d)
    found = fit(real, "x")
    _, singular, right = np.linalg.svd(real - real.astype(np.float64).mean(axis=0), full_matrices=False)
    assert np.abs(found.directions @ right[:2].T) == pytest.approx(np.eye(2), abs=1e-9)
    assert found.share == pytest.approx(singular[:2] ** 2 / (singular**2).sum(), abs=1e-9)
    largest = np.abs(found.directions).argmax(axis=1)
    assert (found.directions[[0, 1], largest] > 0).all()
    assert found.project(real).mean(axis=0) == pytest.approx([0, 0], abs=1e-5)


def test_the_sign_does_not_depend_on_the_order_of_the_items():
    real = features(50)
    assert fit(real, "x").directions == pytest.approx(fit(real[::-1], "x").directions, abs=1e-9)


@pytest.mark.parametrize(
    ("real", "text"),
    [
        (np.zeros((5, 1)), "x: 5 items of 1 dimensions have no two principal components to draw"),
        (np.zeros((2, 5)), "x: 2 items of 5 dimensions"),
        (np.arange(10.0)[:, None] * np.ones(3), "x: the real items lie on a line"),
        (np.ones((9, 3)), "x: the real items lie on a line"),
    ],
)
def test_what_has_no_two_components(real, text):
    with pytest.raises(UserError, match=text):
        fit(real, "x")


def test_rows_are_arms_columns_generations_on_the_same_axes():
    clouds = [Cloud(name, np.array([0.5, 0.25]), features(9, 2), {1: features(7, 2, 1), 3: features(7, 2, 2)})
              for name in ("main", "greedy")]  # fmt: skip
    with style():
        drawn = scatter(clouds, "n")
    assert [ax.get_title(loc="left") for ax in drawn.axes] == ["generation 1", "generation 3"] * 2
    assert {"main", "greedy"} <= {text.get_text() for text in drawn.texts}
    assert drawn.axes[0].get_xlim() == drawn.axes[1].get_xlim() and drawn.axes[0].get_ylim() == drawn.axes[1].get_ylim()
    assert drawn.axes[0].get_xlabel() == "PC 1 (50 %)" and drawn.axes[0].get_ylabel() == "PC 2 (25 %)"
    real, samples = drawn.axes[1].lines
    assert real.get_xdata().tolist() == features(9, 2)[:, 0].tolist()
    assert samples.get_xdata().tolist() == features(7, 2, 2)[:, 0].tolist()


# ---- files ----


def run(script, *options):
    command = [sys.executable, SCRIPTS / script, *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def write_csv(path, found):
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([["" if value is None else value for value in row] for row in found])


def svg_words(path) -> str:
    """Text is drawn as paths in an SVG, so that no font is missing; what it says stands beside it as comments."""
    return "\n".join(re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"), re.S))


def test_plot_figure_writes_the_same_three_files_again(tmp_path):
    write_csv(tmp_path / "metrics.csv", two_seeds("fd", space="theirs") + two_seeds("fd", arm="greedy", space="theirs"))
    (tmp_path / "fid.json").write_text(json.dumps({"label": "FID"}))
    options = ["--figure", "fd", "--metrics", tmp_path / "metrics.csv", "--fid", tmp_path / "fid.json"]
    options += ["--fid-space", "theirs", "--paper", "cifar10", "--paper-curves", PAPER]
    options += ["--arms", json.dumps({"main": arm()})]
    contents = []
    for folder in ("a", "b"):
        paths = [tmp_path / folder / f"fd.{ending}" for ending in ("png", "svg", "pdf")]
        result = run("plot_figure.py", *options, "--output", *paths)
        assert (result.returncode, result.stderr) == (0, "")
        contents.append([path.read_bytes() for path in paths])
    assert contents[0] == contents[1] and all(map(len, contents[0]))
    said = svg_words(tmp_path / "a/fd.svg")
    for text in ("FID", "generation", "space: theirs, n = 100", "greedy (mean of 2 seeds)", "band: ± standard error",
                 "pale, hollow: the paper (space inception_paper only)"):  # fmt: skip
        assert text in said, text


def test_plot_figure_answers_a_missing_metric_in_one_line(tmp_path):
    write_csv(tmp_path / "metrics.csv", rows("fd", [1.0, 2.0]))
    result = run(
        "plot_figure.py", "--figure", "gs", "--metrics", tmp_path / "metrics.csv", "--output", tmp_path / "x.png"
    )
    assert (result.returncode, result.stderr) == (2, "ERROR: no metric 'gs' in the table (has: fd)\n")
    assert not (tmp_path / "x.png").exists()


def embeddings(path, values, generation, extractor="e"):
    ids = [f"g{generation}-{i:06d}" for i in range(len(values))]
    table = make_table("embeddings", sample_id=ids, generation=[generation] * len(ids), embedding=values)
    write_table(path, table, "embeddings", {"extractor": extractor, "weights_sha256": "", "preprocessing": ""})
    return str(path)


def test_plot_pca_draws_the_first_n_and_refuses_another_space(tmp_path):
    real = embeddings(tmp_path / "real.parquet", features(30), 0)
    one = embeddings(tmp_path / "one.parquet", features(40, seed=1), 1)
    other = embeddings(tmp_path / "other.parquet", features(40, seed=1), 1, extractor="another")
    chain = {"arm": "main", "n": 20, "real": real, "generations": {"1": one}}
    options = ["--space", "pixels", "--seed", 0, "--threads", 1]
    contents = []
    for name in ("a", "b"):
        paths = [tmp_path / f"{name}.{ending}" for ending in ("png", "svg", "pdf")]
        result = run("plot_pca.py", "--chains", json.dumps([chain]), *options, "--output", *paths)
        assert (result.returncode, result.stderr) == (0, "")
        contents.append([path.read_bytes() for path in paths])
    assert contents[0] == contents[1]
    said = svg_words(tmp_path / "a.svg")
    assert "pale: 30 real training items, dark: 20 samples; space: pixels, seed 0" in said and "generation 1" in said
    chain["generations"]["2"] = other
    result = run("plot_pca.py", "--chains", json.dumps([chain]), *options, "--output", tmp_path / "c.png")
    assert result.returncode == 2 and "hold features of different spaces" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_scatter_has_the_same_bytes_again(tmp_path):
    for name in ("a", "b"):
        with style():
            drawn = one_against_another(Table.of(scattered()), "entropy_gs")
            for ending in ("png", "svg", "pdf"):
                save(drawn, tmp_path / f"{name}.{ending}")
    for ending in ("png", "svg", "pdf"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
