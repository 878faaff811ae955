"""Resuming: to the bit, wherever a run was stopped or killed."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SMALL, Finished, train_here, vae
from tests.e2e.runs import LAYERED, SHORT_LADDER, STATEFUL, assert_equal_runs, rows

Command = Callable[..., Finished]
ALONE = (*STATEFUL, "deterministic=true")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("uninterrupted")
    return train_here(root / "run", *STATEFUL, "epochs=4")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in a process of its own, where one thread repeats each bit."""
    root = tmp_path_factory.mktemp("alone")
    done = vae("train", *ALONE, "epochs=4", "run_dir=run", cwd=root)
    assert done.status == 0, done.stderr
    return root / "run"


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_here(tmp_path_factory.mktemp("layered") / "run", *LAYERED, "epochs=4")


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_here(
        tmp_path_factory.mktemp("ladder") / "run", *SHORT_LADDER, "epochs=4"
    )


@pytest.mark.parametrize(
    ("settings", "whole"),
    [
        pytest.param(STATEFUL, "uninterrupted", id="stateful"),
        pytest.param(SHORT_LADDER, "ladder", id="ladder", marks=pytest.mark.slow),
        pytest.param(LAYERED, "layered", id="layered", marks=pytest.mark.slow),
    ],
)
def test_resumed_run_equals_uninterrupted_run(
    settings: tuple[str, ...],
    whole: str,
    tmp_path: Path,
    command: Command,
    request: pytest.FixtureRequest,
) -> None:
    uninterrupted = request.getfixturevalue(whole)
    run = train_here(tmp_path / "run", *settings, "epochs=2")
    resumed = command("train", f"resume={run}", "epochs=4")
    assert resumed.status == 0, resumed.stderr
    assert_equal_runs(uninterrupted, run)
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert len(environment["resumed"]) == 1


@pytest.mark.slow
def test_run_stopped_within_an_epoch_resumes_at_that_step(
    alone: Path, tmp_path: Path
) -> None:
    # stops itself as if Ctrl-C had come during step 12 of 8 an epoch
    program = """
import signal, sys
from vae_cli.training import callbacks
before = callbacks.Guard.on_train_batch_end
def stop_at_twelve(self, batch, logs):
    if self._progress.step == 12:
        signal.raise_signal(signal.SIGINT)
    before(self, batch, logs)
callbacks.Guard.on_train_batch_end = stop_at_twelve
from vae_cli.cli import main
main()
"""
    stopped = subprocess.run(
        [sys.executable, "-c", program, "train", *ALONE, "epochs=4", "run_dir=run"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert stopped.returncode == 130, stopped.stderr
    assert "saved after step 4 of 8 in epoch 2" in stopped.stderr
    assert "vae-train resume=run" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert (status["state"], status["epoch"]) == ("interrupted", 1)
    resumed = vae("train", "resume=run", cwd=tmp_path)
    assert resumed.status == 0, resumed.stderr
    assert_equal_runs(alone, tmp_path / "run")


@pytest.mark.slow
def test_run_killed_during_saves_resumes_exactly(alone: Path, tmp_path: Path) -> None:
    # SIGKILL before the weights of the second epoch are saved, before the state of the
    # third, before the names of the fourth
    program = """
import os, signal, sys
from vae_cli.training.checkpoints import Checkpoints
moment, epoch = sys.argv.pop(1), int(sys.argv.pop(1))
before = getattr(Checkpoints, moment)
def killed(self, *arguments):
    if os.path.exists("run/metrics.csv"):
        if len(open("run/metrics.csv").readlines()) == 1 + epoch:
            os.kill(os.getpid(), signal.SIGKILL)
    return before(self, *arguments)
setattr(Checkpoints, moment, killed)
from vae_cli.cli import main
main()
"""
    resume = ("resume=latest", "output_root=.")
    for epoch, moment, arguments in (
        (2, "_pending", (*ALONE, "epochs=4", "run_dir=run")),
        (3, "save_state", resume),
        (4, "_settle", resume),
    ):
        killed = subprocess.run(
            [sys.executable, "-c", program, moment, str(epoch), "train", *arguments],
            capture_output=True,
            cwd=tmp_path,
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = vae("train", *resume, cwd=tmp_path)
    assert resumed.status == 0, resumed.stderr
    assert_equal_runs(alone, tmp_path / "run")


def test_finished_run_is_resumed_only_with_more_epochs(trained: Path) -> None:
    done = vae("train", "resume=run", cwd=trained.parent)
    assert done.status == 1
    assert "finished" in done.stderr and "epochs=12" in done.stderr
    fewer = vae("train", "resume=run", "epochs=2", cwd=trained.parent)
    assert fewer.status == 1
    assert "epochs=2 is less than the run's 6" in fewer.stderr


def test_metrics_of_an_older_version_survive_a_resume(
    tmp_path: Path, command: Command
) -> None:
    run = train_here(tmp_path / "run", *SMALL, "epochs=1")
    file = run / "metrics.csv"
    # as if the last column did not exist yet
    cut = [line.rpartition(",")[0] for line in file.read_text().splitlines()]
    file.write_text("\n".join(cut) + "\n")
    second = command("train", f"resume={run}", "epochs=2")
    assert second.status == 0, second.stderr
    kept = rows(run)
    assert [row["epoch"] for row in kept] == ["1", "2"]
    assert "val_active_units" not in kept[0]
