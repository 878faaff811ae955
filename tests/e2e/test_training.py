"""What a run leaves behind, and how its figures hang together."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import train_here
from tests.e2e.runs import LAYERED, STATEFUL, rows


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_here(
        tmp_path_factory.mktemp("layered") / "run",
        *LAYERED,
        "deterministic=false",
        "epochs=4",
    )


@pytest.fixture(scope="module")
def stateful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_here(
        tmp_path_factory.mktemp("run") / "run",
        *STATEFUL,
        "deterministic=false",
        "epochs=4",
    )


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
    stateful: Path, layered: Path, trained: Path
) -> None:
    betas = set()
    for row in (*rows(stateful), *rows(layered), *rows(trained)):
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
        *("kl_level_0", "kl_level_1", "neg_iwae"),
        *("val_kl_level_0", "val_kl_level_1", "val_neg_iwae"),
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


def test_best_weights_reproduce_their_validation_score(stateful: Path) -> None:
    # averaged weights, binarized images and fixed noise included
    from vae_cli.data.prepare import load_data
    from vae_cli.evaluation.bounds import evaluate_elbo
    from vae_cli.run import Run
    from vae_cli.runs.folder import RunFolder

    run = Run(RunFolder(stateful), "best")
    images = load_data(run.config.dataset).validation.images
    metrics = json.loads((stateful / "metrics.json").read_text())
    row = rows(stateful)[metrics["best_epoch"] - 1]
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
    np.savez(tmp_path / "test.npz", images=test.images[:])
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
