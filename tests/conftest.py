"""A workflow in a folder of its own, run as a user runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


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
