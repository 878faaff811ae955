"""Posteriors and priors by flow, through the commands."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import vae_cli
from tests.conftest import SMALL, Finished, train_here
from tests.e2e.runs import assert_equal_runs
from vae_cli.data.images import to_float

Command = Callable[..., Finished]

MODEL = (*SMALL, "latent_dim=3", "epochs=3", "objective=iwae")
IAF = (
    "posterior=iaf", "posterior.hidden_units=[12]", "posterior.condition_units=8",
    "prior=realnvp", "prior.steps=2", "prior.hidden_units=[8]",
)  # fmt: skip
PLANAR = (
    "posterior=planar", "posterior.steps=4", "posterior.condition_units=8",
    "prior=iaf", "prior.steps=2", "prior.hidden_units=[8]",
)  # fmt: skip
OPEN = """
import sys, keras, numpy as np
encoder = keras.saving.load_model("run/model/encoder.keras")
decoder = keras.saving.load_model("run/model/decoder.keras")
outputs = encoder(np.load("images.npy"))
np.savez("found.npz", pixels=decoder(outputs["mean"]), **outputs)
assert "vae_cli" not in sys.modules
"""


@pytest.fixture(scope="module", params=[IAF, PLANAR], ids=["iaf", "planar"])
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of three epochs, z = 3; look, don't change."""
    folder = tmp_path_factory.mktemp("flows") / "run"
    return train_here(folder, *MODEL, *request.param)


def test_saved_networks_open_in_plain_keras_and_give_what_the_run_gives(
    run: Path,
) -> None:
    opened = vae_cli.load(run)
    images = opened.split("test").images[:]
    np.save(run.parent / "images.npy", to_float(images))
    done = subprocess.run(
        [sys.executable, "-c", OPEN], cwd=run.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    codes = opened.encode(images)
    with np.load(run.parent / "found.npz") as found:
        for name in ("mean", "log_var"):
            np.testing.assert_allclose(found[name], getattr(codes, name), atol=1e-4)
        np.testing.assert_allclose(
            found["pixels"], opened.decode(codes.mean), atol=1e-5
        )


def test_codes_are_close_to_mean_and_variance_of_the_posteriors_samples(
    run: Path,
) -> None:
    vae = vae_cli.load(run).vae
    images = to_float(vae_cli.load(run).split("test").images[:10])
    noise = np.random.default_rng(0).standard_normal((4000, 10, 3)).astype("float32")
    (level,) = vae.infer(images, noise)
    q = vae.posterior(images)
    deviation = np.std(level.z, axis=0)
    away = np.abs(np.mean(level.z, axis=0) - q.mean) / deviation
    assert away.max() < 0.2
    np.testing.assert_allclose(np.exp(0.5 * q.log_var), deviation, rtol=0.15)


def test_more_samples_tighten_the_bound(run: Path, command: Command) -> None:
    done = command("evaluate", f"run={run}", "importance_samples=50")
    assert done.status == 0, done.stderr
    report = json.loads((run / "evaluation" / "test.json").read_text())
    assert report["cross_entropy_bound"] < report["neg_elbo"] + 0.01
    assert report["kl_per_dim"] is None


@pytest.mark.parametrize(
    "words",
    [
        ("generate", "num_images=4"),
        ("generate", "mode=interpolation"),
        pytest.param(("generate", "mode=traversal"), marks=pytest.mark.slow),
        ("reconstruct", "corruption=half", "posterior_samples=3", "gibbs_steps=2"),
        ("anomaly", "posterior_samples=3"),
        ("plot-latent",),
        ("encode", "scores=true", "posterior_samples=3"),
        pytest.param(("export", "format=[onnx]"), marks=pytest.mark.slow),
        pytest.param(("export", "format=[litert]"), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_command_works_on_the_run(
    words: tuple[str, ...], run: Path, command: Command
) -> None:
    name, *options = words
    done = command(name, f"run={run}", *options)
    assert done.status == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_resumed_run_equals_an_uninterrupted_one(
    run: Path, tmp_path: Path, command: Command
) -> None:
    words = {"iaf": IAF, "planar": PLANAR}[vae_cli.load(run).config.posterior.name]
    part = train_here(tmp_path / "run", *MODEL, *words, "epochs=1")
    done = command("train", f"resume={part}", "epochs=3")
    assert done.status == 0, done.stderr
    assert_equal_runs(run, part)


def test_classes_of_a_conditional_flow_prior_differ(tmp_path: Path) -> None:
    run = vae_cli.load(
        train_here(
            tmp_path / "run", *SMALL, "latent_dim=2", "epochs=2", "prior=realnvp",
            "prior.steps=2", "prior.hidden_units=[8]", "conditioning=label",
            "conditioning.learned_prior=true", "optimizer.learning_rate=0.02",
        )
    )  # fmt: skip
    priors = [
        run.vae.prior(run.vae.condition(label=np.full(5, label))) for label in (0, 1)
    ]
    z = [np.asarray(p.sample(np.ones((5, 2), np.float32))) for p in priors]
    assert np.abs(z[0] - z[1]).max() > 1e-3
    for p, codes in zip(priors, z, strict=True):
        assert np.isfinite(p.log_prob(codes)).all()


def test_flow_of_the_posterior_is_taken_and_frozen_with_the_encoder(
    run: Path, tmp_path: Path, command: Command
) -> None:
    own = {"iaf": IAF, "planar": PLANAR}[vae_cli.load(run).config.posterior.name]
    frozen = tmp_path / "frozen"
    done = command(
        "train", *MODEL, *own, "epochs=1", f"run_dir={frozen}", f"init_from={run}",
        "freeze=encoder",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    before, after = (vae_cli.load(each).vae for each in (run, frozen))
    pairs = zip(
        before.posterior_network.weights, after.posterior_network.weights, strict=True
    )
    assert all(np.array_equal(one, other) for one, other in pairs)
    assert not np.array_equal(before.decoder.weights[0], after.decoder.weights[0])
