"""Pixels of few levels, from training to bits per dimension, and augmented images."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SMALL, Finished, evaluate_here, refused, train_here
from tests.e2e.runs import assert_equal_runs

Command = Callable[..., Finished]

MODEL = (
    "architecture=dense", "architecture.hidden_units=[16]", "batch_size=25",
    "epochs=3", "steps_per_execution=2", "optimizer.learning_rate=0.01",
)  # fmt: skip
LOGISTIC = "likelihood=discretized_logistic"
NOISE = "dataset.dequantize=uniform"
AUGMENTED = (
    *SMALL, "latent_dim=2", "dataset.augment=[flip,shift]", "likelihood=gaussian",
    NOISE, "corruption=gaussian_noise",
)  # fmt: skip


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The words for 8 x 8 images of 17 levels: a bright square that moves."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, (160, 8, 8))
    for image, (row, column) in zip(x, rng.integers(0, 5, (160, 2)), strict=True):
        image[row : row + 3, column : column + 3] += 12
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    np.savez(path, x_train=x[:120], x_test=x[120:])
    return (
        "dataset=npz", f"dataset.path={path}", "dataset.value_range=[0,16]",
        "dataset.validation_size=20", *MODEL,
    )  # fmt: skip


@pytest.mark.parametrize("mixture", [1, 3])
def test_levels_are_trained_evaluated_in_bits_and_generated(
    mixture: int, digits: tuple[str, ...], tmp_path: Path, command: Command
) -> None:
    run = tmp_path / "run"
    words = (*digits, LOGISTIC, f"likelihood.mixture={mixture}", f"run_dir={run}")
    done = command("train", *words)
    assert done.status == 0, done.stderr
    assert "negative log-likelihood" in done.stderr
    test = json.loads((run / "metrics.json").read_text())["test"]
    bound = test["neg_elbo"] / (64 * math.log(2))
    assert f"; at most {bound:.3f} bits per dimension" in done.stderr
    done = command("evaluate", f"run={run}", "importance_samples=20")
    assert done.status == 0, done.stderr
    assert "bits per dimension" in done.stderr
    report = json.loads((run / "evaluation" / "test.json").read_text())
    bits = report["nll"] / (64 * math.log(2))
    assert report["bits_per_dim"] == pytest.approx(bits, rel=1e-9)
    error = report["nll_se"] / (64 * math.log(2))
    assert report["bits_per_dim_se"] == pytest.approx(error, rel=1e-9)
    # better than all levels alike, worse than the entropy of the noise
    assert math.log2(5) < bits < math.log2(17)
    assert report["bits_per_dim_bound"] is None
    page = (run / "evaluation" / "test.md").read_text()
    assert f"| bits per dimension | {bits:.4f} (s.e. " in page
    done = command(
        "generate", f"run={run}", "num_images=4", f"save_npz={tmp_path}/a.npz"
    )
    assert done.status == 0, done.stderr
    with np.load(tmp_path / "a.npz") as file:
        images = file["images"]
    assert images.shape == (4, 8, 8, 1)
    assert 0 <= images.min() < images.max() <= 16
    assert images.max() > 1


def test_density_of_dequantized_levels_bounds_their_bits(
    digits: tuple[str, ...], tmp_path: Path, command: Command
) -> None:
    run = tmp_path / "run"
    done = command(
        "train", *digits, "likelihood=gaussian", NOISE, f"run_dir={run}"
    )  # fmt: skip
    assert done.status == 0, done.stderr
    done = command("evaluate", f"run={run}", "importance_samples=20")
    assert done.status == 0, done.stderr
    assert "at most" in done.stderr
    report = json.loads((run / "evaluation" / "test.json").read_text())
    bits = (report["nll"] / 64 + math.log(17)) / math.log(2)
    assert report["bits_per_dim_bound"] == pytest.approx(bits, rel=1e-9)
    assert bits > math.log2(5)
    assert report["bits_per_dim"] is None
    assert report["protocol"]["dequantization"] == "uniform"
    page = (run / "evaluation" / "test.md").read_text()
    assert f"| bits per dimension, at most | {bits:.4f} (s.e. " in page


def test_images_of_a_dequantized_run_leave_in_the_datas_own_range(
    digits: tuple[str, ...], tmp_path: Path
) -> None:
    import vae_cli

    run = vae_cli.load(
        train_here(tmp_path / "run", *digits, "likelihood=gaussian", NOISE)
    )
    images = run.sample(8, seed=0)
    assert 0 <= images.min() < images.max() <= 16
    assert images.max() > 1


def test_discrete_likelihoods_refuse_dequantized_pixels(command: Command) -> None:
    for name in ("bernoulli", "discretized_logistic"):
        done = command("validate", "train", f"likelihood={name}", NOISE)
        refused(
            done, "dataset.dequantize=uniform", f"likelihood={name} is none",
            "use likelihood=gaussian, or dataset.dequantize=none",
        )  # fmt: skip


@pytest.mark.parametrize("words", [(LOGISTIC,), ("likelihood=gaussian", NOISE)])
def test_real_numbers_have_no_levels(
    words: tuple[str, ...], tmp_path: Path, command: Command
) -> None:
    x = np.random.default_rng(0).normal(size=(60, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "real.npz", x_train=x)
    done = command(
        "train", "dataset=npz", f"dataset.path={tmp_path}/real.npz", *MODEL, *words,
        f"run_dir={tmp_path}/run",
    )  # fmt: skip
    refused(done, words[-1].partition("=")[0], "float32", "use ")
    assert not (tmp_path / "run").exists()


def test_augmentation_is_refused_where_missing_pixels_stay_missing(
    command: Command,
) -> None:
    done = command(
        "validate", "train", "dataset.augment=[flip]", "corruption=random_mask",
        "corruption.loss_on=observed",
    )  # fmt: skip
    refused(done, "dataset.augment=[flip]", "use 'dataset.augment=[]'")


def test_augmented_and_dequantized_run_that_resumes_equals_an_uninterrupted_one(
    tmp_path: Path, command: Command
) -> None:
    whole = train_here(tmp_path / "whole", *AUGMENTED, "epochs=3")
    run = train_here(tmp_path / "run", *AUGMENTED, "epochs=1")
    done = command("train", f"resume={run}", "epochs=3")
    assert done.status == 0, done.stderr
    assert_equal_runs(whole, run)


def test_augmentation_changes_training_and_no_evaluated_image(tmp_path: Path) -> None:
    runs = [
        train_here(tmp_path / name, *SMALL, "epochs=1", f"dataset.augment={value}")
        for name, value in (("plain", "[]"), ("augmented", "[flip,shift]"))
    ]
    rows = [(run / "metrics.csv").read_text() for run in runs]
    assert rows[0] != rows[1]
    reports = [
        evaluate_here(run, "importance_samples=null", "split=train") for run in runs
    ]
    digests = [report["protocol"]["images_sha256"] for report in reports]
    assert digests[0] == digests[1]
