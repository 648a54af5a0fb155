"""A workflow in a folder of its own, run as a user runs it; and a browser that a page is opened in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


class Checkout:
    """A copy of the workflow in an empty folder, and `snakemake` run in it."""

    def __init__(self, folder: Path):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        for name in ("Snakefile", "config.yaml"):
            shutil.copy(ROOT / name, folder)
        for name in ("workflow", "envs"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        (folder / "profiles").symlink_to("workflow/profiles")

    def command(self, *arguments: str, config: str | None = None, cores: int = 2) -> list[str]:
        extra = ["--configfile", str(ROOT / "tests/e2e" / config)] if config else []
        return [sys.executable, "-m", "snakemake", "--cores", str(cores), *extra, "--", *arguments]

    def environment(self) -> dict:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path, "SNAKEMAKE_OUTPUT_CACHE": ""}

    def run(self, *arguments: str, config: str | None = None, cores: int = 2) -> subprocess.CompletedProcess:
        """Run to the end; `arguments` are targets."""
        command = self.command(*arguments, config=config, cores=cores)
        return subprocess.run(command, cwd=self.folder, env=self.environment(), capture_output=True, text=True)

    def dry_run(self, *arguments: str, config: str | None = None) -> str:
        """Return what a dry run says; `arguments` are targets."""
        extra = ["--configfile", str(ROOT / "tests/e2e" / config)] if config else []
        done = self.snakemake("-n", "--cores", "2", *extra, "--", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run snakemake with these arguments and no others."""
        command = [sys.executable, "-m", "snakemake", *arguments]
        return subprocess.run(command, cwd=self.folder, env=self.environment(), capture_output=True, text=True)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout"))


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
