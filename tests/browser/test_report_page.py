"""`snakemake --report` of a small run in a real headless Chromium: every page and result is clicked through."""

import re
from pathlib import Path

import pytest
import yaml
from conftest import Checkout

pytestmark = pytest.mark.browser

CONFIG = {  # normal distributions: a whole run in seconds
    "generations": 2,
    "dataset": {
        "plugin": "workflow/plugins/datasets/normal.py", "params": {"n": 24, "replicates": 20}, "heldout": 4
    },
    "training_set": {"size": 10},
    "generator": {"plugin": "workflow/plugins/generators/gaussian.py"},
    "sampling": {"params": {}, "batch_size": 400},
    "embedder": {"batch_size": 400, "spaces": {
        "classifier": {"plugin": "workflow/plugins/embedders/pixels.py"}, "pixels": {}
    }},
    "selection": {"space": "pixels"},
    "evaluate": {"distribution": ["pixels"], "neighbours": ["pixels"]},
}  # fmt: skip

# The beginning of what is shown, relative to the area that it is shown in, when that is scrolled to its beginning.
BEGINNING = """() => {
    const area = document.querySelector(".grow.h-screen");
    area.scrollTo(0, 0);
    const place = area.getBoundingClientRect();
    const shown = area.querySelector("img, iframe, .prose").getBoundingClientRect();
    return [shown.left - place.left, shown.top - place.top, shown.width];
}"""


@pytest.fixture(scope="module")
def report(browser, tmp_path_factory) -> Path:
    """Run the workflow and make its report; `browser` comes first, so that without one nothing is run."""
    checkout = Checkout(tmp_path_factory.mktemp("report"))
    (checkout.folder / "small.yaml").write_text(yaml.safe_dump(CONFIG))
    for arguments in (["--cores", "2"], ["--cores", "1", "--report", "report.html"]):
        done = checkout.snakemake("--configfile", "small.yaml", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    return checkout.folder / "report.html"


def is_the_reports_own(text: str) -> bool:
    """Whether a warning is Snakemake's: of the style sheet that it embeds and of its plots of running times."""
    return "tailwindcss" in text or "Vega-Lite" in text or "Log scale domain" in text


def menu(page, name: str) -> None:
    page.locator("nav a", has_text=re.compile(rf"^\s*{re.escape(name)}\s*$")).first.click()


def test_every_page_and_result_is_shown_from_its_beginning(open_page, report):
    page = open_page(report, viewport={"width": 900, "height": 360})  # smaller than what is shown
    page.wait_for_selector(".prose")
    left, top, width = page.evaluate(BEGINNING)
    assert left >= 0 and top >= 0 and width > 200, "the text stands beside the menu, not behind it"
    assert "results/explorer.html" in page.locator(".prose").inner_text()
    found = {}
    for category in page.evaluate("Object.keys(categories)"):
        page.reload()
        menu(page, category)
        rows = page.locator("nav tbody tr")
        found[category] = [text.strip() for text in rows.all_inner_texts()]
        for position, label in enumerate(found[category]):
            if "CSV" in label:
                continue
            rows.nth(position).locator("a").first.click()
            page.wait_for_function("() => document.querySelector('.grow.h-screen img')?.complete !== false")
            left, top, width = page.evaluate(BEGINNING)
            assert left >= 0 and top >= 0 and width > 200, label
    assert set(found) >= {"Explorer", "Metrics", "Samples"}
    everything = ["all means and differences (CSV file)", "all metrics", "all metrics of the last generation",
                  "all numbers (CSV file)"]  # fmt: skip
    assert found["Metrics"][:4] == everything, "comes first"
    page.wrong = [text for text in page.wrong if not is_the_reports_own(text)]


def test_the_explorer_works_inside_the_report(open_page, report):
    page = open_page(report)
    menu(page, "Explorer")
    page.locator("nav tbody tr a").first.click()
    inside = page.frame_locator("iframe")
    inside.locator("#now").wait_for()
    inside.get_by_role("slider").press("End")
    assert inside.locator("#now").inner_text() == "Generation 2"
    page.wrong = [text for text in page.wrong if not is_the_reports_own(text)]


def test_every_caption_is_rendered(open_page, report):
    page = open_page(report)
    captions = page.evaluate("Object.values(results).map(result => result.caption)")
    page.wrong = [text for text in page.wrong if not is_the_reports_own(text)]
    assert captions and all(captions)
    assert not [text for text in captions if re.search(r"\{\{|\}\}|system-message|Unknown", text)]
