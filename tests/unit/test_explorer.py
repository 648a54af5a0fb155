"""explorer.html without a browser: what is chosen, what fits, the same bytes, one clear line for what is wrong."""

import base64
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up_run import PAGE, SCRIPT, make_page, write_run
from PIL import Image

from selfloop.errors import UserError
from selfloop.explorer import check_size, curves, fill, page_data, read_chains, thin
from selfloop.metrics_table import Row, Table
from selfloop.pictures import (
    ACROSS,
    Amounts,
    compressed_share,
    encode,
    evenly,
    pictures,
    plan,
    sheet,
    shrink,
    tile_shape,
)
from selfloop.samples import write_samples


def images(n, channels=1, size=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, channels, size, size), dtype=np.uint8)


def decoded(url: str) -> np.ndarray:
    head, data = url.split(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def tile(found: dict, position: int) -> np.ndarray:
    row, column = divmod(position, ACROSS)
    h, w = found["height"], found["width"]
    return decoded(found["image"])[row * h : (row + 1) * h, column * w : (column + 1) * w]


# ---- pictures ----


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_holds_every_pixel_in_its_place(channels):
    tiles = images(37, channels)
    found = {"image": encode(tiles), "height": 8, "width": 8}
    for position in (0, 15, 16, 36):
        wanted = np.broadcast_to(np.moveaxis(tiles[position], 0, -1), (8, 8, 3))
        assert np.array_equal(tile(found, position), wanted)
    assert not tile(found, 37).any(), "what is not filled is black"


def test_a_sheet_has_tracked_samples_first_samples_and_pairs_in_this_order():
    samples, training, tracked = images(40), images(30, seed=1), images(5, seed=2)
    samples[7] = training[11]
    found = pictures(tracked, samples, training, 20, Amounts(4, 10, 2))
    made = sheet(found)
    counts = {key: made[key] for key in ("tracked", "samples", "n", "looked_at", "training")}
    assert counts == {"tracked": 4, "samples": 10, "n": 40, "looked_at": 20, "training": 30}
    assert np.array_equal(tile(made, 0)[:, :, 0], tracked[0, 0])
    assert np.array_equal(tile(made, 4)[:, :, 0], samples[0, 0])
    assert np.array_equal(tile(made, 14)[:, :, 0], samples[7, 0]), "the nearest pair: a copy"
    assert np.array_equal(tile(made, 16)[:, :, 0], training[11, 0]), "and its partner, after the generated ones"
    assert [group["name"] for group in made["groups"]] == [
        "the smallest distances", "around the median", "the largest distances"]  # fmt: skip
    distances = [d for group in made["groups"] for d in group["distance"]]
    assert distances[0] == 0 and distances == sorted(distances)
    slow = [min(np.linalg.norm(a.astype(float) - b) for b in training.astype(float)) for a in samples[:20]]
    assert made["mean"] == pytest.approx(np.mean(slow), abs=1e-3)
    assert distances[-1] == pytest.approx(max(slow), abs=1e-3)


def test_real_data_have_no_pairs():
    assert "groups" not in sheet(pictures(None, images(5), None, 0, Amounts(4, 3, 2)))


def test_large_images_are_averaged_down_by_a_whole_factor():
    assert tile_shape((3, 100, 130)) == (3, 33, 43)
    assert tile_shape((1, 64, 64)) == (1, 64, 64)
    image = np.zeros((1, 1, 128, 128), np.uint8)
    image[0, 0, :2, :2] = [[10, 20], [30, 41]]
    assert shrink(image).shape == (1, 1, 64, 64)
    assert shrink(image)[0, 0, 0, 0] == 25 and shrink(image)[0, 0, 1:].max() == 0


# ---- what fits ----


def chains_of(n, shared=0):
    """Name the sheets of n chains of ten generations; the first generations are shared."""
    return [[(0 if g < shared else chain, g) for g in range(11)] for chain in range(n)]


def test_what_chains_share_takes_room_once():
    alone, shared = (plan(Amounts(12, 64, 10), chains_of(20, k), (3, 32, 32), 1e7) for k in (0, 10))
    assert shared > alone and shared[0] == 11


def test_images_that_compress_leave_room_for_more():
    noise, flat = images(64, 3, 32), np.full((64, 3, 32, 32), 7, np.uint8)
    assert compressed_share([flat]) < 0.02 and compressed_share([flat, noise]) == 1


def test_everything_is_shown_where_it_fits():
    assert plan(Amounts(12, 64, 10), chains_of(4), (1, 8, 8), 1e7) == (11, Amounts(12, 64, 10))


@pytest.mark.parametrize("chains", [1, 2, 4, 12, 40, 70])
def test_incompressible_images_of_any_number_of_chains_stay_under_the_limit(chains):
    most, amounts = plan(Amounts(12, 64, 10), chains_of(chains), (3, 32, 32), 1e7)
    n = amounts.tracked + amounts.samples + 6 * amounts.pairs
    size = len(encode(images(n, 3, 32)))
    assert size <= amounts.bytes((3, 32, 32)), "noise, which lossless coding cannot make smaller"
    assert min(amounts) >= 1 and size * most * chains < 1e7
    assert (most == 11) == (chains <= 12), "generations are left out only where few images are left of each"


def test_what_can_never_fit_is_one_line():
    with pytest.raises(UserError, match=r"not even three generations of 500 chains.*raise report.explorer_mb"):
        plan(Amounts(12, 64, 10), chains_of(500), (3, 64, 64), 1e7)


def test_pictured_generations_are_thinned_evenly_with_both_ends():
    assert evenly(range(11), 11) == list(range(11))
    assert evenly(range(11), 3) == [0, 1, 10]
    assert evenly(range(11), 4) == [0, 1, 6, 10] or evenly(range(11), 4) == [0, 1, 5, 10]
    assert all(len(evenly(range(n), most)) == min(n, most) for n in range(2, 30) for most in range(3, 12))


def test_chains_without_images_need_no_room():
    chains = [{"pictured": []}]
    assert thin(chains, [], Amounts(1, 2, 3), 0) == ([[]], Amounts(1, 2, 3))


def test_a_page_over_its_limit_is_one_line():
    assert check_size("x" * 1_000_000, 1) == "x" * 1_000_000
    with pytest.raises(UserError, match=r"would have 1\.5 MB, over its limit of 1; raise report\.explorer_mb"):
        check_size("x" * 1_500_000, 1)


# ---- numbers ----


def rows(metric, values, arm="main", seed=0, space="pixels", distance="", n=100, n_reference=None):
    return [Row(arm, seed, g, metric, v, n, n_reference, space, distance) for g, v in enumerate(values, start=1)]


CHAINS = [{"arm": "main", "seed": 0}, {"arm": "b", "seed": 0}]


def test_curves_have_a_list_for_each_chain_with_null_where_nothing_is_defined():
    table = Table.of(
        rows("gs", [1.23456789, np.nan], distance="mse") + rows("gs", [3.0], arm="b", distance="mse", n_reference=7)
        + rows("gs_heldout", [2.0, 2.0], distance="mse") + rows("recall", [0.5, 0.25])
    )  # fmt: skip
    found = curves(table, CHAINS)
    gs, heldout, recall = found
    assert gs["values"] == [[1.23457, None], [3.0, None]]
    assert gs["n"] == [[100, 100], [100, None]] and gs["n_reference"] == [[None, None], [7, None]]
    assert (gs["unit"], gs["baseline"], gs["logarithmic"], gs["share"]) == ("mean MSE distance", 1, True, None)
    assert heldout["values"] == [[2.0, 2.0], [None, None]] and recall["share"] is True


def test_arms_look_as_in_the_figures_and_say_what_sets_them_apart():
    table = Table.of(rows("kid", [1.0]) + rows("kid", [1.0], arm="b"))
    chains = [CHAINS[0] | {"about": ""}, CHAINS[1] | {"about": "x: 1"}]
    arms = page_data(table, chains, [], [{}, {}])["arms"]
    assert arms[0] == {"name": "main", "about": "", "color": "#222222", "dash": [], "marker": "o"}
    assert (arms[1]["about"], arms[1]["dash"], arms[1]["marker"]) == ("x: 1", [5, 1.6], "s")


# ---- the page ----


def test_no_text_of_the_data_can_end_its_element_or_be_taken_for_a_part(tmp_path):
    (tmp_path / "page.html").write_text('<script id="data">{{data}}</script>')
    page = fill([tmp_path / "page.html"], {"about": "</script><b>{{data}} {{x.js}}"})
    assert page.count("</script>") == 1
    assert json.loads(page.removeprefix('<script id="data">').removesuffix("</script>"))["about"].endswith("{{x.js}}")


def test_a_missing_part_is_one_line(tmp_path):
    (tmp_path / "page.html").write_text("{{style.css}}")
    with pytest.raises(UserError, match=r"--page: style\.css is not among the files of the page \(page\.html\)"):
        fill([tmp_path / "page.html"], {})
    with pytest.raises(UserError, match=r"style\.css: no such file"):
        fill([tmp_path / "page.html", tmp_path / "style.css"], {})


def test_runs_come_back_as_paths_by_generation():
    entry = {"arm": "b", "seed": 0, "about": "", "evaluated": 9, "pictured": [0, 1], "fresh": {}, "tracked": {},
             "samples": {"0-1": "r/gen*/s.npy", "2-3": "r/b/gen*/s.npy"}, "training_set": {}}  # fmt: skip
    found = read_chains(json.dumps([entry]))[0]["samples"]
    assert found == {0: "r/gen0/s.npy", 1: "r/gen1/s.npy", 2: "r/b/gen2/s.npy", 3: "r/b/gen3/s.npy"}
    with pytest.raises(UserError, match="--chains, entry 0: needs exactly the keys about, arm"):
        read_chains('[{"arm": "b"}]')
    with pytest.raises(UserError, match="--chains: not JSON"):
        read_chains("[")


def test_the_page_is_one_file_of_the_same_bytes_that_asks_for_nothing(tmp_path):
    arguments = write_run(tmp_path)
    page = make_page(arguments, tmp_path / "a.html").read_bytes()
    assert page == make_page(arguments, tmp_path / "b.html").read_bytes()
    text = page.decode()
    assert "{{" not in text and "default-src 'none'" in text
    without_namespace = text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(https?:)?//\w+\.\w+|@import|<link[^>]+href=\"(?!data:)|src=\"(?!data:)", without_namespace)
    assert str(tmp_path) not in text, "no path of the machine"


def test_the_page_keeps_its_limit_even_where_images_compress_worse_than_those_that_are_looked_at(tmp_path):
    chains = json.loads((arguments := write_run(tmp_path, arms=("main",), seeds=(0,)))[3])
    for g in (1, 2, 3):  # the first and the last generation are plain
        write_samples(Path(chains[0]["samples"]["0-4"].replace("*", str(g))), images(40, 3, 64, g), {"stage": "test"},
                      sample_id=[f"s{g}-{i}" for i in range(40)], index=range(40), seed=range(40))  # fmt: skip
    for g in (0, 4):
        write_samples(Path(chains[0]["samples"]["0-4"].replace("*", str(g))), np.full((40, 3, 64, 64), 9, np.uint8),
                      {"stage": "test"}, sample_id=[f"s{g}-{i}" for i in range(40)], index=range(40))  # fmt: skip
    for g in range(1, 5):
        write_samples(Path(chains[0]["tracked"]["1-4"].replace("*", str(g))), images(6, 3, 64, g), {"stage": "test"},
                      sample_id=list("abcdef"), index=range(6), seed=range(6))  # fmt: skip
    shown = {}
    for limit in ("10", "1.5"):
        output = make_page([*arguments, "--limit-mb", limit], tmp_path / f"{limit}.html")
        assert output.stat().st_size < float(limit) * 1e6
        found = json.loads(re.search(r'id="data">(.*?)</script>', output.read_text())[1])
        shown[limit] = found["sheets"][1]["samples"]
    assert shown["10"] == 40 and 1 <= shown["1.5"] < 40


def test_a_shared_generation_has_one_sheet(tmp_path):
    arguments = write_run(tmp_path, arms=("main",), seeds=(0,))
    position = arguments.index("--chains") + 1
    chain = json.loads(arguments[position])[0]
    text = (tmp_path / "metrics.csv").read_text()
    (tmp_path / "metrics.csv").write_text(text + "".join(f"b,0,{g},fd,1,1,1,classifier,\n" for g in (1, 2)))
    arguments[position] = json.dumps(
        [chain, chain | {"arm": "b", "pictured": [0, 1, 2], "tracked": {"1-2": chain["tracked"]["1-4"]}}]
    )
    page = make_page(arguments, tmp_path / "x.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert len(data["sheets"]) == 5
    assert data["chains"][1]["sheets"] == {"0": 0, "1": 1, "2": 2}


def test_a_users_mistake_is_one_line_and_leaves_no_page(tmp_path):
    arguments = write_run(tmp_path, arms=("main",), seeds=(0,))
    (tmp_path / "main0/gen2/training_set.parquet").unlink()
    command = [sys.executable, str(SCRIPT), *arguments, "--output", str(tmp_path / "x.html")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"ERROR: {tmp_path}/main0/gen2/training_set.parquet: no such file"]
    assert not list(tmp_path.glob("*x.html*"))


def test_the_pages_own_files_are_all_used():
    page = (PAGE / "page.html").read_text()
    named = set(re.findall(r"\{\{([\w.-]+)\}\}", page)) - {"data"}
    assert named == {path.name for path in PAGE.iterdir()} - {"page.html"}
