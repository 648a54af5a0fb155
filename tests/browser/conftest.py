"""A made-up run's explorer.html, and a browser to look at it with."""

import os
import shutil
from pathlib import Path

import pytest
from made_up_run import make_page, write_run

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="session")
def explorer(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    return make_page(write_run(folder), folder / "explorer.html")


def find_browser() -> str | None:
    """Return the Chromium of the machine: $SELFLOOP_BROWSER, or the first on the path."""
    wanted = os.environ.get("SELFLOOP_BROWSER")
    return wanted or next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session")
def browser():
    executable = find_browser()
    if not executable:
        pytest.skip(f"no Chromium: none of {', '.join(BROWSERS)} is on the path, and SELFLOOP_BROWSER is not set")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the extra `dev`)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Return a function that opens a file and gives its page; at the end, nothing may have gone wrong in it.

    What counts as wrong: any error or warning on the console, an uncaught exception, any request but for the file
    itself and what it carries in it.
    """
    opened = []

    def open_file(path: Path, fragment: str = "", **options):
        page = browser.new_context(**options).new_page()
        page.wrong = []
        page.on("console", lambda message: _note_message(page, f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: page.wrong.append(f"exception: {error}"))
        page.on("request", lambda request: _note_request(page, request.url))
        page.goto(path.as_uri() + fragment)
        opened.append(page)
        return page

    yield open_file
    wrong = [text for page in opened for text in page.wrong]
    for page in opened:
        page.context.close()
    assert not wrong


def _note_message(page, text: str) -> None:
    if "willReadFrequently" not in text:  # advice to the tests, which read pixels back
        page.wrong.append(text)


def _note_request(page, url: str) -> None:
    if not url.startswith(("data:", "file:")) or (url.startswith("file:") and ".html" not in url):
        page.wrong.append(f"request: {url[:80]}")
