"""explorer.html in a real headless Chromium, opened as a user does: from the disk, by keyboard and by mouse."""

import json
import math
import re
from pathlib import Path

import pytest
from made_up_run import GENERATIONS, fd, level, make_page, write_run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def explorer(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    return make_page(write_run(folder), folder / "explorer.html")


def hash_of(page) -> dict[str, str]:
    return page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")


def grey(page, canvas: str = "#first-grid canvas") -> int:
    """Return the grey level in the middle of the first tile."""
    return page.locator(canvas).first.evaluate("c => c.getContext('2d').getImageData(4, 4, 1, 1).data[0]")


def shows(page, arm: str, seed: int, generation: int) -> None:
    """Wait until the images are those of a chain and generation, and check what is written about them."""
    wanted = level(arm, seed, generation)
    page.wait_for_function(
        """want => document.querySelector('#first-grid canvas')
            ?.getContext('2d').getImageData(4, 4, 1, 1).data[0] === want""",
        arg=wanted,
        timeout=5000,
    )
    assert page.locator("#now").inner_text() == (f"Generation {generation}" if generation else "Real data")
    found = hash_of(page)
    assert (found["arm"], found["seed"], found["generation"]) == (arm, str(seed), str(generation))


def cell(page, title: str, column: int) -> str:
    return page.locator(f"#table tr:has(button:text-is('{title}')) td").nth(column).inner_text()


FD = "Fréchet distance to the real data"


def test_it_opens_at_the_first_generation_of_the_main_chain(open_page, explorer):
    page = open_page(explorer)
    shows(page, "main", 0, 1)
    assert page.title() == "selfloop: run explorer"
    assert page.locator("#legend button").all_inner_texts()[0].startswith("main")


def test_sliding_changes_images_numbers_and_the_mark(open_page, explorer):
    page = open_page(explorer)
    slider = page.get_by_role("slider", name="Generation")
    places = []
    for generation in (3, 0, 4):
        slider.fill(str(generation))
        shows(page, "main", 0, generation)
        if generation:
            assert cell(page, FD, 0) == f"{fd('main', 0, generation):g}"
            places.append(float(page.locator("#plot .now").get_attribute("x1")))
            assert slider.get_attribute("aria-valuetext") == f"generation {generation} of {GENERATIONS}"
    assert places[0] < places[1]
    slider.fill("0")
    shows(page, "main", 0, 0)
    assert page.locator("#plot .now").count() == 0 and not page.locator("#table").is_visible()
    assert "no model made it" in page.locator("#nearest-note").inner_text()


def test_the_table_has_the_mean_and_standard_error_over_seeds(open_page, explorer):
    page = open_page(explorer, "#generation=2&arm=greedy&seed=1")
    shows(page, "greedy", 1, 2)
    assert page.locator("#table thead th").all_inner_texts() == ["metric", "greedy, seed 1", "main", "greedy", "n"]
    values = [fd("greedy", seed, 2) for seed in (0, 1)]
    error = abs(values[0] - values[1]) / 2  # sd sqrt(2) times half the difference, over sqrt(2 seeds)
    assert cell(page, FD, 0) == f"{values[1]:g}"
    assert cell(page, FD, 2) == f"{math.fsum(values) / 2:.1f} ± {error:.1f}"
    assert cell(page, FD, 3) == "40 : 80"
    assert cell(page, "Kernel distance to the real data", 0) == "\N{MINUS SIGN}0.5"


def test_a_metric_without_a_value_is_a_dash(open_page, explorer):
    page = open_page(explorer, "#generation=1")
    assert cell(page, "Kernel distance to the real data", 0) == "\N{EN DASH}"


def test_arms_and_seeds_switch(open_page, explorer):
    page = open_page(explorer, "#generation=2")
    page.get_by_role("combobox", name="Arm", exact=True).select_option("greedy")
    shows(page, "greedy", 0, 2)
    assert page.locator("#about").inner_text() == "greedy differs by selection.script: greedy.py"
    page.get_by_role("combobox", name="Seed", exact=True).select_option("1")
    shows(page, "greedy", 1, 2)
    page.locator("#legend button", has_text="main").click()
    shows(page, "main", 1, 2)
    assert page.locator("#about").inner_text() == "main is the config as it stands"


def test_the_keyboard_does_everything(open_page, explorer):
    page = open_page(explorer)
    for key, arm, generation in [("ArrowRight", "main", 2), ("End", "main", 4), ("ArrowRight", "main", 4),
                                 ("ArrowLeft", "main", 3), ("ArrowDown", "greedy", 3), ("ArrowDown", "main", 3),
                                 ("ArrowUp", "greedy", 3), ("Home", "greedy", 0)]:  # fmt: skip
        page.keyboard.press(key)
        shows(page, arm, 0, generation)
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    shows(page, "greedy", 0, 1)
    page.keyboard.press("ArrowUp")
    shows(page, "main", 0, 1)


def test_keys_of_a_focused_list_and_of_the_browser_stay_theirs(open_page, explorer):
    page = open_page(explorer)
    page.get_by_role("combobox", name="Seed", exact=True).focus()
    page.keyboard.press("ArrowDown")
    shows(page, "main", 1, 1)
    page.keyboard.press("Tab")
    page.keyboard.press("Control+ArrowRight")
    shows(page, "main", 1, 1)


def test_space_plays_to_the_end_and_pauses(open_page, explorer):
    page = open_page(explorer, "#generation=2")
    shows(page, "main", 0, 2)
    page.keyboard.press(" ")
    assert page.locator("#play").get_attribute("aria-label") == "Pause"
    page.wait_for_function("() => document.getElementById('now').textContent === 'Generation 3'", timeout=5000)
    page.keyboard.press(" ")
    assert page.locator("#play").get_attribute("aria-label") == "Play"
    page.locator("#play").click()
    page.wait_for_function("() => document.getElementById('play').ariaLabel === 'Play'", timeout=5000)
    shows(page, "main", 0, GENERATIONS)


def test_samples_of_the_same_seeds_and_the_first_in_order(open_page, explorer):
    page = open_page(explorer, "#generation=2")
    shows(page, "main", 0, 2)
    assert page.locator("#tracked-grid canvas").count() == 6 and page.locator("#first-grid canvas").count() == 40
    assert "6 samples of the same random seeds" in page.locator("#tracked-note").inner_text()
    assert "the first 40 of 40 samples" in page.locator("#first-note").inner_text()
    corners = "e => [...e.children].map(c => c.getContext('2d').getImageData(0, 0, 1, 1).data[0])"
    assert page.locator("#tracked-grid").evaluate(corners) == list(range(6))
    assert page.locator("#first-grid").evaluate(corners) == list(range(40)), "every image in its place"
    page.keyboard.press("Home")
    shows(page, "main", 0, 0)
    assert not page.locator("#tracked").is_visible()
    assert "the first 40 of 40 real training images" in page.locator("#first-note").inner_text()


def test_nearest_training_images_are_of_the_generation_before(open_page, explorer):
    page = open_page(explorer, "#generation=3")
    shows(page, "main", 0, 3)
    assert page.locator("#groups figcaption").all_inner_texts() == [
        "The smallest distances", "Around the median", "The largest distances"]  # fmt: skip
    pair = page.locator(".pair").first
    assert grey(page, ".pair canvas:nth-child(1)") == level("main", 0, 3)
    assert grey(page, ".pair canvas:nth-child(2)") == level("main", 0, 2)
    assert pair.inner_text() == f"{40 * math.sqrt(63):.0f}"  # 63 pixels differ by 40 grey levels, the corner by none


def test_curves_metric_log_scale_and_values_under_the_pointer(open_page, explorer):
    page = open_page(explorer, "#generation=2&arm=greedy")
    assert page.locator("#plot .band").count() == page.locator("#plot path.curve").count() == 2
    linear = page.locator("#plot path.curve").first.get_attribute("d")
    page.get_by_label("Log scale").check()
    assert hash_of(page)["log"] == "1"
    assert page.locator("#plot path.curve").first.get_attribute("d") != linear
    page.get_by_role("combobox", name="Metric", exact=True).select_option(label="Samples to training set (GS)")
    assert "log" not in hash_of(page) and hash_of(page)["space"] == "pixels"
    assert page.locator("#plot path.curve").count() == 4, "with a thin line for held-out images"
    page.locator("#table button", has_text="Kernel distance").click()
    assert page.get_by_label("Log scale").is_disabled()
    page.locator("#table button", has_text=FD).click()
    chart = page.locator("#plot > svg")
    last = {"x": chart.bounding_box()["width"] - 20, "y": 150}
    chart.hover(position=last)
    tip = page.locator("#tip").inner_text()
    assert tip.split() == ["Generation", "4", "main", "41.0", "±", "1.0", "greedy", "44.0", "±", "1.0"]
    chart.click(position=last)
    shows(page, "greedy", 0, 4)


def test_the_address_keeps_what_is_chosen(open_page, explorer):
    page = open_page(explorer, "#arm=greedy&seed=1&generation=3&metric=precision&space=classifier&log=1")
    shows(page, "greedy", 1, 3)
    assert page.locator("#metric option:checked").inner_text() == "Precision: realistic samples"
    page.keyboard.press("ArrowLeft")
    page.reload()
    shows(page, "greedy", 1, 2)
    assert page.get_by_label("Log scale").is_checked()


@pytest.mark.parametrize(
    "hash", ["#arm=nobody&seed=77&generation=99&metric=x&log=2", "#generation=-1&%%", "#" + "x" * 99]
)
def test_a_wrong_address_shows_something_that_exists(open_page, explorer, hash):
    page = open_page(explorer, hash)
    page.wait_for_selector("#first-grid canvas")
    assert hash_of(page)["arm"] == "main" and hash_of(page)["generation"] in ("1", "4")


def test_every_control_has_a_name_and_a_visible_focus(open_page, explorer):
    page = open_page(explorer)
    page.wait_for_selector("#first-grid canvas")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        found = page.evaluate("""() => {
            const e = document.activeElement, style = getComputedStyle(e);
            if (e === document.body) return null;
            const name = e.ariaLabel || e.labels?.[0]?.innerText || e.innerText || e.getAttribute("aria-labelledby");
            return [e.id || e.tagName, name.trim(), style.outlineStyle];
        }""")
        if found is None:
            break
        seen.append(found)
    assert {"arm", "seed", "play", "generation", "metric", "log"} <= {name for name, _, _ in seen}
    assert all(name and outline == "solid" for _, name, outline in seen), seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_screen_in_light_and_dark(open_page, explorer, width, scheme):
    page = open_page(explorer, viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.wait_for_selector("#first-grid canvas")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper, ink = page.evaluate(
        "(({backgroundColor, color}) => [backgroundColor, color])(getComputedStyle(document.body))"
    )
    assert (luminance(paper) > luminance(ink)) == (scheme == "light")
    contrast = sorted(luminance(color) + 0.05 for color in (paper, ink))
    assert contrast[1] / contrast[0] > 7, "WCAG AAA"


def luminance(color: str) -> float:
    """Relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_run_of_one_chain_leaves_the_arrows_to_the_page(open_page, tmp_path):
    arguments = write_run(tmp_path, arms=("main",), seeds=(0,))
    page = open_page(make_page(arguments, tmp_path / "one.html"))
    shows(page, "main", 0, 1)
    assert page.locator("#plot .band").count() == 1 and not page.locator("#plot .band").get_attribute("d")
    assert page.locator("#table thead th").all_inner_texts() == ["metric", "main", "n"]
    assert not page.locator(".for-arms").is_visible()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("() => scrollY > 0")


def test_a_closed_form_family_has_curves_only(open_page, tmp_path):
    arguments = write_run(tmp_path)
    position = arguments.index("--chains") + 1
    chains = json.loads(arguments[position])
    arguments[position] = json.dumps(
        [chain | {"pictured": [], "samples": {}, "training_set": {}, "tracked": {}} for chain in chains]
    )
    page = open_page(make_page(arguments, tmp_path / "curves.html"))
    assert not page.locator("#samples").is_visible() and not page.locator("#nearest").is_visible()
    page.keyboard.press("Home")
    assert hash_of(page)["generation"] == "1"
    page.keyboard.press("End")
    assert cell(page, FD, 0) == f"{fd('main', 0, GENERATIONS):g}"
