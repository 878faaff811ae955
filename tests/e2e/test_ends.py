"""How runs and sweeps end, when all is well and when it is not."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import SMALL, TINY, Finished, refused, train_here
from tests.e2e.runs import EXACT, rows, state
from vae_cli import registry
from vae_cli.config.learning_rate_schedule import ConstantConfig
from vae_cli.training import learning_rate_schedule

Command = Callable[..., Finished]


def test_run_in_use_is_refused_and_sigterm_saves_it(
    tmp_path: Path, command: Command
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "vae_cli", "train", *SMALL, "epochs=100000",
         "run_dir=run"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    deadline = time.perf_counter() + 120
    while not (tmp_path / "run" / "checkpoints" / "last.weights.h5").exists():
        assert time.perf_counter() < deadline and child.poll() is None
        time.sleep(0.05)
    second = command("train", f"resume={tmp_path / 'run'}")
    child.send_signal(signal.SIGTERM)
    _, errors = child.communicate(timeout=60)
    assert second.status == 1
    assert "run is being trained by another process" in second.stderr
    assert child.returncode == 130
    assert errors.rstrip().endswith("resume with: vae-train resume=run")
    assert "Traceback" not in errors


def test_non_finite_loss_stops_the_run_and_keeps_the_last_good_epoch(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Explodes(keras.optimizers.schedules.LearningRateSchedule):
        """The rate becomes infinite within the third epoch."""

        def __call__(self, step: tf.Tensor) -> tf.Tensor:
            return tf.where(step < 20, 0.01, float("inf"))

    assert learning_rate_schedule.constant in registry._builders.values()
    monkeypatch.setitem(
        registry._builders, ConstantConfig, lambda *arguments: Explodes()
    )
    done = command("train", *SMALL, "epochs=5", f"run_dir={tmp_path / 'run'}")
    assert done.status == 1
    assert "Traceback" not in done.stderr
    assert "the weights of epoch 2 are kept" in done.stderr
    assert "optimizer.learning_rate a tenth" in done.stderr
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert (status["state"], status["epoch"]) == ("failed", 2)
    assert status["error"].startswith("loss is nan")
    drawn = command("generate", f"run={tmp_path / 'run'}", "checkpoint=last")
    assert drawn.status == 0, drawn.stderr


def test_collapse_is_warned_of_once_with_remedies(
    tmp_path: Path, command: Command
) -> None:
    run = f"run_dir={tmp_path / 'run'}"
    done = command("train", *SMALL, "epochs=4", "beta=1000", "batch_size=1", run)
    assert done.status == 0, done.stderr
    assert done.stderr.count("posterior collapse: 0 of 2 latent units active") == 1
    for remedy in (
        "epochs=7  (960 steps",
        "kl_annealing=linear",
        "free_bits=",
        "beta=",
    ):
        assert remedy in done.stderr
    assert "posterior collapse" in (tmp_path / "run" / "train.log").read_text()


def test_run_too_short_to_learn_anything_says_so(
    tmp_path: Path, command: Command
) -> None:
    run = f"run_dir={tmp_path / 'run'}"
    done = command("train", *SMALL, "epochs=2", "beta=1000", run)
    assert "no latent unit is active after 16 steps, which are few" in done.stderr
    assert "epochs=188" in done.stderr


@pytest.mark.slow
def test_interrupted_sweep_saves_its_job_and_ends(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "vae_cli", "train", "-m", *SMALL, "epochs=100000",
         "seed=1,2", "hydra.sweep.dir=sweep"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    deadline = time.perf_counter() + 120
    while not list(tmp_path.glob("sweep/0-*/checkpoints/last.weights.h5")):
        assert time.perf_counter() < deadline and child.poll() is None
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert "Traceback" not in errors
    (job,) = tmp_path.glob("sweep/*/status.json")
    assert json.loads(job.read_text())["state"] == "interrupted"


@pytest.mark.slow
def test_job_of_a_sweep_that_is_killed_saves_and_ends(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "vae_cli", "train", "-m", *SMALL, "epochs=100000",
         "seed=1,2", "hydra.sweep.dir=sweep"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.perf_counter() + 120
    while not list(tmp_path.glob("sweep/0-*/checkpoints/last.weights.h5")):
        assert time.perf_counter() < deadline and child.poll() is None
        time.sleep(0.05)
    child.kill()
    child.wait()
    (job,) = tmp_path.glob("sweep/*/status.json")
    while (status := json.loads(job.read_text()))["state"] == "running":
        assert time.perf_counter() < deadline
        time.sleep(0.05)
    assert status["state"] == "interrupted"
    assert status["error"] != "stopped at once", "a second signal"


@pytest.mark.parametrize("annealing", ["cyclical", "linear"])
def test_early_stopping_under_cycles_of_beta_is_warned_of(
    tmp_path: Path, annealing: str
) -> None:
    options = ["early_stopping.patience=5", f"kl_annealing={annealing}"]
    run = train_here(tmp_path / "run", *TINY, "architecture=dense", *options)
    log = (run / "train.log").read_text()
    warned = (
        "early_stopping.patience=5 may stop within a cycle of kl_annealing=cyclical"
    )
    assert (warned in log) == (annealing == "cyclical")
    assert ("or kl_annealing=linear" in log) == (annealing == "cyclical")


def test_early_stopping_stops_and_keeps_the_best(tmp_path: Path) -> None:
    train_here(
        tmp_path / "run", *SMALL, "epochs=50", "early_stopping.patience=2",
        "optimizer.learning_rate=1e-12", "beta=0",
    )  # fmt: skip
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert len(rows(tmp_path / "run")) == metrics["best_epoch"] + 2


def test_run_without_validation_or_test_images_completes(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 9, 7), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images)
    train_here(
        tmp_path / "run", "dataset=npz", f"dataset.path={tmp_path / 'own.npz'}",
        "dataset.validation_size=0", "dataset.test_size=0", "likelihood=gaussian",
        "architecture=dense",
        "architecture.hidden_units=[16]", "latent_dim=1", "epochs=2",
    )  # fmt: skip
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"] is None
    assert rows(tmp_path / "run")[0]["val_loss"] == ""


def test_sweep_trains_each_job_as_if_alone(tmp_path: Path, command: Command) -> None:
    done = command(
        "train", "-m", *EXACT, "epochs=1", "seed=0,7",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    jobs = sorted(file.parent for file in tmp_path.glob("sweep/*/status.json"))
    assert [job.name[0] for job in jobs] == ["0", "1"]
    assert all(json.loads((j / "status.json").read_text())["state"] == "finished"
               for j in jobs)  # fmt: skip
    alone = train_here(tmp_path / "alone", *EXACT, "epochs=1", "seed=7")
    # threads that tests share don't add in one order: near, where seeds are the same
    for name, value in state(alone).items():
        np.testing.assert_allclose(state(jobs[1])[name], value, rtol=1e-3, atol=1e-6)
    assert rows(jobs[0])[0]["loss"] != rows(jobs[1])[0]["loss"]
    # its end says where it is, which job is best, and what to type next
    assert done.stdout == f"{tmp_path / 'sweep'}\n"
    bounds = [
        json.loads((j / "metrics.json").read_text())["best_neg_elbo"] for j in jobs
    ]
    best, other = sorted(range(2), key=lambda index: bounds[index])
    assert (
        f"{bounds[best]:10.2f}  {jobs[best].name}\n"
        f"  {bounds[other]:10.2f}  {jobs[other].name}\n"
        f"next: vae-evaluate run={tmp_path / 'sweep'}\n"
    ) in done.stderr


def test_sweep_whose_folder_can_not_be_made_is_refused(
    tmp_path: Path, command: Command
) -> None:
    (tmp_path / "file").touch()
    done = command(
        "train", "-m", *SMALL, "seed=1,2", f"hydra.sweep.dir={tmp_path / 'file'}"
    )
    refused(done, "The sweep folder can't be written", "hydra.sweep.dir=<folder>")
    assert done.status == 1


@pytest.mark.slow
def test_failed_job_is_named_and_the_others_run(
    tmp_path: Path, command: Command
) -> None:
    done = command(
        "train", "-m", *SMALL, "epochs=1", "optimizer.learning_rate=1e30,1e-3",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
    )  # fmt: skip
    assert done.status == 1
    assert "job 0" in done.stderr and "failed" in done.stderr
    assert "Traceback" not in done.stderr
    states = {
        run.parent.name[0]: json.loads(run.read_text())["state"]
        for run in (tmp_path / "sweep").glob("*/status.json")
    }
    assert states == {"0": "failed", "1": "finished"}
    # those that ended well are ranked nevertheless
    assert re.search(r"\d  1-optimizer.learning_rate=0.001", done.stderr), done.stderr
    assert done.stdout == f"{tmp_path / 'sweep'}\n"
