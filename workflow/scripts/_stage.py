"""What every stage script does first and last: find the library, fix the threads, answer a user's mistake in one line.

Import it before numpy or selfloop: the number of threads of BLAS and OpenMP is read when they load.
"""

import argparse
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

_SCRIPTS = Path(__file__).resolve().parent
# The library goes in, the folder of the scripts out: select.py in it would hide Python's own module of that name.
sys.path[:] = [str(_SCRIPTS.parent / "lib"), *(entry for entry in sys.path if Path(entry or ".").resolve() != _SCRIPTS)]
# Modules live to the end: looking for garbage among them takes a tenth of the time that it takes to load them.
gc.set_threshold(100_000, 20, 100)
if "--threads" in sys.argv[:-1]:
    for _library in ("OMP", "OPENBLAS", "MKL", "VECLIB", "NUMEXPR"):
        os.environ[f"{_library}_NUM_THREADS"] = sys.argv[sys.argv.index("--threads") + 1]

from selfloop.errors import UserError


def parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of a stage, with the options that all stages have."""
    result = argparse.ArgumentParser(
        description=description, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("--threads", type=int, default=1, help="CPU threads; sums differ between 1 and 2 (default 1)")
    return result


def stage(main: Callable[[], None]) -> None:
    """Run ``main``; a UserError becomes one line and exit status 2, anything else keeps its traceback.

    A stage that has succeeded ends at once: torch would take half a second to take itself apart.
    """
    try:
        main()
    except UserError as error:
        sys.exit(_fail(error))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _fail(error: UserError) -> int:
    print(f"ERROR: {error}", file=sys.stderr)
    return 2
