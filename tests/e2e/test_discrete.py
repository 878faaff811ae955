"""Discrete codes through the commands: a run is trained, and every command uses it."""

import csv
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Finished, refused, train_here
from tests.e2e.runs import CATEGORICAL, FSQ, VQ
from vae_cli import load

Command = Callable[..., Finished]
POSITIONS = 9
"""Of the grid that conv with two layers makes of 12 x 12 pixels."""
UNIFORM = POSITIONS * math.log(8)
"""-log p(codes) under the uniform prior of 8 codes, nats."""


@pytest.fixture(scope="module")
def vq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_here(tmp_path_factory.mktemp("vq") / "run", *VQ, "epochs=2")


@pytest.fixture(scope="module")
def categorical(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("categorical")
    return train_here(root / "run", *CATEGORICAL, "epochs=2")


@pytest.fixture(scope="module")
def fsq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_here(tmp_path_factory.mktemp("fsq") / "run", *FSQ, "epochs=1")


def table(file: Path) -> list[dict[str, str]]:
    with file.open() as lines:
        return list(csv.DictReader(lines))


def evaluated(run: Path, command: Command, *words: str) -> dict[str, float]:
    done = command("evaluate", f"run={run}", *words)
    assert done.status == 0, done.stderr
    report: dict[str, float] = json.loads((run / "evaluation/test.json").read_text())
    return report


def encoded_codes(run: Path, command: Command) -> np.ndarray:
    """Return the codes that `vae encode` writes, [N, positions]."""
    done = command("encode", f"run={run}")
    assert done.status == 0, done.stderr
    rows = table(run / "codes/test.csv")
    names = [name for name in rows[0] if name.startswith("code_")]
    return np.array([[int(row[name]) for name in names] for row in rows])


def test_training_logs_codes_used_and_a_kl_of_the_uniform_prior(vq: Path) -> None:
    for row in table(vq / "metrics.csv"):
        assert float(row["val_kl_loss"]) == pytest.approx(UNIFORM, rel=1e-5)
        assert float(row["commitment"]) > 0
        assert 0 < float(row["val_codebook_use"]) <= 1
        assert 1 <= float(row["val_perplexity"]) <= 8
    prior = table(vq / "prior_metrics.csv")
    assert [row["epoch"] for row in prior] == ["1", "2"]
    assert all(float(row["val_neg_log_prob"]) > 0 for row in prior)


def test_bound_is_reported_under_the_learned_and_the_uniform_prior(
    vq: Path, command: Command
) -> None:
    report = evaluated(vq, command)
    reconstruction, kl = report["reconstruction_loss"], report["kl_loss"]
    assert report["neg_elbo"] == pytest.approx(reconstruction + kl, rel=1e-6)
    uniform = report["neg_elbo_uniform"]
    assert uniform == pytest.approx(reconstruction + UNIFORM, rel=1e-6)
    # few codes are used by now, which two epochs of the prior have learned
    assert report["neg_elbo"] < uniform
    assert f"{uniform:.2f}" in (vq / "evaluation/test.md").read_text()


def test_images_are_drawn_from_the_learned_prior(
    vq: Path, command: Command, tmp_path: Path
) -> None:
    drawn = []
    for name in ("one", "two"):
        file = tmp_path / f"{name}.npz"
        done = command("generate", f"run={vq}", "num_images=4", f"save_npz={file}")
        assert done.status == 0, done.stderr
        with np.load(file) as arrays:
            drawn.append(arrays["z"])
    assert drawn[0].shape == (4, POSITIONS * 3)
    np.testing.assert_array_equal(*drawn)


def test_encoded_codes_are_whole_numbers_of_the_codebook(
    vq: Path, command: Command
) -> None:
    import vae_cli

    codes = encoded_codes(vq, command)
    assert codes.shape[1] == POSITIONS
    run = vae_cli.load(vq)
    z = run.vae.quantizer.vectors(codes.astype(np.int32))
    expected = run.encode(run.split("test").images[:]).mean
    np.testing.assert_allclose(z, expected, rtol=1e-6)


def test_what_moves_along_real_dimensions_is_refused(
    vq: Path, command: Command
) -> None:
    refused(command("export", f"run={vq}"), "discrete codes (latent=vq)", ".keras")
    refused(command("explore", f"run={vq}"), "vae-explore", "mode=prior")
    for mode in ("traversal", "manifold"):
        done = command("generate", f"run={vq}", f"mode={mode}")
        refused(done, f"mode={mode} moves along real dimensions", "mode=prior")
    refused(command("evaluate", f"run={vq}", "ais.images=2"), "codes of this run")
    done = command("evaluate", f"run={vq}", "disentanglement=true")
    refused(done, "discrete codes (latent=vq)", "latent=continuous")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["anomaly"], id="anomaly"),
        pytest.param(["reconstruct", "corruption=half"], id="reconstruct"),
        pytest.param(["report"], id="report"),
        *(
            pytest.param(words.split(), marks=pytest.mark.slow, id=words)
            for words in (
                "plot-latent",
                "inspect measure=false",
                "generate mode=interpolation rows=2",
                "generate temperature=0 num_images=3",
                "evaluate checkpoint=last",
            )
        ),
    ],
)
def test_every_other_command_uses_discrete_codes(
    words: list[str], vq: Path, command: Command
) -> None:
    done = command(words[0], f"run={vq}", *words[1:])
    assert done.status == 0, done.stderr


def test_temperature_0_draws_the_most_probable_codes(vq: Path) -> None:
    vae = load(vq).vae
    noise = np.random.default_rng(0).standard_normal((5, vae.noise_dim), np.float32)
    codes = np.asarray(vae.code_indices(vae.draw(noise, None, temperature=0.0)))
    near = vae.code_indices(vae.draw(noise, None, temperature=1e-3))
    np.testing.assert_array_equal(codes, near)
    assert codes.any()  # not the code 0 that a NaN gives


@pytest.mark.slow
def test_frozen_encoder_keeps_its_codebook(
    vq: Path, tmp_path: Path, command: Command
) -> None:
    run = tmp_path / "run"
    small = ("latent.prior=uniform", "epochs=1", f"run_dir={run}")
    done = command("train", *VQ, *small, f"init_from={vq}", "freeze=encoder")
    assert done.status == 0, done.stderr
    before, after = (load(each).vae.quantizer.get_weights() for each in (vq, run))
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "num_codes"), [("categorical", 8), ("fsq", 12)])
def test_other_codes_are_evaluated_drawn_and_encoded(
    kind: str, num_codes: int, command: Command, request: pytest.FixtureRequest
) -> None:
    run: Path = request.getfixturevalue(kind)
    report = evaluated(run, command, "importance_samples=3")
    total = report["reconstruction_loss"] + report["kl_loss"]
    assert report["neg_elbo"] == pytest.approx(total, rel=1e-6)
    done = command("generate", f"run={run}", "num_images=3")
    assert done.status == 0, done.stderr
    codes = encoded_codes(run, command)
    assert codes.shape[1] == POSITIONS
    assert codes.min() >= 0
    assert codes.max() < num_codes


@pytest.mark.slow
def test_networks_open_in_a_fresh_process_without_the_package(
    vq: Path, categorical: Path, fsq: Path, tmp_path: Path
) -> None:
    import vae_cli

    runs = [vq, categorical, fsq]
    images = vae_cli.load(vq).split("test").images[:5]
    np.savez(tmp_path / "in.npz", x=images.astype(np.float32) / 255)
    script = (
        "import sys, keras, numpy as np\n"
        "for number, run in enumerate(sys.argv[1:]):\n"
        "    encoder = keras.saving.load_model(f'{run}/model/encoder.keras')\n"
        "    decoder = keras.saving.load_model(f'{run}/model/decoder.keras')\n"
        "    found = encoder(np.load('in.npz')['x'])\n"
        "    np.savez(f'{number}.npz', pixels=np.asarray(decoder(found['z'])), "
        "**{k: np.asarray(v) for k, v in found.items()})\n"
        "assert 'vae_cli' not in sys.modules\n"
    )
    words = [sys.executable, "-c", script, *map(str, runs)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for number, path in enumerate(runs):
        run = vae_cli.load(path)
        z = run.encode(images).mean
        with np.load(tmp_path / f"{number}.npz") as found:
            np.testing.assert_allclose(found["z"], z, rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(found["codes"], run.vae.code_indices(z))
            np.testing.assert_allclose(found["pixels"], run.decode(z), atol=1e-4)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("prior=mog",), "use prior=standard with latent.prior=pixelcnn or uniform"),
        (("hierarchy=two_level",), "use hierarchy=none"),
        (("posterior=iaf",), "use posterior=gaussian"),
        (("objective.sticking_the_landing=true",), "codes have no derivative"),
        *(
            ((f"objective={name}",), f"doesn't go with objective={name}")
            for name in ("beta_tc", "factor", "dip", "mmd")
        ),
        (("free_bits=1",), "use free_bits=0"),
        (("objective=iwae",), "use objective=elbo"),
    ],
)
def test_what_does_not_go_with_discrete_codes_is_refused(
    overrides: tuple[str, ...], message: str, command: Command
) -> None:
    refused(command("train", *VQ, *overrides), message)
