"""Runs with a network beside the model: resumed to the bit, and logged."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SMALL, TINY, Finished, evaluate_here, refused, vae

Command = Callable[..., Finished]
DENSE = ("architecture=dense", "architecture.hidden_units=[16]", "latent_dim=3")


def weights(run: Path) -> dict[str, np.ndarray]:
    with np.load(run / "checkpoints" / "training_state.npz") as file:
        return {name: file[name] for name in file.files if name != "progress"}


@pytest.mark.slow  # its runs have processes of their own
@pytest.mark.parametrize(
    ("objective", "columns", "unlabelled"),
    [
        ("vae_gan", {"penalty", "discriminator_loss"}, False),
        pytest.param("perceptual", {"penalty"}, True, marks=pytest.mark.slow),
    ],
)
def test_resumed_run_is_the_uninterrupted_one_network_included(
    tmp_path: Path,
    objective: str,
    columns: set[str],
    unlabelled: bool,
) -> None:
    # to the bit on one thread alone: a batch of 50 stays whole
    options = [*DENSE, f"objective={objective}", "batch_size=50", "deterministic=true"]
    if unlabelled:
        images = np.random.default_rng(0).integers(0, 256, (200, 12, 12), np.uint8)
        np.savez(tmp_path / "images.npz", x_train=images)
        data = [
            "dataset=npz",
            f"dataset.path={tmp_path / 'images.npz'}",
            "dataset.validation_size=50",
        ]
    else:
        data = [
            word for word in SMALL if word.startswith("dataset") or "steps_per" in word
        ]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for arguments in (
        [*data, *options, "epochs=2", f"run_dir={whole}"],
        [*data, *options, "epochs=1", f"run_dir={parts}"],
        [f"resume={parts}", "epochs=2"],
    ):
        done = vae("train", *arguments, cwd=tmp_path)
        assert done.status == 0, done.stderr
    first, second = weights(whole), weights(parts)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    with (whole / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) & {"penalty", "discriminator_loss"} == columns
    for row in rows:
        assert all(float(row[column]) > 0 for column in columns)
        loss = float(row["reconstruction_loss"]) + float(row["kl_loss"])
        assert float(row["loss"]) == pytest.approx(loss, rel=1e-5)


def test_drawn_images_are_judged(trained: Path) -> None:
    report = evaluate_here(trained, "generated_images=200", "importance_samples=2")
    assert report["sharpness"] > 0
    assert report["frechet_distance"] > report["frechet_floor"] >= 0
    assert 0 < report["classifier_accuracy"] <= 1
    assert report["label_agreement"] is None


def test_discriminator_of_binary_images_is_refused_before_a_folder_is_made(
    tmp_path: Path, command: Command
) -> None:
    run = tmp_path / "run"
    gan = ("objective=vae_gan", *DENSE, f"run_dir={run}")
    done = command("train", *TINY, *gan, "dataset.binarize=dynamic")
    refused(done, "dataset.binarize=dynamic", "dataset.binarize=none")
    black_and_white = 255 * np.random.default_rng(0).integers(0, 2, (60, 8, 8))
    np.savez(tmp_path / "own.npz", x_train=black_and_white.astype(np.uint8))
    own = ("dataset=npz", f"dataset.path={tmp_path / 'own.npz'}")
    done = command("train", *own, "dataset.validation_size=10", *gan)
    refused(done, "every pixel of these is 0 or 1", "objective=elbo")
    assert not run.exists()
