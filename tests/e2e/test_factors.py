"""Runs on images of known factors, and the disentanglement of their codes."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import vae_cli
from tests.conftest import TINY, Finished, evaluate_here, refused, train_here
from tests.e2e.runs import assert_equal_runs

Command = Callable[..., Finished]

SIZES = (
    "dataset.image_size=16",
    "dataset.validation_size=60",
    "dataset.test_size=120",
)
NETWORK = ("architecture=dense", "architecture.hidden_units=[16]", "latent_dim=4")
SPRITES = (
    "dataset=factors",
    *SIZES,
    "dataset.scales=2",
    "dataset.rotations=3",
    "dataset.positions=5",
    *NETWORK,
    "epochs=1",
)
"""450 images: 3 shapes, 2 scales, 3 rotations, 5 x 5 places."""
SQUARES = (
    "dataset=xy_squares",
    *SIZES,
    "dataset.squares=2",
    "dataset.square_size=3",
    "dataset.spacing=3",
    *NETWORK,
    "epochs=1",
)
"""625 images."""
SCORES = (
    "mig", "mig_sampled", "sap", "dci_disentanglement", "dci_completeness",
    "dci_informativeness", "factor_vae_score", "beta_vae_score", "modularity",
)  # fmt: skip
ALONE = ("disentanglement=true", "importance_samples=null")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Runs with two seeds, the first with the components of a mixture as prior."""
    root = tmp_path_factory.mktemp("factors")
    mixture = ("prior=mog", "prior.components=4")
    return [
        train_here(root / f"run{s}", *SPRITES, *mixture, f"seed={s}") for s in (0, 1)
    ]


@pytest.fixture(scope="module")
def report(runs: list[Path]) -> dict[str, Any]:
    return evaluate_here(runs[0], *ALONE)


def test_report_has_scores_with_chance_levels_and_protocol(
    runs: list[Path], report: dict[str, Any]
) -> None:
    found = report["disentanglement"]
    for key in SCORES:
        assert 0 <= report[key] <= 1
        assert 0 <= found["chance"][key] <= 1
    assert found["factors"] == {
        "shape": 3, "scale": 2, "rotation": 3, "x": 5, "y": 5,
    }  # fmt: skip
    assert found["factor_kinds"]["rotation"] == "periodic"
    assert np.shape(found["mutual_information"]) == (4, 5)
    assert found["protocol"]["fitted_images"] == 270
    assert found["protocol"]["scored_images"] == 120
    assert found["protocol"]["seed"] == 0
    text = (runs[0] / "evaluation" / "test.md").read_text()
    chance = found["chance"]["mig"]
    assert f"| MIG | {report['mig']:.4f} | " in text
    assert f"shuffled codes: {chance:.3f} |" in text
    assert "factors shape (3), scale (2), rotation (3), x (5), y (5)" in text
    assert "random forest" in text
    with Image.open(runs[0] / "evaluation" / "test-disentanglement.png") as picture:
        assert picture.size[0] > 900


def test_python_gives_the_same_scores_again(
    runs: list[Path], report: dict[str, Any]
) -> None:
    run = vae_cli.load(runs[0])
    again = run.evaluate("test", importance_samples=None, disentanglement=True)
    for key in SCORES:
        assert getattr(again, key) == pytest.approx(report[key], abs=1e-6), key
    assert run.evaluate("test", importance_samples=None).disentanglement is None


def test_training_images_are_scored_on_two_halves(runs: list[Path]) -> None:
    run = vae_cli.load(runs[0])
    found = run.evaluate("train", importance_samples=None, disentanglement=True)
    how = found.disentanglement.protocol
    assert how["fitted_images"] == how["scored_images"] == 135


def test_clusters_are_the_likeliest_components(
    runs: list[Path], report: dict[str, Any]
) -> None:
    run = vae_cli.load(runs[0])
    split, prior = run.split("test"), run.vae.prior()
    z = run.encode(split).mean
    w, m, v = (np.asarray(x) for x in (prior.log_weights, prior.mean, prior.log_var))
    joint = w - 0.5 * (((z[:, None] - m) ** 2) / np.exp(v) + v).sum(-1)
    from vae_cli.evaluation.clusters import compared

    wanted = compared(joint.argmax(axis=1), split.labels)
    assert report["cluster_accuracy"] == pytest.approx(wanted.cluster_accuracy)
    assert report["cluster_nmi"] == pytest.approx(wanted.cluster_nmi)


def test_table_of_runs_has_mean_and_deviation_of_the_scores(
    command: Command, runs: list[Path], report: dict[str, Any], tmp_path: Path
) -> None:
    both = ",".join(map(str, runs))
    done = command("evaluate", f"run='{both}'", *ALONE, f"output={tmp_path}")
    assert done.status == 0, done.stderr
    with (tmp_path / "test.csv").open() as file:
        (row,) = csv.DictReader(file)
    own = [json.loads((r / "evaluation" / "test.json").read_text()) for r in runs]
    for key in SCORES:
        values = [found[key] for found in own]
        assert float(row[key]) == pytest.approx(np.mean(values))
        assert float(row[f"{key}_sd"]) == pytest.approx(np.std(values, ddof=1))
    assert "factor_vae_score" in done.stdout + (tmp_path / "test.md").read_text()
    assert (own[0]["mig"], own[0]["sap"]) == (report["mig"], report["sap"])


def test_earlier_figure_moves_aside_with_its_report(
    runs: list[Path], report: dict[str, Any]
) -> None:
    folder = runs[1] / "evaluation"
    evaluate_here(runs[1], *ALONE, "seed=5")
    before = (folder / "test-disentanglement.png").read_bytes()
    evaluate_here(runs[1], "importance_samples=null")
    assert not (folder / "test-disentanglement.png").exists()
    earlier = sorted(folder.glob("earlier/*/test-disentanglement.png"))[-1]
    assert earlier.read_bytes() == before


def test_images_without_known_factors_are_refused(
    command: Command, tmp_path: Path
) -> None:
    run = train_here(tmp_path / "run", *TINY, *NETWORK)
    done = command("evaluate", f"run={run}", "disentanglement=true")
    refused(done, "dataset=synthetic", "has none", "dataset=factors")


def test_few_images_are_refused(
    command: Command, runs: list[Path], tmp_path: Path
) -> None:
    done = command("evaluate", f"run={runs[1]}", "split=validation", *ALONE)
    refused(done, "disentanglement=true needs 100 images", "has 60")


def test_encode_writes_the_factors_of_each_image(
    command: Command, runs: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / "codes.csv"
    done = command("encode", f"run={runs[0]}", "num_images=40", f"output={file}")
    assert done.status == 0, done.stderr
    with file.open() as opened:
        rows = list(csv.DictReader(opened))
    split = vae_cli.load(runs[0]).split("test", num_images=40)
    for name, values in split.factors.items():
        found = [float(row[f"factor_{name}"]) for row in rows]
        np.testing.assert_allclose(found, values, rtol=1e-6)
    assert [row["label"] for row in rows] == split.label_names.tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("generate", "mode=traversal"),
        ("reconstruct", "num_images=20"),
        ("anomaly", "normal=[square]"),
        ("plot-latent",),
        ("report",),
    ],
    ids=lambda words: words[0],
)
def test_command_works_on_such_a_run(
    words: tuple[str, ...], command: Command, runs: list[Path]
) -> None:
    done = command(words[0], f"run={runs[0]}", *words[1:])
    assert done.status == 0, done.stderr


@pytest.mark.slow
def test_shapes_condition_a_model_and_its_codes_are_scored(
    command: Command, tmp_path: Path
) -> None:
    run = train_here(tmp_path / "run", *SPRITES, "conditioning=label")
    done = command("generate", f"run={run}", "label=heart", "num_images=4")
    assert done.status == 0, done.stderr
    assert evaluate_here(run, *ALONE)["mig"] is not None


def test_squares_train_and_resume_exactly_from_the_cache_too(
    command: Command, tmp_path: Path
) -> None:
    streamed = (
        *SQUARES,
        "dataset.image_size=32",
        "dataset.memory_mb=1",
        "kl_annealing=none",
    )
    whole = train_here(tmp_path / "whole", *streamed, "epochs=2")
    run = train_here(tmp_path / "run", *streamed)
    assert vae_cli.load(run).data.streamed
    resumed = command("train", f"resume={run}", "epochs=2")
    assert resumed.status == 0, resumed.stderr
    assert_equal_runs(whole, run)
    found = evaluate_here(run, *ALONE)
    assert list(found["disentanglement"]["factors"].values()) == [5, 5, 5, 5]
