"""A full disk ends a run with one message and a status that says so."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SMALL, Finished
from vae_cli.runs.record import RESERVE
from vae_cli.training.checkpoints import Checkpoints

Command = Callable[..., Finished]


def test_full_disk_in_training_is_one_message_and_a_failed_status(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"

    def fill(*arguments: object) -> None:
        assert (run / RESERVE).stat().st_size == 64 * 1024
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Checkpoints, "save_epoch", fill)
    done = command("train", *SMALL, "epochs=2", f"run_dir={run}")
    assert done.status == 1
    assert "Traceback" not in done.stderr
    assert "the disk is full" in done.stderr
    assert f"resume with: vae-train resume={run}" in done.stderr
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "failed"
    assert not (run / RESERVE).exists()


def test_finished_run_holds_no_reserve(trained: Path) -> None:
    assert not (trained / RESERVE).exists()
