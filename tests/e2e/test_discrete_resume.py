"""Discrete codes: both stages resume to the bit, and replicas share the codebook."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Finished, train_here, vae
from tests.e2e.runs import VQ, assert_equal_runs, rows
from vae_cli.errors import Interrupted
from vae_cli.training import code_prior
from vae_cli.training.stop import StopSignal

Command = Callable[..., Finished]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_here(tmp_path_factory.mktemp("whole") / "run", *VQ, "epochs=2")


def assert_equal_priors(one: Path, other: Path) -> None:
    """Bitwise equal networks, optimizers and metrics of the second stage."""
    found = []
    for run in (one, other):
        with np.load(run / "checkpoints/prior_state.npz") as file:
            arrays = {name: file[name] for name in file.files}
        progress = json.loads(str(arrays.pop("progress")))
        progress["rows"] = [[row[0], *row[2:]] for row in progress["rows"]]
        found.append((progress, arrays))
    assert found[0][0] == found[1][0]
    assert found[0][1].keys() == found[1][1].keys()
    for name, value in found[0][1].items():
        np.testing.assert_array_equal(value, found[1][1][name], err_msg=name)


@pytest.mark.slow
def test_both_stages_go_on_where_they_were_interrupted(
    whole: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vae_cli.config.compose import composed
    from vae_cli.training.session import train

    run = train_here(tmp_path / "run", *VQ, "epochs=1")
    stop, words = StopSignal(), [f"resume='{run}'", "epochs=2"]
    before = code_prior.PriorTraining._end_epoch

    def stopped(self: code_prior.PriorTraining, *figures: float) -> None:
        before(self, *figures)
        stop.received = True

    with monkeypatch.context() as patch, pytest.raises(Interrupted) as interrupted:
        patch.setattr(code_prior.PriorTraining, "_end_epoch", stopped)
        train(composed("train", words), words, stop)
    assert "saved after epoch 1 of the prior of the codes" in str(interrupted.value)
    status = json.loads((run / "status.json").read_text())
    assert (status["state"], status["epoch"]) == ("interrupted", 2)
    # the run can be used before its prior is complete
    evaluated = command("evaluate", f"run={run}")
    assert evaluated.status == 0, evaluated.stderr
    assert "the prior of codes is uniform: none was learned yet" in evaluated.stderr
    resumed = command("train", f"resume={run}")
    assert resumed.status == 0, resumed.stderr
    assert "2 epochs on 240 images after 1" in resumed.stderr
    assert_equal_runs(whole, run)
    assert_equal_priors(whole, run)


@pytest.mark.slow
def test_prior_killed_between_its_epochs_goes_on_exactly(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from vae_cli.training.code_prior import PriorTraining
before = PriorTraining._end_epoch
def killed(self, *figures):
    if self._progress.epoch == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    before(self, *figures)
PriorTraining._end_epoch = killed
from vae_cli.cli import main
main()
"""
    words = (*VQ, "deterministic=true", "epochs=1")
    done = vae("train", *words, "run_dir=whole", cwd=tmp_path)
    assert done.status == 0, done.stderr
    killed = subprocess.run(
        [sys.executable, "-c", program, "train", *words, "run_dir=run"],
        capture_output=True,
        cwd=tmp_path,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = vae("train", "resume=run", cwd=tmp_path)
    assert resumed.status == 0, resumed.stderr
    assert_equal_runs(tmp_path / "whole", tmp_path / "run")
    assert_equal_priors(tmp_path / "whole", tmp_path / "run")


@pytest.mark.slow
def test_devices_of_one_process_learn_the_codebook_that_one_does(
    whole: Path, tmp_path: Path
) -> None:
    devices = ("distribution=mirrored", "distribution.devices=[CPU:0,CPU:1]")
    words = (*VQ, *devices, "epochs=2", "run_dir=run")
    done = vae("train", *words, cwd=tmp_path)
    assert done.status == 0, done.stderr
    timing = ("seconds", "images_per_second")
    figures = [
        [
            {k: float(v) for k, v in row.items() if v and k not in timing}
            for row in rows(run)
        ]
        for run in (whole, tmp_path / "run")
    ]
    for one, two in zip(*figures, strict=True):
        assert two == pytest.approx(one, rel=1e-3)
