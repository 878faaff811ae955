import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SMALL, vae

EXACT = (*SMALL, "deterministic=true", "latent_dim=2")
"""Everything that could break exact resume, at once."""
STATEFUL = (
    *EXACT,
    "dataset.binarize=dynamic",
    "architecture.dropout=0.1",
    "architecture.normalization=batch",
    "optimizer.ema_decay=0.9",
    "kl_annealing=cyclical",
    "kl_annealing.period=2",
    "learning_rate_schedule=step",
    "learning_rate_schedule.every_epochs=2",
)

LAYERED = (
    *EXACT,
    "latent_dim=4",
    "hierarchy=two_level",
    "hierarchy.hidden_units=[8]",
    "prior=vamp",
    "prior.components=5",
    "prior.start=data",
    "objective=iwae",
    "objective.samples=3",
    "kl_annealing=linear",
    "kl_annealing.duration=3",
)
"""Two levels, a learned prior and a bound of several samples."""


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def state(run: Path) -> dict[str, np.ndarray]:
    with np.load(run / "checkpoints" / "training_state.npz") as file:
        return {name: file[name] for name in file.files if name != "progress"}


def assert_equal_runs(one: Path, other: Path) -> None:
    """Bitwise equal weights, optimizer, metrics and best weights."""
    first, second = state(one), state(other)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    timing = ("seconds", "images_per_second")
    strip = [
        [{k: v for k, v in row.items() if k not in timing} for row in rows(run)]
        for run in (one, other)
    ]
    assert strip[0] == strip[1]
    tests = [json.loads((r / "metrics.json").read_text())["test"] for r in (one, other)]
    assert tests[0] == tests[1]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("uninterrupted")
    done = vae("train", *STATEFUL, "epochs=4", "run_dir=run", cwd=root)
    assert done.status == 0, done.stderr
    return root / "run"


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("layered")
    done = vae("train", *LAYERED, "epochs=4", "run_dir=run", cwd=root)
    assert done.status == 0, done.stderr
    return root / "run"


def test_finished_run_holds_every_promised_file(trained: Path) -> None:
    for name in (
        "config.yaml", "environment.json", "status.json", "data.json", "metrics.csv",
        "metrics.json", "train.log", "checkpoints/best.weights.h5",
        "checkpoints/last.weights.h5", "checkpoints/training_state.npz",
        "model/encoder.keras", "model/decoder.keras", "figures/curves.png",
        "figures/samples.png", "figures/reconstructions.png", "figures/latent.png",
    ):  # fmt: skip
        assert (trained / name).stat().st_size > 0, name
    assert not list(trained.glob("checkpoints/*epoch*")), "no pending file stays"
    assert json.loads((trained / "status.json").read_text()) == {
        "state": "finished",
        "epoch": 6,
        "error": None,
    }
    assert {f.parent.name for f in trained.glob("tensorboard/*/events*")} == {
        "train", "validation", "images",
    }  # fmt: skip


def test_loss_is_reconstruction_plus_beta_times_kl_in_every_row(
    uninterrupted: Path, layered: Path, trained: Path
) -> None:
    betas = set()
    for row in (*rows(uninterrupted), *rows(layered), *rows(trained)):
        for prefix in ("", "val_"):
            parts = float(row[f"{prefix}reconstruction_loss"])
            parts += float(row["beta"]) * float(row[f"{prefix}kl_loss"])
            assert float(row[f"{prefix}loss"]) == pytest.approx(parts, rel=1e-6)
        betas.add(row["beta"])
    assert len(betas) > 2, "annealing must have changed beta"


def test_best_epoch_is_the_one_of_smallest_validation_neg_elbo(trained: Path) -> None:
    values = [float(row["val_neg_elbo"]) for row in rows(trained)]
    best = json.loads((trained / "metrics.json").read_text())["best_epoch"]
    assert best == 1 + int(np.argmin(values))


def test_importance_weighted_run_is_judged_by_its_own_bound(layered: Path) -> None:
    values = [float(row["val_neg_iwae"]) for row in rows(layered)]
    metrics = json.loads((layered / "metrics.json").read_text())
    assert metrics["best_epoch"] == 1 + int(np.argmin(values))
    assert metrics["best_neg_iwae"] == pytest.approx(min(values))


def test_importance_weighted_run_has_its_bound_after_the_promised_columns(
    layered: Path,
) -> None:
    columns = (layered / "metrics.csv").read_text().splitlines()[0].split(",")
    parts = ("loss", "reconstruction_loss", "kl_loss", "neg_elbo", "active_units")
    assert columns == [
        *("epoch", "seconds", "images_per_second", "learning_rate", "beta"),
        *(*parts, *(f"val_{part}" for part in parts)),
        *("neg_iwae", "val_neg_iwae"),
    ]
    full = 0
    for row in rows(layered):
        for prefix in ("", "val_"):
            # three samples tell no less than one; the margin is their noise
            bound, elbo = (float(row[prefix + b]) for b in ("neg_iwae", "neg_elbo"))
            assert bound < elbo + 0.05
        if row["beta"] == "1.0":
            full += 1
            loss, bound = float(row["val_loss"]), float(row["val_neg_iwae"])
            assert loss == pytest.approx(bound, rel=1e-5)
    assert full, "annealing must have ended"


def test_best_weights_reproduce_their_validation_score(uninterrupted: Path) -> None:
    # averaged weights, binarized images and fixed noise included
    from vae_cli.data.prepare import load_data
    from vae_cli.evaluation.bounds import evaluate_elbo
    from vae_cli.runs.folder import RunFolder
    from vae_cli.runs.trained import load_trained

    run = load_trained(RunFolder(uninterrupted), "best")
    images = load_data(run.config.dataset).validation.images
    metrics = json.loads((uninterrupted / "metrics.json").read_text())
    row = rows(uninterrupted)[metrics["best_epoch"] - 1]
    score = evaluate_elbo(run.vae, images, run.config.seed, batch_size=7)
    assert score.neg_elbo == pytest.approx(float(row["val_neg_elbo"]), rel=1e-5)


def test_exported_encoder_gives_the_test_kl_without_this_package(
    trained: Path, tmp_path: Path
) -> None:
    program = """
import sys, json, numpy as np
sys.modules["vae_cli"] = None  # importing it would fail
import keras
images = np.load(sys.argv[2])["images"]
q = keras.saving.load_model(sys.argv[1] + "/model/encoder.keras").predict(
    images / np.float32(255), verbose=0)
kl = 0.5 * (q["mean"]**2 + np.exp(q["log_var"]) - q["log_var"] - 1).sum(1).mean()
p = keras.saving.load_model(sys.argv[1] + "/model/decoder.keras").predict(
    q["mean"], verbose=0)
print(json.dumps([float(kl), float(p.min()), float(p.max()), list(p.shape)]))
"""
    from vae_cli.data.prepare import load_data
    from vae_cli.runs.folder import RunFolder

    test = load_data(RunFolder(trained).load_config().dataset).test
    assert test is not None
    np.savez(tmp_path / "test.npz", images=test.images)
    done = subprocess.run(
        [sys.executable, "-c", program, str(trained), str(tmp_path / "test.npz")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    kl, low, high, shape = json.loads(done.stdout.splitlines()[-1])
    saved = json.loads((trained / "metrics.json").read_text())["test"]
    assert kl == pytest.approx(saved["kl_loss"], abs=1e-4)
    assert 0 <= low < high <= 1
    assert shape == [60, 12, 12, 1]


@pytest.mark.parametrize(
    ("settings", "whole"),
    [(STATEFUL, "uninterrupted"), (LAYERED, "layered")],
    ids=["stateful", "layered"],
)
def test_resumed_run_equals_uninterrupted_run(
    settings: tuple[str, ...],
    whole: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    uninterrupted = request.getfixturevalue(whole)
    first = vae("train", *settings, "epochs=2", "run_dir=run", cwd=tmp_path)
    assert first.status == 0, first.stderr
    second = vae("train", "resume=run", "epochs=4", cwd=tmp_path)
    assert second.status == 0, second.stderr
    assert_equal_runs(uninterrupted, tmp_path / "run")
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert len(environment["resumed"]) == 1


def test_run_stopped_within_an_epoch_resumes_at_that_step(
    uninterrupted: Path, tmp_path: Path
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
        [sys.executable, "-c", program, "train", *STATEFUL, "epochs=4", "run_dir=run"],
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
    assert_equal_runs(uninterrupted, tmp_path / "run")


@pytest.mark.parametrize(
    "moment",
    ["_pending", "save_state", "_settle"],
    ids=["before weights", "before state", "before names"],
)
def test_run_killed_during_a_save_resumes_exactly(
    uninterrupted: Path, tmp_path: Path, moment: str
) -> None:
    # SIGKILL as the third epoch is being saved
    program = f"""
import os, signal
from vae_cli.training.checkpoints import Checkpoints
before = Checkpoints.{moment}
calls = []
def killed(self, *arguments):
    epochs = [row for row in open("run/metrics.csv")] if os.path.exists(
        "run/metrics.csv") else []
    if len(epochs) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return before(self, *arguments)
Checkpoints.{moment} = killed
from vae_cli.cli import main
main()
"""
    killed = subprocess.run(
        [sys.executable, "-c", program, "train", *STATEFUL, "epochs=4", "run_dir=run"],
        capture_output=True,
        cwd=tmp_path,
    )
    assert killed.returncode == -signal.SIGKILL
    resumed = vae("train", "resume=latest", "output_root=.", cwd=tmp_path)
    assert resumed.status == 0, resumed.stderr
    assert_equal_runs(uninterrupted, tmp_path / "run")


def test_sigterm_saves_and_says_how_to_resume(tmp_path: Path) -> None:
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
    child.send_signal(signal.SIGTERM)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert errors.rstrip().endswith("go on with: vae-train resume=run")
    assert "Traceback" not in errors


def test_folder_in_use_is_refused(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "vae_cli", "train", *SMALL, "epochs=100000",
         "run_dir=run"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.perf_counter() + 120
        while not (tmp_path / "run" / "status.json").exists():
            assert time.perf_counter() < deadline and child.poll() is None
            time.sleep(0.05)
        done = vae("train", "resume=run", cwd=tmp_path)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert done.status == 1
    assert "run is being trained by another process" in done.stderr


def test_finished_run_is_resumed_only_with_more_epochs(trained: Path) -> None:
    done = vae("train", "resume=run", cwd=trained.parent)
    assert done.status == 2
    assert "finished" in done.stderr and "epochs=12" in done.stderr
    fewer = vae("train", "resume=run", "epochs=2", cwd=trained.parent)
    assert fewer.status == 2
    assert "epochs=2 is less than the run's 6" in fewer.stderr


def test_non_finite_loss_stops_the_run_and_keeps_the_last_good_epoch(
    tmp_path: Path,
) -> None:
    # the rate becomes infinite within the third epoch
    program = """
import keras, tensorflow as tf
from vae_cli.training import optimizers
class Explodes(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return tf.where(step < 20, 0.01, float("inf"))
optimizers.learning_rate = lambda *arguments: Explodes()
from vae_cli.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "train", *SMALL, "epochs=5", "run_dir=run"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "the weights of epoch 2 are kept" in done.stderr
    assert "optimizer.learning_rate a tenth" in done.stderr
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert (status["state"], status["epoch"]) == ("failed", 2)
    assert status["error"].startswith("loss is nan")
    drawn = vae("generate", "run=run", "checkpoint=last", cwd=tmp_path)
    assert drawn.status == 0, drawn.stderr


def test_collapse_is_warned_of_once_with_remedies(tmp_path: Path) -> None:
    done = vae("train", *SMALL, "epochs=4", "beta=1000", "run_dir=run", cwd=tmp_path)
    assert done.status == 0, done.stderr
    assert done.stderr.count("posterior collapse: 0 of 2 latent units active") == 1
    for remedy in ("kl_annealing=linear", "free_bits=", "beta="):
        assert remedy in done.stderr
    assert "posterior collapse" in (tmp_path / "run" / "train.log").read_text()


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


def test_metrics_of_an_older_version_survive_a_resume(tmp_path: Path) -> None:
    first = vae("train", *SMALL, "epochs=1", "run_dir=run", cwd=tmp_path)
    assert first.status == 0, first.stderr
    file = tmp_path / "run" / "metrics.csv"
    # as if the last column did not exist yet
    cut = [line.rpartition(",")[0] for line in file.read_text().splitlines()]
    file.write_text("\n".join(cut) + "\n")
    second = vae("train", "resume=run", "epochs=2", cwd=tmp_path)
    assert second.status == 0, second.stderr
    kept = rows(tmp_path / "run")
    assert [row["epoch"] for row in kept] == ["1", "2"]
    assert "val_active_units" not in kept[0]


def test_early_stopping_stops_and_keeps_the_best(tmp_path: Path) -> None:
    done = vae(
        "train", *SMALL, "epochs=50", "early_stopping=2", "run_dir=run",
        "optimizer.learning_rate=1e-12", "beta=0", cwd=tmp_path,
    )  # fmt: skip
    assert done.status == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert len(rows(tmp_path / "run")) == metrics["best_epoch"] + 2


def test_run_without_validation_or_test_images_completes(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 9, 7), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images)
    done = vae(
        "train", "dataset=npz", "dataset.path=own.npz", "dataset.validation_size=0",
        "likelihood=gaussian", "architecture=dense", "architecture.hidden_units=[16]",
        "latent_dim=1", "epochs=2", "run_dir=run", cwd=tmp_path,
    )  # fmt: skip
    assert done.status == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"] is None
    assert rows(tmp_path / "run")[0]["val_loss"] == ""


def test_sweep_trains_each_job_as_if_alone(tmp_path: Path) -> None:
    done = vae(
        "train", "-m", *EXACT, "epochs=1", "seed=0,7", "hydra.sweep.dir=sweep",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.status == 0, done.stderr
    jobs = sorted(p for p in (tmp_path / "sweep").iterdir() if p.is_dir())
    assert [job.name[0] for job in jobs] == ["0", "1"]
    assert all(json.loads((j / "status.json").read_text())["state"] == "finished"
               for j in jobs)  # fmt: skip
    alone = vae("train", *EXACT, "epochs=1", "seed=7", "run_dir=alone", cwd=tmp_path)
    assert alone.status == 0, alone.stderr
    assert_equal_runs(jobs[1], tmp_path / "alone")
    assert rows(jobs[0])[0]["loss"] != rows(jobs[1])[0]["loss"]


def test_failed_job_is_named_and_the_others_run(tmp_path: Path) -> None:
    done = vae(
        "train", "-m", *SMALL, "epochs=1", "optimizer.learning_rate=1e30,1e-3",
        "hydra.sweep.dir=sweep", cwd=tmp_path,
    )  # fmt: skip
    assert done.status == 1
    assert "job 0" in done.stderr and "failed" in done.stderr
    assert "Traceback" not in done.stderr
    states = {
        run.parent.name[0]: json.loads(run.read_text())["state"]
        for run in (tmp_path / "sweep").glob("*/status.json")
    }
    assert states == {"0": "failed", "1": "finished"}
