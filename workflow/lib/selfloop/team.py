"""The processes that train one model together on one machine: each takes a share of every batch.

The first process starts the others as copies of its own command. On GPUs each has one, on a CPU each has the threads
of the stage. What they compute is what one process with the whole batch computes, up to the order of the sums.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from selfloop.errors import UserError

_RANK, _MEETING = "SELFLOOP_TEAM_RANK", "SELFLOOP_TEAM_MEETING"
_PATIENCE = timedelta(minutes=30)  # for the others, who may be compiling


def rank() -> int:
    """Return which process of its team this one is, from 0; a copy is told by its environment."""
    return int(os.environ.get(_RANK, 0))


class Team:
    """A context manager around a training: ``rank`` of ``size`` processes.

    The first process meets the others in a private folder; when it ends, they end, and when one of them fails, it
    fails. ``device`` is cpu or cuda; with cuda, process r takes the r-th GPU.
    """

    def __init__(self, size: int, device: str):
        self.rank, self.size, self.device = rank(), size, device
        self._watching = True

    def __enter__(self):
        if self.size == 1:
            return self
        if self.device.startswith("cuda"):
            self._take_gpu()
        if self.rank == 0:
            self._folder = Path(tempfile.mkdtemp(prefix="selfloop-team-"))
            self._others = [self._start(r) for r in range(1, self.size)]
            threading.Thread(target=self._watch_others, daemon=True).start()
        else:
            self._folder = Path(os.environ[_MEETING])
            threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
        self._join()
        return self

    def __exit__(self, kind, *_):
        if self.size == 1:
            return
        if kind is None:
            import torch.distributed

            torch.distributed.destroy_process_group()
        if self.rank == 0:
            self._watching = False
            for other in self._others:
                other.wait() if kind is None else other.kill()
            shutil.rmtree(self._folder, ignore_errors=True)

    def share(self, n: int) -> slice:
        """Return this process's rows of a batch of ``n``."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def add(self, tensors: Sequence) -> None:
        """Replace each of the ``tensors`` (floats of one dtype), in place, by its sum over the processes.

        One message for all of them.
        """
        if self.size == 1:
            return
        import torch
        from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

        flat = _flatten_dense_tensors(tensors)
        torch.distributed.all_reduce(flat)
        torch._foreach_copy_(list(tensors), list(_unflatten_dense_tensors(flat, tensors)))

    def _start(self, r: int) -> subprocess.Popen:
        environment = os.environ | {_RANK: str(r), _MEETING: str(self._folder)}
        return subprocess.Popen([sys.executable, *sys.argv], env=environment, stdin=subprocess.DEVNULL)

    def _take_gpu(self) -> None:
        import torch

        found = torch.cuda.device_count()
        if found < self.size:
            raise UserError(f"train_processes: {self.size} want a GPU each, torch finds {found}")
        torch.cuda.set_device(self.rank)

    def _join(self) -> None:
        import torch.distributed

        # all are on this machine, which may have no network and no name
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
        backend = "nccl" if self.device.startswith("cuda") else "gloo"
        torch.distributed.init_process_group(
            backend, init_method=f"file://{self._folder}/meeting", rank=self.rank,
            world_size=self.size, timeout=_PATIENCE,
        )  # fmt: skip

    def _watch_others(self) -> None:
        while self._watching:
            failed = [other.pid for other in self._others if other.poll() not in (None, 0)]
            if failed and self._watching:
                print("ERROR: a process of this training failed; see above", file=sys.stderr, flush=True)
                shutil.rmtree(self._folder, ignore_errors=True)
                os._exit(2)
            time.sleep(0.5)


def _end_with_parent(parent: int) -> None:
    """End this process when the first one is gone, also where that one was killed."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
