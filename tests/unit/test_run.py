"""Progress, checkpoints that are not resumed for another job, the lock."""

import multiprocessing
import time

import torch

from selfloop.run import Run


class _Peek(Run):
    """Leaves the folder as a killed process would. (POSIX locks do not exclude their own process.)"""

    def __exit__(self, *_):
        pass


def test_a_checkpoint_comes_back_with_its_losses(tmp_path):
    with Run(tmp_path / "c", "mark", "train g1") as run:
        for step in (1, 2, 3):
            run.progress(step, 3, loss=torch.tensor(float(step)))
        run.save_checkpoint({"step": 3, "x": torch.arange(3)})
        with _Peek(tmp_path / "c", "mark", "train g1") as again:
            state = again.load_checkpoint()
            assert state["step"] == 3 and state["x"].tolist() == [0, 1, 2]
            assert again.losses == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_a_checkpoint_of_another_job_is_not_resumed(tmp_path, capsys):
    with _Peek(tmp_path / "c", "mark", "train g1") as run:
        run.save_checkpoint({"step": 1})
    with _Peek(tmp_path / "c", "other mark", "train g1") as run:
        assert run.load_checkpoint() is None
    assert "of other inputs or parameters; starting anew" in capsys.readouterr().err


def test_a_damaged_checkpoint_costs_time_only(tmp_path, capsys):
    with _Peek(tmp_path / "c", "mark", "train g1") as run:
        run.save_checkpoint({"step": 1})
        whole = (tmp_path / "c/checkpoint.pt").read_bytes()
        (tmp_path / "c/checkpoint.pt").write_bytes(whole[:100])
        assert run.load_checkpoint() is None
    assert "cannot be read" in capsys.readouterr().err


def test_success_removes_the_folder_and_failure_keeps_it(tmp_path):
    with Run(tmp_path / "c", "mark", "train g1"):
        pass
    assert not (tmp_path / "c").exists()
    try:
        with Run(tmp_path / "c", "mark", "train g1") as run:
            run.save_checkpoint({"step": 1})
            raise RuntimeError("killed")
    except RuntimeError:
        pass
    assert (tmp_path / "c/checkpoint.pt").exists()


def _hold(folder, seconds, held):
    with Run(folder, "mark", "train g1"):
        held.set()
        time.sleep(seconds)


def test_a_second_process_waits_for_the_first(tmp_path, capsys):
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    first = context.Process(target=_hold, args=(tmp_path / "c", 1.5, held))
    first.start()
    assert held.wait(60)
    started = time.monotonic()
    with Run(tmp_path / "c", "mark", "train g1"):
        assert time.monotonic() - started > 0.5
    first.join()
    assert "another process is training this model" in capsys.readouterr().err
