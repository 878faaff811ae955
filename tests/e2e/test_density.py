"""Fitted densities, distances of samples, annealing and the gap, by their commands."""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.conftest import Finished, evaluate_here, refused, train_here
from tests.e2e.test_generate import Command, drawn
from vae_cli.run import Run
from vae_cli.runs.folder import RunFolder

SMALL = (
    "dataset=synthetic", "dataset.max_images_per_split=200", "architecture=dense",
    "architecture.hidden_units=[12]", "latent_dim=3", "epochs=1",
)  # fmt: skip


def test_a_fitted_density_is_stored_once_and_used_again(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    fitted = ("prior=fitted", "prior.components=2", "num_images=20")
    first = drawn(command, trained, tmp_path, *fitted)
    file = trained / "fitted" / "best-mixture-2.npz"
    written = file.stat().st_mtime_ns
    again = drawn(command, trained, tmp_path, *fitted)
    np.testing.assert_array_equal(first["z"], again["z"])
    assert file.stat().st_mtime_ns == written
    run = Run(RunFolder(trained), "best")
    images = run.generate(num_images=20, prior={"name": "fitted", "components": 2})
    np.testing.assert_allclose(images.images, again["images"], atol=1e-6)
    assert run.sample(4, prior="fitted").shape == (4, 12, 12, 1)
    # draws lie where codes do, not where N(0, I) does
    means = run.encode(run.split("train")).mean
    many = run.generate(num_images=2000, prior={"name": "fitted", "components": 2}).z
    spread = np.exp(run.encode(run.split("train")).log_var).mean(axis=0)
    np.testing.assert_allclose(many.var(axis=0), means.var(axis=0) + spread, rtol=0.25)


@pytest.mark.slow
def test_new_weights_have_a_new_density(
    command: Command, tmp_path: Path, here: Path
) -> None:
    run = train_here(tmp_path / "run", *SMALL)
    drawn(command, run, tmp_path, "prior=fitted", "checkpoint=last")
    file = run / "fitted" / "last-mixture-10.npz"
    before = dict(np.load(file))
    assert command("train", f"resume={run}", "epochs=2").status == 0
    drawn(command, run, tmp_path, "prior=fitted", "checkpoint=last")
    after = dict(np.load(file))
    assert before["weights_sha256"] != after["weights_sha256"]
    assert (before["means"] != after["means"]).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ("conditioning=label",),
        ("hierarchy=two_level", "hierarchy.hidden_units=[8]", "prior=vamp",
         "prior.components=4"),
    ],
)  # fmt: skip
def test_labels_levels_annealing_and_gap_are_evaluated(
    command: Command, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    run = train_here(tmp_path / "run", *SMALL, *overrides)
    found = drawn(command, run, tmp_path, "prior=fitted", "num_images=24")
    assert np.isfinite(found["images"]).all()
    report = evaluate_here(
        run, "num_images=20", "importance_samples=50", "ais.images=6",
        "ais.temperatures=12", "ais.chains=3", "ais.leapfrog_steps=3", "gap.images=6",
        "gap.steps=20", "gap.samples=4", "generated_images=100", "prior=fitted",
    )  # fmt: skip
    parts = report["amortization_gap"] + report["approximation_gap"]
    assert parts == pytest.approx(report["inference_gap"], abs=1e-6)
    assert report["bdmc_gap"] == pytest.approx(
        report["bdmc_upper"] - report["bdmc_lower"], abs=1e-6
    )
    assert report["ais_neg_log_prob"] == pytest.approx(report["ais_importance"], abs=8)
    assert report["protocol"]["samples_from"] == "a fitted mixture of 10 Gaussians"
    assert report["features_of"] == "small classifier"
    assert 0 <= report["precision"] <= 1
    assert 0 <= report["recall"] <= 1
    assert (report["num_generated"], report["num_held_out"]) == (100, 20)
    page = (run / "evaluation" / "test.md").read_text()
    assert "| KID of samples |" in page
    assert "6 images, 3 chains from the prior, 12 temperatures" in page
    assert "in a small classifier's features; not an FID; 100 against 20" in page


def test_a_network_of_ones_own_gives_the_features(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    image = keras.Input((None, None, 3))
    hidden = keras.layers.Conv2D(5, 3, activation="relu")(image)
    file = tmp_path / "features.keras"
    pooled = keras.layers.GlobalAveragePooling2D()(hidden)
    keras.Model(image, pooled).save(file)
    report = evaluate_here(
        trained, "importance_samples=null", "generated_images=100",
        f"feature_network={file}", "feature_range=[-1,1]",
    )  # fmt: skip
    assert re.match(
        r"features.keras \(SHA-256 [0-9a-f]{12}; 12 x 12 x 3", report["features_of"]
    )
    assert report["frechet_distance"] > report["frechet_floor"]
    assert report["kid"] > 0
    digest = report["protocol"]["feature_network_sha256"]
    assert digest[:12] in report["features_of"]
    page = (trained / "evaluation" / "test.md").read_text()
    assert "in the features of features.keras" in page


def test_what_does_not_go_together_is_refused(command: Command, trained: Path) -> None:
    def ask(*words: str) -> Finished:
        return command(words[0], f"run={trained}", *words[1:])

    refused(ask("generate", "prior=fited"), "prior.name=fited", "model, fitted")
    refused(
        ask("generate", "prior=fitted", "mode=manifold"),
        "prior=fitted needs mode=prior",
    )
    refused(ask("evaluate", "prior=fitted"), "needs generated_images=<number>")
    refused(
        ask("evaluate", "generated_images=100", "feature_network=none.keras"),
        "feature_network=none.keras can't be read",
    )
    refused(ask("evaluate", "feature_range=[1,0]"), "two numbers, the smaller first")
    refused(
        ask("evaluate", "gap.images=5", "importance_samples=null"),
        "importance_samples=500 or ais.images=5",
    )


@pytest.mark.slow
def test_a_run_that_inpaints_has_no_fitted_density(
    command: Command, tmp_path: Path
) -> None:
    inpaints = train_here(
        tmp_path / "inpaints", *SMALL, "conditioning=observed", "corruption=half",
        "conditioning.hidden_units=[8]",
    )  # fmt: skip
    done = command(
        "evaluate", f"run={inpaints}", "prior=fitted", "generated_images=100",
        "importance_samples=2",
    )  # fmt: skip
    refused(done, "needs observed pixels for them", "use prior=model")


def test_a_damaged_density_says_what_to_delete(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    drawn(command, trained, tmp_path, "prior=fitted", "prior.components=3")
    file = trained / "fitted" / "best-mixture-3.npz"
    arrays = dict(np.load(file))
    np.savez(file, **{**arrays, "means": arrays["means"] * np.nan})
    done = command("generate", f"run={trained}", "prior=fitted", "prior.components=3")
    refused(done, "can't be used", f"delete {trained / 'fitted'}")
    assert json.loads((trained / "status.json").read_text())["state"] == "finished"
