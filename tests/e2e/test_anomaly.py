"""`vae-anomaly`: scores, thresholds and tables, read back from their files."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY, Finished, refused, train_here, vae
from vae_cli.evaluation.anomaly import SCORES

Command = Callable[..., Finished]
DENSE = ("architecture=dense", "architecture.hidden_units=[16]")
KINDS = {
    "squares": ("dataset.classes=[0]",),
    "unlabelled": (),
    "label": ("conditioning=label",),
    "two_level vamp": ("hierarchy=two_level", "prior=vamp", "latent_dim=4"),
    "colour": ("dataset.channels=3", "likelihood=gaussian"),
    "noise": ("corruption=gaussian_noise", "dataset.validation_size=0"),
    "observed": (
        "conditioning=observed",
        "conditioning.hidden_units=[8]",
        "corruption=box",
        "corruption.loss_on=missing",
    ),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Runs of one step, each trained when it is first asked for."""
    root = tmp_path_factory.mktemp("anomaly")

    def run(kind: str) -> Path:
        folder = root / kind.replace(" ", "-")
        if not folder.exists():
            train_here(folder, *TINY, *DENSE, *KINDS[kind])
        return folder

    return run


def scored(
    command: Command, run: Path, *options: str
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return the report and the rows of the CSV."""
    done = command("anomaly", f"run={run}", "posterior_samples=3", *options)
    assert done.status == 0, done.stderr
    files = [Path(word) for word in done.stdout.split()]
    for picture in (file for file in files if file.suffix == ".png"):
        with Image.open(picture) as image:
            assert image.width > 100
    (report,) = (file for file in files if file.suffix == ".json")
    (table,) = (file for file in files if file.suffix == ".csv")
    with table.open() as rows:
        return json.loads(report.read_text()), list(csv.DictReader(rows))


def test_rows_agree_with_the_report(
    runs: Callable[[str], Path], command: Command
) -> None:
    report, rows = scored(command, runs("squares"))
    assert report["normal_classes"] == [0]
    assert len(rows) == report["num_images"] == 16
    anomalous = np.array([int(row["anomalous"]) for row in rows])
    labels = np.array([int(row["label"]) for row in rows])
    np.testing.assert_array_equal(anomalous, labels != 0)
    assert report["base_rate"] == anomalous.mean()
    for name in SCORES:
        values = np.array([float(row[name]) for row in rows])
        own = report["scores"][name]
        assert own["flagged"] == np.mean(values > own["threshold"])
        above = values[anomalous == 1][:, None] - values[anomalous == 0]
        expected = np.mean((above > 0) + 0.5 * (above == 0))
        assert own["auroc"] == pytest.approx(expected, abs=1e-6)
    chosen = report["scores"][report["score"]]["threshold"]
    flagged = [float(row[report["score"]]) > chosen for row in rows]
    assert [row["flagged"] for row in rows] == [str(int(f)) for f in flagged]
    assert (report["score"], report["chosen_by"]) == (
        "neg_elbo",
        "fixed in advance",
    )


@pytest.mark.parametrize(
    "kind",
    [
        *("squares", "unlabelled", "label", "noise", "observed"),
        pytest.param("two_level vamp", marks=pytest.mark.slow),
        pytest.param("colour", marks=pytest.mark.slow),
    ],
)
def test_every_kind_of_run_is_scored(
    runs: Callable[[str], Path], command: Command, kind: str
) -> None:
    report, rows = scored(command, runs(kind), "normal=[0,1]", "score=nll")
    assert report["score"] == "nll"
    assert np.isfinite([float(row["nll"]) for row in rows]).all()
    source = "train" if kind == "noise" else "validation"
    assert source in report["threshold_from"]


def test_without_normal_classes_there_is_a_threshold_and_no_auroc(
    runs: Callable[[str], Path], command: Command
) -> None:
    report, rows = scored(command, runs("unlabelled"), "num_images=5")
    assert len(rows) == 5
    assert report["base_rate"] is None
    assert (report["score"], report["chosen_by"]) == (
        "neg_elbo",
        "fixed in advance",
    )
    assert {row["anomalous"] for row in rows} == {""}


def test_score_chosen_by_labels_says_so_and_is_refused_without_them(
    runs: Callable[[str], Path], command: Command
) -> None:
    by_labels = "score=by_validation_auroc"
    done = command(
        "anomaly", f"run={runs('squares')}", "posterior_samples=2", by_labels
    )
    assert done.status == 0, done.stderr
    file = (
        runs("squares") / "anomaly" / "test-by_validation_auroc-posterior_samples2.json"
    )
    report = json.loads(file.read_text())
    assert report["chosen_by"] == "AUROC on labelled validation anomalies"
    assert "<- score= (AUROC on labelled validation anomalies" in done.stderr
    done = command("anomaly", f"run={runs('unlabelled')}", by_labels)
    refused(done, by_labels, "neg_elbo")


def test_files_of_other_settings_are_kept_apart(
    runs: Callable[[str], Path], command: Command
) -> None:
    run = f"run={runs('unlabelled')}"
    names = [
        Path(command("anomaly", run, *words).stdout.splitlines()[0]).name
        for words in ((), ("score=kl",), ("num_images=5", "quantile=0.9"))
    ]
    assert names == ["test.json", "test-kl.json", "test-quantile0.9-5.json"]
    kept = [(runs("unlabelled") / "anomaly" / name).exists() for name in names]
    assert kept == [True, True, True]


def test_few_images_keep_their_own_names(
    runs: Callable[[str], Path], command: Command
) -> None:
    _, whole = scored(command, runs("unlabelled"))
    _, few = scored(command, runs("unlabelled"), "num_images=5")
    mean_intensity = {row["image"]: row["mean_intensity"] for row in whole}
    assert len(few) == 5 < len(whole)
    assert all(mean_intensity[row["image"]] == row["mean_intensity"] for row in few)


def test_streamed_images_are_scored(tmp_path: Path, command: Command) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 1500), ("test", 1200)):
        arrays[f"x_{split}"] = rng.integers(0, 256, (count, 32, 32), dtype=np.uint8)
        arrays[f"y_{split}"] = np.arange(count) % 3
    np.savez(tmp_path / "large.npz", **arrays)
    run = train_here(
        tmp_path / "run", "dataset=npz", f"dataset.path={tmp_path / 'large.npz'}",
        "dataset.memory_mb=1", "dataset.validation_size=100", "dataset.classes=[0,2]",
        "corruption=half", "epochs=1", "batch_size=500", *DENSE,
    )  # fmt: skip
    report, rows = scored(command, run, "posterior_samples=2", "num_images=30")
    assert len(rows) == 30
    assert report["normal_classes"] == [0, 2]


def test_own_pictures_are_scored_by_name(
    runs: Callable[[str], Path], command: Command, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (12, 12), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(tmp_path / "black.png")
    _, rows = scored(command, runs("unlabelled"), f"images={tmp_path}")
    nll = {row["image"]: float(row["nll"]) for row in rows}
    assert nll["noise.png"] > nll["black.png"]
    done = command("anomaly", f"run={runs('label')}", f"images={tmp_path}")
    refused(done, "lies in no folder named after a class")
    done = command(
        "anomaly", f"run={runs('unlabelled')}", f"images={tmp_path}", "normal=[0]"
    )
    refused(done, "normal=[0] needs the label")


def test_classes_that_are_not_there_are_refused(
    runs: Callable[[str], Path], command: Command
) -> None:
    done = command("anomaly", f"run={runs('unlabelled')}", "normal=[0,42]")
    refused(done, "normal=[0, 42]", "of class 42", "classes 0, 1, 2")


def test_threshold_of_the_very_images_that_are_scored_is_said_to_mean_nothing(
    runs: Callable[[str], Path], command: Command
) -> None:
    run = f"run={runs('unlabelled')}"
    done = command("anomaly", run, "posterior_samples=2", "split=validation")
    assert "the threshold comes from these validation images" in done.stderr
    assert "normal=[...]" in done.stderr
    done = command("anomaly", run, "posterior_samples=2")
    assert "the threshold comes from" not in done.stderr


def test_own_pictures_are_corrupted_as_the_validation_images_are(
    runs: Callable[[str], Path], command: Command, tmp_path: Path
) -> None:
    np.save(tmp_path / "grey.npy", np.full((4, 12, 12), 128, np.uint8))
    done = f"images={tmp_path / 'grey.npy'}"
    _, rows = scored(command, runs("noise"), done, "num_images=3")
    assert len({row["nll"] for row in rows}) == 3  # each with noise of its own
    pixels = np.full((12, 12, 2), 255, np.uint8)
    pixels[:6, :, 1] = 0
    Image.fromarray(pixels, "LA").save(tmp_path / "hole.png")
    done = command("anomaly", f"run={runs('noise')}", f"images={tmp_path}/hole.png")
    refused(done, "transparent pixels")


def test_several_runs_make_a_table(
    runs: Callable[[str], Path], command: Command
) -> None:
    names = [str(runs("squares")), str(runs("label"))]
    done = command(
        "anomaly", f"run={','.join(names)}", "posterior_samples=2", "normal=[0]"
    )
    assert done.status == 0, done.stderr
    folder = runs("squares").parent
    table = (folder / "anomaly-normal0-posterior_samples2.md").read_text()
    assert table in done.stdout
    with (folder / "anomaly-normal0-posterior_samples2.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == ["squares", "label", "mean"]
    each = [float(row["AUROC of score"]) for row in rows]
    assert each[2] == pytest.approx((each[0] + each[1]) / 2)
    assert "chosen by: fixed in advance" in table
    refused(
        command("anomaly", f"run={','.join(names)}", "output=x"), "output=x takes one"
    )


@pytest.mark.slow
def test_sweep_over_classes_has_one_table(tmp_path: Path) -> None:
    words = ("dataset.classes=[0],[1,2]", "hydra.sweep.dir=sweep")
    done = vae("train", "-m", *TINY, *DENSE, *words, cwd=tmp_path)
    assert done.status == 0, done.stderr
    assert "vae-anomaly run=sweep" in done.stderr
    done = vae("anomaly", "run=sweep", cwd=tmp_path)
    assert done.status == 0, done.stderr
    with (tmp_path / "sweep" / "anomaly.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["normal"] for row in rows] == ["0", "all but 0", ""]
    assert (tmp_path / "sweep" / "anomaly.md").read_text() in done.stdout


def test_classes_that_no_image_has_are_refused(command: Command) -> None:
    done = command("train", *TINY, "dataset.classes=[7]", "run_dir=never")
    refused(done, "dataset.classes=[7]", "0, 1, 2")
    assert not Path("never").exists()
