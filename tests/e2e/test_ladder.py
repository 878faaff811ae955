"""Ladders through the commands: a run is trained, and every command uses it."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Finished, refused, train_here, vae
from tests.e2e.runs import LADDER, SHORT_LADDER

Command = Callable[..., Finished]
SIZES = (3, 9 * 2, 9 * 2, 36, 36)
"""Of the levels of LADDER on images of 12 x 12."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_here(tmp_path_factory.mktemp("ladder") / "run", *LADDER, "epochs=2")


def test_kl_of_each_level_is_logged_and_adds_up(run: Path) -> None:
    with (run / "metrics.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    for row in rows:
        for prefix in ("", "val_"):
            levels = [row[f"{prefix}kl_level_{level}"] for level in range(5)]
            plain = row[f"{prefix}neg_elbo"] - row[f"{prefix}reconstruction_loss"]
            assert sum(levels) == pytest.approx(plain, rel=1e-4)
        floored = sum(max(0.5, row[f"val_kl_level_{level}"]) for level in range(5))
        assert row["val_kl_loss"] == pytest.approx(floored, rel=1e-5)


def test_latent_dim_follows_from_the_levels(run: Path) -> None:
    import yaml

    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["latent_dim"] == sum(SIZES)
    assert config["hierarchy"]["levels_per_size"] == [1, 2, 2]


def test_evaluation_reports_the_kl_of_each_level(run: Path, command: Command) -> None:
    done = command("evaluate", f"run={run}", "importance_samples=3")
    assert done.status == 0, done.stderr
    report = json.loads((run / "evaluation" / "test.json").read_text())
    assert sum(report["kl_per_level"]) == pytest.approx(report["kl_loss"], rel=1e-4)
    text = (run / "evaluation" / "test.md").read_text()
    assert "by level, top first: " in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["reconstruct", "corruption=half"],
        ["anomaly", "posterior_samples=2"],
        ["plot-latent"],
        ["encode", "scores=true", "posterior_samples=2"],
        ["report"],
        ["export", "format=[keras]"],
        ["inspect", "measure=false"],
        ["generate", "mode=interpolation", "rows=2"],
        ["generate", "mode=manifold", "rows=3"],
        ["generate", "mode=traversal", "level=2"],
    ],
    ids=" ".join,
)
def test_every_command_uses_a_ladder(
    words: list[str], run: Path, command: Command
) -> None:
    done = command(words[0], f"run={run}", *words[1:])
    assert done.status == 0, done.stderr


def test_rows_of_levels_share_the_top_and_begin_as_samples_do(
    run: Path, command: Command, tmp_path: Path
) -> None:
    def codes(*words: str) -> np.ndarray:
        file = tmp_path / "images.npz"
        done = command("generate", f"run={run}", f"save_npz={file}", *words)
        assert done.status == 0, done.stderr
        with np.load(file) as arrays:
            return arrays["z"]

    z = codes(
        "mode=levels", "level=1", "rows=3", "columns=4", "temperature=[1,1,2,0,1]"
    )
    z = z.reshape(3, 4, -1)
    shared = SIZES[0] + SIZES[1]
    assert (z[:, :, :shared] == z[:, :1, :shared]).all()
    assert (z[:, 1, shared : shared + 18] != z[:, 0, shared : shared + 18]).all()
    assert (z[:, :, shared + 18 : shared + 18 + 36] == 0).all()  # temperature 0
    own = codes("num_images=3", "temperature=[1,1,2,0,1]")
    np.testing.assert_array_equal(z[:, 0], own)


def test_exported_networks_open_in_a_fresh_process_without_the_package(
    run: Path, tmp_path: Path
) -> None:
    import vae_cli

    loaded = vae_cli.load(run)
    images = loaded.split("test").images[:5]
    mean = loaded.encode(images).mean
    np.savez(tmp_path / "in.npz", x=images.astype(np.float32) / 255)
    script = (
        "import sys, keras, numpy as np\n"
        f"encoder = keras.saving.load_model('{run}/model/encoder.keras')\n"
        f"decoder = keras.saving.load_model('{run}/model/decoder.keras')\n"
        "mean = np.asarray(encoder(np.load('in.npz')['x'])['mean'])\n"
        "np.savez('out.npz', mean=mean, pixels=np.asarray(decoder(mean)))\n"
        "assert 'vae_cli' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_allclose(found["mean"], mean, rtol=1e-4, atol=1e-5)
        pixels = loaded.decode(mean)
        np.testing.assert_allclose(found["pixels"], pixels, atol=1e-4)


def test_what_a_ladder_does_not_take_is_refused(run: Path, command: Command) -> None:
    refused(
        command("generate", f"run={run}", "temperature=[1,2]"),
        "temperature=[1.0, 2.0] has 2 values, and the run has 5 levels",
    )
    refused(
        command("generate", f"run={run}", "mode=levels", "level=4"),
        "level=4 must be at most 3: the run has 5 levels",
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("architecture=conv", "architecture.filters=[4]"),
            "hierarchy=ladder needs an architecture with latent variables at its sizes",
        ),
        (
            ("architecture=residual_conv", "latent_dim=7"),
            "use latent_dim=248, or leave it out",
        ),
        (
            ("architecture=residual_conv", "hierarchy.levels_per_size=[1,1]"),
            "hierarchy.levels_per_size=[1, 1] must have 3 values",
        ),
        (
            ("architecture=dense", "hierarchy.levels_per_size=[1,0]"),
            "needs two levels or more; use hierarchy=none for one",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    overrides: tuple[str, ...], message: str, command: Command
) -> None:
    words = ("dataset=synthetic", "dataset.num_images=80", "dataset.image_size=12")
    words = (*words, "dataset.validation_size=30", "hierarchy=ladder")
    refused(command("train", *words, *overrides), message)


@pytest.mark.slow
def test_free_bits_of_levels_are_of_the_whole_batch_that_replicas_share(
    tmp_path: Path,
) -> None:
    options = [word for word in SHORT_LADDER if "norm" not in word]
    devices = ("distribution=mirrored", "distribution.devices=[CPU:0,CPU:1]")
    for name, own in (("one", ()), ("two", devices)):
        words = (*options, *own, "free_bits=5", "epochs=1", f"run_dir={name}")
        done = vae("train", *words, cwd=tmp_path, timeout=500)
        assert done.status == 0, done.stderr
    rows = []
    for name in ("one", "two"):
        with (tmp_path / name / "metrics.csv").open() as file:
            (row,) = csv.DictReader(file)
        rows.append({k: float(v) for k, v in row.items() if "kl" in k or "loss" in k})
    assert rows[1] == pytest.approx(rows[0], rel=1e-3, abs=1e-4)
    assert rows[0]["kl_loss"] > 12  # three levels of at least five nats
