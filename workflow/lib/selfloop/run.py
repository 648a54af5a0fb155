"""A long stage at work: progress on stderr, checkpoints to resume from, throughput for the benchmarks folder."""

import fcntl
import shutil
import sys
import time
from pathlib import Path

from selfloop.files import atomic, write_json

_PROGRESS_SECONDS = 10.0


class Progress:
    """Rate-limited progress lines on stderr: ``train g3: 400/900 (44%), loss 0.0312, 1,200 images/s, 0:15 left``."""

    def __init__(self, label: str, unit: str = "images"):
        self.label, self.unit = label, unit
        self.started = self._printed = time.monotonic()
        self.done_here = 0  # units of work done by this process, for the rate

    def __call__(self, done: int, total: int, work: int = 1, **values: float) -> None:
        """Report ``done`` of ``total`` steps; ``work`` units were done since the last call."""
        self.done_here += work
        now = time.monotonic()
        if now - self._printed < _PROGRESS_SECONDS:
            return
        self._printed = now
        rate = self.done_here / (now - self.started)
        shown = "".join(f", {name} {float(value):.4g}" for name, value in values.items())
        left = int((total - done) * (self.done_here / max(done, 1)) / rate) if rate else 0
        print(f"{self.label}: {done:,}/{total:,} ({done / total:.0%}){shown}, {rate:,.0f} {self.unit}/s, "
              f"{left // 60}:{left % 60:02d} left", file=sys.stderr, flush=True)  # fmt: skip

    def finish(self, path: str | Path | None, **more: float) -> None:
        """Print the throughput and write it to ``path`` (JSON), which no other stage reads.

        ``more`` is other work that was done, by its unit: ``network_evaluations=20_000``.
        """
        seconds = max(time.monotonic() - self.started, 1e-9)
        record: dict[str, float] = {"seconds": round(seconds, 3)}
        rates = []
        for unit, work in {self.unit: self.done_here, **more}.items():
            rate = float(f"{work / seconds:.5g}")
            record |= {unit: work, f"{unit}_per_second": rate}
            shown = f"{rate:,.0f}" if rate >= 1 else f"{rate:.2g}"
            rates.append(f"{shown} {unit.replace('_', ' ')}/s")
        print(f"{self.label}: {self.done_here:,} {self.unit} in {seconds:.1f} s, {', '.join(rates)}",
              file=sys.stderr, flush=True)  # fmt: skip
        if path:
            write_json(path, record)


class Run:
    """What a generator's ``train`` is given: progress, a loss log, and checkpoints.

    The checkpoint lies in an undeclared folder beside the model (Snakemake deletes declared outputs before a run). It
    carries a fingerprint of inputs, parameters and results version: one that does not match is not resumed. An
    exclusive lock keeps a second process (an orphan of a killed cluster head) from training the same model.
    """

    def __init__(self, folder: str | Path, fingerprint: str, label: str):
        self.folder, self.fingerprint, self.label = Path(folder), fingerprint, label
        self.progress_line = Progress(label)
        self.losses: list[tuple[int, float]] = []  # (step, mean loss since the row before)
        self._sum, self._count = 0.0, 0

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.folder / "lock", "w")
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._say("another process is training this model; waiting for it to end")
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)  # whoever held the lock before may have removed it
        self._lock.close()

    def progress(self, step: int, total: int, *, loss=None, nimg: int = 1) -> None:
        """Say that ``step`` of ``total`` is done; ``loss`` may be a tensor on any device and is read rarely."""
        if loss is not None:
            self._sum, self._count = self._sum + loss.detach(), self._count + 1
            if step % max(1, total // 200) == 0 or step == total:
                self.losses.append((step, float(self._sum) / self._count))
                self._sum, self._count = 0.0, 0
        values = {"loss": self.losses[-1][1]} if self.losses else {}
        self.progress_line(step, total, work=nimg, **values)

    def load_checkpoint(self) -> dict | None:
        """Return the state that was saved last for exactly this job, or None."""
        import torch

        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return None
        try:
            saved = torch.load(path, weights_only=True)
        except Exception as error:  # torch raises several types for a damaged file; training anew loses only time
            self._say(f"the checkpoint cannot be read ({error}); starting anew")
            return None
        if saved["fingerprint"] != self.fingerprint:
            self._say("the checkpoint is of other inputs or parameters; starting anew")
            return None
        self._say(f"resuming from the checkpoint at step {saved['state']['step']:,}")
        self.losses, self._sum, self._count = [tuple(row) for row in saved["losses"]], *saved["open_row"]
        return saved["state"]

    def save_checkpoint(self, state: dict) -> None:
        """Save ``state`` (tensors, numbers, containers of them; with a key ``step``) atomically."""
        import torch

        open_row = [float(self._sum), self._count]
        record = {"fingerprint": self.fingerprint, "state": state, "losses": self.losses, "open_row": open_row}
        with atomic(self.folder / "checkpoint.pt") as temporary:
            torch.save(record, temporary)

    def _say(self, message: str) -> None:
        print(f"{self.label}: {message}", file=sys.stderr, flush=True)

    def write_losses(self, path: str | Path | None) -> None:
        """Write the loss log: ``step`` and the mean ``loss`` since the row before, tab-separated."""
        if path and self.losses:
            rows = "".join(f"{step}\t{loss:.8g}\n" for step, loss in self.losses)
            with atomic(path) as temporary:
                temporary.write_text("step\tloss\n" + rows)


class FollowerRun(Run):
    """The run of the other processes of a team: it resumes from the checkpoint of the first and writes nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def progress(self, step: int, total: int, *, loss=None, nimg: int = 1) -> None:
        """Take the report; the first process makes it."""

    def save_checkpoint(self, state: dict) -> None:
        """Leave it to the first process, whose state is the same."""

    def _say(self, message: str) -> None:
        pass
