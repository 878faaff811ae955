"""`vae-reconstruct` on every kind of run: files, or a refusal that says why."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY, Finished, refused, train_here

Command = Callable[..., Finished]
DENSE = ("architecture=dense", "architecture.hidden_units=[16]")
KINDS = {
    "noise": (*DENSE, "corruption=gaussian_noise"),
    "missing": (*DENSE, "corruption=random_mask", "dataset.binarize=dynamic"),
    "label": (*DENSE, "conditioning=label", "conditioning.learned_prior=true"),
    "two_level vamp": (*DENSE, "hierarchy=two_level", "prior=vamp", "latent_dim=4"),
    "colour": ("architecture.filters=[4]", "dataset.channels=3", "likelihood=gaussian"),
    "observed": (
        *DENSE,
        "conditioning=observed",
        "conditioning.hidden_units=[8]",
        "corruption=box",
        "corruption.loss_on=missing",
    ),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Runs of one step, each trained when it is first asked for."""
    root = tmp_path_factory.mktemp("reconstruct")

    def run(kind: str) -> Path:
        folder = root / kind.replace(" ", "-")
        if not folder.exists():
            train_here(folder, *TINY, *KINDS[kind])
        return folder

    return run


def report(command: Command, run: Path, *options: str) -> dict[str, Any]:
    done = command(
        "reconstruct", f"run={run}", "posterior_samples=3", "gibbs_steps=4", *options
    )
    assert done.status == 0, done.stderr
    files = {Path(word).suffix: Path(word) for word in done.stdout.split()}
    with Image.open(files[".png"]) as image:
        assert image.width > 100
    return json.loads(files[".json"].read_text())


@pytest.mark.parametrize(
    ("kind", "corruption"),
    [
        *((kind, "as trained") for kind in ("noise", "missing", "label", "observed")),
        ("noise", "half"),
        ("observed", "salt_and_pepper"),
        pytest.param("two_level vamp", "as trained", marks=pytest.mark.slow),
        pytest.param("two_level vamp", "box", marks=pytest.mark.slow),
        pytest.param("label", "box", marks=pytest.mark.slow),
        pytest.param("colour", "as trained", marks=pytest.mark.slow),
        pytest.param("colour", "salt_and_pepper", marks=pytest.mark.slow),
    ],
)
def test_every_kind_of_run_restores_or_says_why_not(
    runs: Callable[[str], Path], command: Command, kind: str, corruption: str
) -> None:
    options = [] if corruption == "as trained" else [f"corruption={corruption}"]
    if kind == "observed" and corruption == "salt_and_pepper":
        done = command("reconstruct", f"run={runs(kind)}", *options)
        refused(done, "inpaints", "corruption=half")
        return
    found = report(command, runs(kind), *options)
    trained_with = {
        "noise": "gaussian_noise",
        "missing": "random_mask",
        "observed": "box",
    }
    name = options[0][11:] if options else trained_with.get(kind, "none")
    assert found["corruption"]["name"] == name
    methods = set(found["errors"])
    if name in ("box", "random_mask", "half"):
        filled = {"corrupted", "mean_fill", "single_pass"}
        assert methods == filled | (
            {"mean_of_draws"} if kind == "observed" else {"importance", "pseudo_gibbs"}
        )
        assert found["errors"]["corrupted"]["mse_missing"] > 0
    elif name == "none":
        assert methods == {"restored"}
    else:
        assert methods == {"corrupted", "median_filter", "restored"}
    assert found["num_images"] == 16


def test_images_that_are_not_corrupted_are_reconstructed_not_restored(
    trained: Path, command: Command, tmp_path: Path
) -> None:
    words = (f"output={tmp_path / 'a.svg'}", "num_images=4")
    done = command("reconstruct", f"run={trained}", *words)
    assert done.status == 0, done.stderr
    assert "reconstruction  mse" in done.stderr
    text = (tmp_path / "a.svg").read_text()
    assert "no corruption" in text and "reconstruction" in text
    assert "restored" not in text


def test_figures_are_those_of_the_arrays(
    runs: Callable[[str], Path], command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "arrays.npz"
    found = report(command, runs("missing"), f"save_npz={file}", "corruption=half")
    with np.load(file) as arrays:
        clean, filled = arrays["images"] / 255, arrays["single_pass"]
        missing = np.broadcast_to(arrays["mask"] == 0, clean.shape)
        seen = arrays["corrupted"]
    assert (seen[missing] == 128).all()
    assert not missing[:, :6].any()
    assert missing[:, 6:].all()
    np.testing.assert_allclose(filled[~missing], clean[~missing], atol=1e-6)
    square = (filled - clean) ** 2
    own = found["errors"]["single_pass"]
    assert own["mse"] == pytest.approx(square.mean(), rel=1e-4)
    assert own["mse_missing"] == pytest.approx(square[missing].mean(), rel=1e-4)
    assert own["psnr"] == pytest.approx(-10 * np.log10(square.mean()), rel=1e-4)


def test_own_pictures_are_restored_and_their_holes_filled(
    runs: Callable[[str], Path], command: Command, tmp_path: Path
) -> None:
    pixels = np.full((12, 12, 2), 255, np.uint8)
    pixels[3:9, 3:9, 0] = 0
    Image.fromarray(pixels, "LA").save(tmp_path / "whole.png")
    found = report(command, runs("missing"), f"images={tmp_path / 'whole.png'}")
    assert (found["corruption"]["name"], found["errors"]) == ("none", None)
    pixels[5:, :, 1] = 0
    Image.fromarray(pixels, "LA").save(tmp_path / "hole.png")
    found = report(command, runs("missing"), f"images={tmp_path / 'hole.png'}")
    assert found["corruption"] == {"name": "transparent"}
    assert found["errors"] is None
    done = command("reconstruct", f"run={runs('missing')}", f"images={tmp_path}/no.png")
    refused(done, "no.png does not exist")


def test_label_is_swapped_or_asked_for(
    runs: Callable[[str], Path], command: Command, tmp_path: Path
) -> None:
    run = runs("label")
    assert report(command, run, "label=2")["decoded_as"] == 2
    assert (run / "reconstructions" / "test-label2.png").exists()
    refused(command("reconstruct", f"run={run}", "label=3"), "0 to 2")
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(tmp_path / "mine.png")
    images = f"images={tmp_path / 'mine.png'}"
    refused(command("reconstruct", f"run={run}", images), "0 to 2, such as label=2")
    assert report(command, run, images, "label=1")["num_images"] == 1
    done = command("reconstruct", f"run={runs('noise')}", "label=1")
    refused(done, "conditioning=label")


def test_path_lies_between_two_images(
    runs: Callable[[str], Path], command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "path.npz"
    done = command(
        "reconstruct",
        f"run={runs('noise')}",
        "task=interpolate",
        "corruption=none",
        "pair=[3,1]",
        "columns=5",
        f"save_npz={file}",
    )
    assert done.status == 0, done.stderr
    with np.load(file) as arrays:
        assert arrays["images"].shape == (5, 12, 12, 1)
        between = (arrays["z"][0] + arrays["z"][4]) / 2
        np.testing.assert_allclose(arrays["z"][2], between, atol=1e-5)
    done = command(
        "reconstruct", f"run={runs('noise')}", "task=interpolate", "pair=[0,99]"
    )
    refused(done, "pair=[0, 99]", "0 to 15")
    done = command("reconstruct", f"run={runs('observed')}", "task=interpolate")
    refused(done, "inpaints")


def test_classifier_is_asked_about_restored_images(
    runs: Callable[[str], Path], command: Command
) -> None:
    found = report(command, runs("noise"), "classifier=true")
    assert set(found["accuracy"]) == {"clean", "corrupted", "median_filter", "restored"}
    assert all(0 <= share <= 1 for share in found["accuracy"].values())


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["pair=[1]"], ["pair=[1]", "two images"]),
        (["corruption=blur"], ["corruption=blur", "choose one of", "box"]),
        (["corruption=half", "corruption.side=up"], ["corruption.side=up", "top"]),
        (["task=heal"], ["task=heal", "restore, interpolate"]),
        (["corruption.std=1"], ["corruption.std", "corruption=gaussian_noise"]),
    ],
)
def test_wrong_options_are_refused(
    command: Command, arguments: list[str], parts: list[str]
) -> None:
    refused(command("reconstruct", *arguments), *parts)


def test_mask_that_hides_the_same_pixels_for_ever_is_refused(command: Command) -> None:
    done = command("train", "corruption=half", "corruption.loss_on=observed")
    refused(done, "nothing could fill them", "corruption.loss_on=all")
