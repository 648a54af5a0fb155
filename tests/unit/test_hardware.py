"""Memory that a process frees is kept for what it asks for next."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from selfloop.hardware import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def fill():
    np.empty(2**26, np.uint8).fill(1)
fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone is told")
def test_a_large_block_is_not_asked_of_the_system_again():
    def faults(how):
        found = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
        return int(found.stdout)

    given_back, kept = faults("given back"), faults("kept")
    assert kept < 100 < given_back
