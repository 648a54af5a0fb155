"""Threads for whole blocks of work with BLAS held at one each: no waiting for one another within a product.

Results are then the same to the bit whatever their number.
"""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor


@contextlib.contextmanager
def blas_threads() -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """Give (executor, number of threads): as many as BLAS was given (OMP_NUM_THREADS), BLAS at one thread meanwhile."""
    from threadpoolctl import ThreadpoolController

    blas = ThreadpoolController().select(user_api="blas")
    workers = max((library.num_threads for library in blas.lib_controllers), default=1)
    with blas.limit(limits=1), ThreadPoolExecutor(workers) as threads:
        yield threads, workers
