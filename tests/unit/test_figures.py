"""Figures: the right numbers in the axes, the same bytes on every run, one clear line for wrong input."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import line, rows

from selfloop.contracts import make_table
from selfloop.curves import moments, one_metric, overview
from selfloop.errors import UserError
from selfloop.figures import Pairs, evolution, nearest_pairs, sample_grid, spread_ranks
from selfloop.files import write_table
from selfloop.metric_words import words
from selfloop.metrics_table import Panel, Table, read_metrics
from selfloop.nearest_images import nearest_images
from selfloop.samples import write_samples
from selfloop.style import line_style, save, style

SCRIPTS = Path(__file__).parents[2] / "workflow/scripts"


def images(n, channels=1, size=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, channels, size, size), dtype=np.uint8)


def mosaic_of(figure, position=0):
    return np.asarray(figure.axes[position].images[0].get_array())


# ---- images ----


@pytest.mark.parametrize("channels", [1, 3])
def test_every_pixel_of_a_grid_is_a_square_of_screen_pixels(channels):
    batch = images(4, channels)
    with style():
        mosaic = mosaic_of(sample_grid(batch, "four"))
    scale = (mosaic.shape[0] // 2) // 8  # two images high; the white between them is less than a pixel per image pixel
    colours = np.broadcast_to(np.moveaxis(batch, 1, -1), (4, 8, 8, 3))
    enlarged = colours.repeat(scale, axis=1).repeat(scale, axis=2)
    last = mosaic[-8 * scale :, -8 * scale :]
    assert np.array_equal(mosaic[: 8 * scale, : 8 * scale], enlarged[0])
    assert np.array_equal(last, enlarged[3])


def test_a_mosaic_takes_exactly_its_screen_pixels():
    with style():
        figure = sample_grid(images(9), "nine")
        figure.draw_without_rendering()
        box = figure.axes[0].get_window_extent()
    height, width = mosaic_of(figure).shape[:2]
    assert (box.width, box.height) == pytest.approx((width, height), abs=1e-6)


def test_a_grid_that_is_not_full_ends_in_white():
    with style():
        mosaic = mosaic_of(sample_grid(np.zeros((3, 1, 8, 8), np.uint8), "three"))
    assert mosaic[-1, -1].tolist() == [255, 255, 255]
    assert mosaic[0, 0].tolist() == [0, 0, 0]


def test_evolution_puts_generations_in_columns_and_samples_in_rows():
    columns = [
        np.full((2, 1, 8, 8), 10 * g, np.uint8) + np.array([0, 1], np.uint8)[:, None, None, None] for g in (1, 2, 3)
    ]
    with style():
        figure = evolution(columns, ["real", "1", "2"], ["0", "1"], "main", "rows")
    real, generated = mosaic_of(figure, 0), mosaic_of(figure, 1)
    assert (real[0, 0, 0], real[-1, 0, 0]) == (10, 11)
    assert (generated[0, 0, 0], generated[-1, 0, 0], generated[0, -1, 0], generated[-1, -1, 0]) == (20, 21, 30, 31)


def test_nearest_pairs_stand_above_each_other_with_their_distance():
    pair = Pairs(
        "the smallest distances", np.full((1, 1, 8, 8), 7, np.uint8), np.full((1, 1, 8, 8), 9, np.uint8), [16.4]
    )
    with style():
        figure = nearest_pairs([pair], "title", "subtitle")
    assert mosaic_of(figure, 0)[0, 0, 0] == 7, "the generated image is on top"
    assert mosaic_of(figure, 1)[0, 0, 0] == 9
    assert figure.axes[0].get_position().y0 > figure.axes[1].get_position().y0
    assert "16" in {text.get_text() for text in figure.texts}


@pytest.mark.parametrize("shape", [(1, 3, 3), (3, 32, 32)], ids=["float32 path", "float64 path"])
def test_nearest_images_against_brute_force(shape):
    rng = np.random.default_rng(1)
    a, b = (rng.integers(0, 256, (n, *shape), dtype=np.uint8) for n in (1030, 40))
    distance, position = nearest_images(a, b)
    slow = [((x.astype(float) - b.astype(float)) ** 2).reshape(len(b), -1).sum(axis=1) for x in a]
    assert position.tolist() == [int(d.argmin()) for d in slow]
    assert np.array_equal(distance, np.sqrt([d.min() for d in slow])), "squared distances of uint8 images are exact"


def test_nearest_images_ties_go_to_the_lowest_position_across_blocks():
    training = np.full((1500, 1, 2, 2), 200, np.uint8)
    training[[3, 1400]] = 50
    assert nearest_images(np.full((1, 1, 2, 2), 50, np.uint8), training)[1].tolist() == [3]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 30, 100])
def test_the_groups_of_pairs_never_overlap(n):
    groups = spread_ranks(n, 10)
    ranks = np.concatenate(list(groups.values()))
    assert len(set(ranks.tolist())) == len(ranks) and ranks.min() == 0 and ranks.max() == n - 1
    if n == 100:
        assert groups["around the median"].tolist() == list(range(45, 55))


# ---- curves ----


def test_several_seeds_give_the_mean_and_one_standard_error():
    table = Table.of(rows("kid", [1.0, 2.0]) + rows("kid", [3.0, 2.5], seed=1))
    with style():
        ax = one_metric(table, "kid").axes[0]
    assert line(ax, 0) == ([1, 2], [2.0, 2.25])
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (1.0, 3.0)  # sd sqrt(2) / sqrt(2 seeds) = 1 around 2


def test_one_seed_is_a_line_without_a_band():
    with style():
        ax = one_metric(Table.of(rows("kid", [1.0, 2.0])), "kid").axes[0]
    assert line(ax, 0) == ([1, 2], [1.0, 2.0])
    assert len(ax.collections) == 0


def test_an_undefined_value_leaves_a_gap_and_is_not_averaged():
    table = Table.of(rows("kid", [np.nan, 2.0]) + rows("kid", [np.nan, 4.0], seed=1))
    series = table.series(Panel("kid", "pixels", ""))["main"]
    assert np.isnan(series.mean[0]) and series.mean[1] == 3.0


def test_gs_stands_beside_its_baseline_and_their_ratio_is_taken_seed_by_seed():
    gs = rows("gs", [2.0], distance="l2") + rows("gs", [9.0], seed=1, distance="l2")
    heldout = rows("gs_heldout", [4.0], distance="l2") + rows("gs_heldout", [10.0], seed=1, distance="l2")
    with style():
        figure = one_metric(Table.of(gs + heldout), "gs")
    assert line(figure.axes[0], 0) == ([1], [5.5])
    assert line(figure.axes[0], 1) == ([1], [7.0])
    assert line(figure.axes[1], 0) == ([1], [pytest.approx((0.5 + 0.9) / 2)]), "not 5.5 / 7"
    assert figure.axes[0].get_ylabel() == "mean L2 distance"


def test_arms_keep_their_style_in_panels_where_an_earlier_arm_is_missing():
    table = Table.of(rows("kid", [1.0, 2.0]) + rows("fd", [1.0, 2.0], arm="greedy"))
    with style():
        ax = one_metric(table, "fd").axes[0]
    drawn = [curve for curve in ax.lines if len(curve.get_xdata())]
    assert [curve.get_color() for curve in drawn] == [line_style(1).color]


def test_arms_differ_in_more_than_colour():
    looks = [line_style(position) for position in range(20)]
    assert len({(str(look.linestyle), look.marker) for look in looks}) == 20


def test_a_wide_span_gets_a_log_axis_and_zeros_never_do():
    with style():
        assert one_metric(Table.of(rows("fd", [1.0, 100.0])), "fd").axes[0].get_yscale() == "log"
        assert one_metric(Table.of(rows("fd", [0.0, 100.0])), "fd").axes[0].get_yscale() == "linear"
        assert one_metric(Table.of(rows("fd", [5.0, 10.0])), "fd").axes[0].get_yscale() == "linear"


def test_panels_say_space_and_counts():
    found = rows("gs", [1.0], n=1024, n_reference=1024) + rows("gs", [1.0], arm="a", n=1024, n_reference=2048)
    with style():
        ax = one_metric(Table.of(found), "gs").axes[0]
    assert "space: pixels, n = 1,024 against 1,024 to 2,048" in {text.get_text() for text in ax.texts}


def test_the_overview_names_what_it_leaves_out():
    entropy = rows("entropy_train", [3.0, 2.0]) + rows("entropy_train_distinct", [3.0, 2.0])
    with style():
        figure = overview(Table.of(entropy + rows("duplicates_train", [0.0, 0.0]) + rows("kid_std", [1.0, 1.0])))
    assert [ax.get_title(loc="left") for ax in figure.axes] == [words("entropy_train").title]
    note = "\n".join(text.get_text() for text in figure.texts)
    assert "as entropy_train: entropy_train_distinct (pixels)" in note
    assert "0 everywhere: duplicates_train (pixels)" in note


def test_a_metric_that_is_not_known_here_is_drawn_under_its_own_name():
    with style():
        figure = overview(Table.of(rows("surplexity", [3.0, 2.0])))
    assert figure.axes[0].get_title(loc="left") == "surplexity"


def test_moments_are_means_over_replicates():
    variance = np.array([[[1.0], [3.0]], [[0.5], [0.7]]])  # 2 generations, 2 replicates, d = 1
    with style():
        figure = moments(np.array([0, 1]), np.zeros_like(variance), variance)
    assert line(figure.axes[1], 0) == ([0, 1], [2.0, 0.6])


# ---- files ----


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_figure_has_the_same_bytes_and_no_date(tmp_path, ending, monkeypatch):
    table = Table.of(rows("fd", [1.0, 100.0]) + rows("fd", [2.0, 80.0], seed=1) + rows("fd", [1.0, 9.0], arm="greedy"))
    for name, clock in (("a", "1000000000"), ("b", "1700000000")):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", clock)  # the date that matplotlib would write
        with style():
            save(overview(table), tmp_path / f"{name}.{ending}")
    content = (tmp_path / f"a.{ending}").read_bytes()
    assert content == (tmp_path / f"b.{ending}").read_bytes()
    assert not any(word in content for word in (b"<dc:date>", b"CreationDate", b"Matplotlib v"))


def test_the_style_does_not_follow_or_change_the_users_settings(tmp_path):
    import matplotlib

    with matplotlib.rc_context({"font.size": 30.0, "axes.grid": False}):
        with style():
            save(sample_grid(images(4), "x"), tmp_path / "a.png")
        assert matplotlib.rcParams["font.size"] == 30.0
    with style():
        save(sample_grid(images(4), "x"), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# ---- wrong input ----


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 8, 8), np.uint8), "x: images are uint8 N x C x H x W, not uint8 4 x 8 x 8"),
        (np.zeros((4, 1, 8, 8), np.float32), "x: images are uint8 N x C x H x W, not float32 4 x 1 x 8 x 8"),
        (np.zeros((4, 2, 8, 8), np.uint8), "x: images have 1 (grey) or 3 (RGB) channels, not 2"),
        (np.zeros((0, 1, 8, 8), np.uint8), "x: no images in it"),
        (
            np.zeros((4, 2)),
            "x: float64 N x d samples of a closed-form family are no images; use plot_moments.py",
        ),
    ],
)
def test_what_is_no_image(array, message):
    with style(), pytest.raises(UserError) as error:
        sample_grid(array, "x")
    assert str(error.value) == message


def test_a_figure_of_an_unknown_kind(tmp_path):
    with style(), pytest.raises(UserError, match=r"a figure is written as .png, .svg or .pdf, not '.jpg'"):
        save(sample_grid(images(1), "x"), tmp_path / "x.jpg")
    assert list(tmp_path.iterdir()) == []


def test_columns_of_different_sizes():
    with style(), pytest.raises(UserError, match="main: the columns differ in number or size of images"):
        evolution([images(2), images(2, size=4)], ["real", "1"], ["0", "1"], "main", "")


def test_a_metric_that_is_not_there():
    with pytest.raises(UserError, match=r"no metric 'fid' in the table \(has: fd\)"):
        one_metric(Table.of(rows("fd", [1.0])), "fid")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "the columns are ['a', 'b'], not ['arm', 'seed'"),
        ("arm,seed,generation,metric,value,n,n_reference,space,distance\n", "no rows, nothing to draw"),
        ("arm,seed,generation,metric,value,n,n_reference,space,distance\nmain,0,1,fd,x,1,1,,\n", "line 2: not a row"),
    ],
)
def test_a_wrong_metrics_csv(tmp_path, text, message):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_metrics(path)
    assert message in str(error.value) and str(path) in str(error.value)


# ---- the stage scripts, as programs ----


def run(script, *options):
    command = [sys.executable, SCRIPTS / script, *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def samples(folder, batch, generation, seeds=None, replicate=None):
    path = folder / f"gen{generation}/samples/part-0000.npy"
    ids = [f"g{generation}-{i:06d}" for i in range(len(batch))]
    write_samples(path, batch, {}, sample_id=ids, index=np.arange(len(batch)), seed=seeds, replicate=replicate)
    return path


def test_plot_grid_answers_a_mistake_in_one_line_and_leaves_no_file(tmp_path):
    path = samples(tmp_path, np.zeros((4, 2)), 1)
    result = run("plot_grid.py", "--samples", path, "--title", "x", "--output", tmp_path / "grid.png")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"ERROR: {path}: float64 N x d samples of a closed-form family")
    assert not (tmp_path / "grid.png").exists()


def test_plot_nearest_finds_the_copy(tmp_path):
    pool = images(40)
    path, generated = samples(tmp_path, pool, 1), samples(tmp_path, pool[::-1], 2)
    table = make_table(
        "training_set", sample_id=[f"g1-{i:06d}" for i in range(40)], generation=[1] * 40, index=range(40)
    )
    write_table(tmp_path / "training_set.parquet", table, "training_set")
    output = tmp_path / "nearest.svg"
    options = ["--samples", generated, "--training-set", tmp_path / "training_set.parquet", "--training-samples", path]
    result = run("plot_nearest.py", *options, "--title", "x", "--output", output)
    assert (result.returncode, result.stderr) == (0, "")
    assert output.stat().st_size > 1000


@pytest.mark.parametrize(("seeds", "what"), [([5, 6], "the same seed"), (None, "the same place among the samples")])
def test_plot_evolution_only_claims_the_same_seeds_where_they_are(tmp_path, monkeypatch, seeds, what):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    before = list(sys.path)
    import plot_evolution

    sys.path[:] = before
    paths = [samples(tmp_path, images(2), g, seeds) for g in (0, 1, 2)]
    drawn = []
    monkeypatch.setattr(
        plot_evolution, "evolution", lambda *arguments: drawn.append(arguments) or sample_grid(images(1), "x")
    )
    options = ["--samples", *paths, "--generations", 0, 1, 2, "--title", "x", "--output", tmp_path / "e.png"]
    monkeypatch.setattr(sys, "argv", ["plot_evolution.py", *map(str, options)])
    plot_evolution.main()
    columns, names, row_names, _, subtitle = drawn[0]
    assert f"rows: {what};" in subtitle
    assert (names, row_names, len(columns)) == (["real", "1", "2"], ["0", "1"], 3)


def test_plot_moments_reads_replicates(tmp_path):
    values = np.array([[0.0], [2.0], [5.0], [5.0]])
    paths = [samples(tmp_path, values, g, replicate=[0, 0, 1, 1]) for g in (0, 1)]
    result = run("plot_moments.py", "--samples", *paths, "--generations", 0, 1, "--output", tmp_path / "m.png")
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "m.png").stat().st_size > 1000
