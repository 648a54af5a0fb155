"""A small chain on a real Slurm cluster, through workflow/profiles/slurm.

Needs a cluster that takes jobs from here: SELFLOOP_SLURM=1 python -m pytest tests/slurm
"""

import os
import shutil

import pytest
from conftest import ROOT

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(os.environ.get("SELFLOOP_SLURM") != "1", reason="no Slurm cluster (set SELFLOOP_SLURM=1)"),
]


def test_a_chain_runs_as_cluster_jobs(checkout):
    assert shutil.which("sbatch"), "SELFLOOP_SLURM=1, but sbatch is not on the path"
    config = str(ROOT / "tests/slurm/small.yaml")
    target = "results/gen2/fid.json"
    done = checkout.snakemake("--profile", "workflow/profiles/slurm", "--configfile", config, "--", target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SLURM" in done.stdout + done.stderr
    assert (checkout.folder / target).is_file()
