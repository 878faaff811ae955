"""Every architecture, prior, hierarchy and objective: trained, scored, drawn from."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import TINY, Finished, evaluate_here, train_here

CONV = ("architecture.filters=[4]",)
PARTS = {
    "gated_dense": ("architecture=gated_dense", "architecture.hidden_units=[8]"),
    "residual_conv": (
        "architecture=residual_conv",
        "architecture.filters=[4]",
        "architecture.dense_units=8",
    ),
    "mog": (*CONV, "prior=mog", "prior.components=5"),
    "vamp": (*CONV, "prior=vamp", "prior.components=5"),
    "vamp of images": (
        *(*CONV, "prior=vamp", "prior.components=5", "prior.initialization=data"),
    ),
    "iwae": (*CONV, "objective=iwae"),
    "doubly_reparameterized": (
        *CONV,
        "objective=iwae",
        "objective.doubly_reparameterized=true",
    ),
    "iaf": (
        *(*CONV, "posterior=iaf", "posterior.steps=2", "posterior.hidden_units=[8]"),
        *("posterior.condition_units=6", "hierarchy=two_level", "objective=iwae"),
        *("hierarchy.hidden_units=[8]", "prior=realnvp", "prior.steps=2"),
        *("prior.hidden_units=[8]", "precision=mixed_bfloat16"),
    ),
    "planar": (
        *(*CONV, "posterior=planar", "posterior.steps=2"),
        "posterior.condition_units=6",
        *("prior=iaf", "prior.steps=2", "prior.hidden_units=[8]"),
        *("conditioning=label", "conditioning.learned_prior=true"),
    ),
    "two_level": (*CONV, "hierarchy=two_level", "hierarchy.hidden_units=[8]"),
    "two_level vamp iwae": (
        *CONV,
        *("hierarchy=two_level", "hierarchy.hidden_units=[8]", "hierarchy.top_dim=1"),
        *("prior=vamp", "prior.components=5", "objective=iwae"),
        *("kl_annealing=linear", "dataset.binarize=dynamic"),
    ),
    "label": (*CONV, "conditioning=label"),
    "label learned_prior": (
        *("architecture=gated_dense", "architecture.hidden_units=[8]"),
        *("conditioning=label", "conditioning.learned_prior=true"),
        *("hierarchy=two_level", "hierarchy.hidden_units=[8]", "objective=iwae"),
    ),
    "label vamp": (
        *(*CONV, "conditioning=label", "prior=vamp", "prior.components=5"),
        *("prior.initialization=data", "likelihood=continuous_bernoulli"),
    ),
}
"""Name -> overrides."""
SINGLE = ("gated_dense", "vamp", "vamp of images", "iwae", "two_level", "label")
"""Parts that the others hold in combination: for the slow tests."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow if name in SINGLE else ())
        for name in PARTS
    ],
)
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of one epoch, z = 3."""
    folder = tmp_path_factory.mktemp("parts") / "run"
    return train_here(folder, *TINY, "latent_dim=3", *PARTS[request.param])


def test_run_is_evaluated_as_training_scored_it(run: Path) -> None:
    report = evaluate_here(run, "importance_samples=3")
    trained = json.loads((run / "metrics.json").read_text())["test"]
    for key, value in trained.items():
        assert report[key] == pytest.approx(value, abs=1e-4), key
    bound = report["cross_entropy_bound"] or report["nll"]
    assert np.isfinite(bound)
    assert 1 <= report["effective_sample_size"] <= 3


def test_loss_is_reconstruction_plus_beta_times_kl(run: Path) -> None:
    with (run / "metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    for prefix in ("", "val_"):
        parts = float(row[f"{prefix}reconstruction_loss"])
        parts += float(row["beta"]) * float(row[f"{prefix}kl_loss"])
        assert float(row[f"{prefix}loss"]) == pytest.approx(parts, rel=1e-6)


def test_run_is_generated_from(
    run: Path, command: Callable[..., Finished], tmp_path: Path
) -> None:
    file, grid = tmp_path / "images.npz", tmp_path / "grid.png"
    done = command(
        "generate", f"run={run}", "num_images=7", f"save_npz={file}", f"output={grid}"
    )
    assert done.status == 0, done.stderr
    with np.load(file, allow_pickle=False) as arrays:
        assert arrays["images"].shape == (7, 12, 12, 1)
        assert 0 <= arrays["images"].min() <= arrays["images"].max() <= 1
        assert arrays["z"].shape == (7, 3)
        assert np.isfinite(arrays["z"]).all()


def test_exported_networks_have_the_promised_shapes(run: Path) -> None:
    import keras

    encoder = keras.saving.load_model(run / "model" / "encoder.keras")
    decoder = keras.saving.load_model(run / "model" / "decoder.keras")
    label = [np.eye(3, dtype=np.float32)[:2]] if len(encoder.inputs) > 1 else []
    images = np.zeros((2, 12, 12, 1), np.float32)
    code = encoder.predict([images, *label] if label else images, verbose=0)
    assert {name: part.shape for name, part in code.items()} == {
        "mean": (2, 3),
        "log_var": (2, 3),
    }
    z = code["mean"]
    pixels = decoder.predict([z, *label] if label else z, verbose=0)
    assert pixels.shape == (2, 12, 12, 1)
    assert 0 <= pixels.min() <= pixels.max() <= 1


def test_last_batch_may_have_fewer_images_than_there_are_cores(tmp_path: Path) -> None:
    sizes = ("dataset.num_images=150", "dataset.validation_size=85", "batch_size=64")
    run = train_here(tmp_path / "run", *TINY, *CONV, *sizes)
    with (run / "metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert all(np.isfinite(float(value)) for value in row.values())


@pytest.mark.parametrize("likelihood", ["gaussian", "continuous_bernoulli"])
def test_likelihoods_of_real_pixels_stay_float32(
    likelihood: str, tmp_path: Path
) -> None:
    options = ("architecture=dense", "precision=mixed_bfloat16")
    run = train_here(tmp_path / "run", *TINY, *options, f"likelihood={likelihood}")
    assert np.isfinite(
        json.loads((run / "metrics.json").read_text())["test"]["neg_elbo"]
    )
