import csv
import json
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.conftest import TINY, Finished, evaluate_here, refused, train_here
from vae_cli.run import Run
from vae_cli.runs.folder import RunFolder

Command = Callable[..., Finished]
Report = dict[str, Any]

CONV = "architecture.filters=[4]"
SAMPLES = "importance_samples=3"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three evaluated runs: two seeds at beta 1, one at beta 4."""
    folder = tmp_path_factory.mktemp("sweep")
    for name, overrides in (
        ("0", ("seed=1", "beta=1")),
        ("1", ("seed=2", "beta=1")),
        ("2", ("seed=1", "beta=4")),
    ):
        run = train_here(folder / name, *TINY, CONV, *overrides)
        evaluate_here(run, SAMPLES)
    return folder


@pytest.fixture
def copied(sweep: Path, tmp_path: Path) -> Path:
    """The sweep once more, to be changed."""
    return Path(shutil.copytree(sweep, tmp_path / "sweep"))


@pytest.fixture
def unevaluated(copied: Path) -> Path:
    """The sweep as training left it."""
    for evaluation in copied.glob("**/evaluation"):
        shutil.rmtree(evaluation)
    return copied


def evaluated(command: Command, run: Path | str, *arguments: str) -> Finished:
    done = command("evaluate", f"run={run}", SAMPLES, *arguments)
    assert done.status == 0, done.stderr
    return done


def reports(sweep: Path) -> dict[str, Path]:
    return {file.parts[-3]: file for file in sweep.glob("?/evaluation/test.json")}


def written(sweep: Path) -> dict[str, int]:
    """When each run's report was written."""
    return {name: file.stat().st_mtime_ns for name, file in reports(sweep).items()}


def test_runs_are_compared_with_mean_and_deviation_over_seeds(
    command: Command, sweep: Path
) -> None:
    evaluated(command, sweep)
    figures = {name: json.loads(f.read_text()) for name, f in reports(sweep).items()}
    assert set(figures) == {"0", "1", "2"}
    with (sweep / "evaluation" / "test.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert [(row["beta"], row["runs"]) for row in (first, second)] == [
        *(("1", "2"), ("4", "1"))
    ]
    for measure in ("neg_elbo", "kl_loss", "cross_entropy_bound", "mse", "ssim"):
        values = [figures[name][measure] for name in "01"]
        assert float(first[measure]) == pytest.approx(statistics.fmean(values))
        deviation = pytest.approx(statistics.stdev(values), abs=1e-12)
        assert float(first[f"{measure}_sd"]) == deviation
        assert float(second[measure]) == figures["2"][measure]
        assert second[f"{measure}_sd"] == ""


def test_table_comes_on_stdout_before_its_files(command: Command, sweep: Path) -> None:
    done = evaluated(command, sweep)
    folder = sweep / "evaluation"
    table = (folder / "test.md").read_text()
    assert table in done.stdout
    how, _, _, _, header, _, *rows = table.splitlines()
    assert how.startswith("split test; num_images 16; dataset synthetic; ")
    assert header.startswith("| run | beta | neg_elbo | ")
    assert [row.split("|")[1].strip() for row in rows] == ["2 runs", "2"]
    assert done.stdout.splitlines()[-3:] == [
        str(folder / name)
        for name in ("test.md", "test.csv", "test-rate-distortion.png")
    ]


def test_named_runs_give_the_table_of_their_folder(
    command: Command, sweep: Path
) -> None:
    evaluated(command, sweep)
    files = [sweep / "evaluation" / f"test.{end}" for end in ("md", "csv")]
    before = [file.read_text() for file in files]
    for file in files:
        file.unlink()
    evaluated(command, ",".join(str(sweep / name) for name in "012"))
    assert [file.read_text() for file in files] == before


def test_runs_of_one_beta_have_no_rate_distortion_figure(
    command: Command, sweep: Path, tmp_path: Path
) -> None:
    out = tmp_path / "table"
    done = evaluated(command, f"{sweep / '0'},{sweep / '1'}", f"output={out}")
    assert done.stdout.splitlines()[-2:] == [
        str(out / "test.md"),
        str(out / "test.csv"),
    ]
    assert sorted(file.name for file in out.iterdir()) == ["test.csv", "test.md"]


def test_evaluations_are_taken_again_as_they_are(
    command: Command, copied: Path
) -> None:
    before = written(copied)
    assert len(before) == 3
    done = evaluated(command, copied)
    assert done.stderr.count("evaluated already") == 3
    assert written(copied) == before


@pytest.mark.parametrize("other", ["checkpoint=last", "importance_samples=4"])
def test_other_evaluations_are_not_taken_again(
    other: str, command: Command, copied: Path
) -> None:
    before = written(copied)
    chosen = [other] if other.startswith("importance") else [SAMPLES, other]
    done = command("evaluate", f"run={copied / '0'},{copied / '1'}", *chosen)
    assert done.status == 0, done.stderr
    after = written(copied)
    assert (after["0"] > before["0"], after["1"] > before["1"]) == (True, True)
    assert after["2"] == before["2"]
    key, _, value = other.partition("=")
    for name in "01":
        report = json.loads(reports(copied)[name].read_text())
        assert str(report["protocol"][key]) == value


def test_run_that_was_trained_on_is_evaluated_again(
    command: Command, copied: Path
) -> None:
    before = written(copied)
    vae = Run(RunFolder(copied / "0"), "best").vae
    vae.decoder.trainable_variables[-1].assign_add([1.0])
    vae.save_weights(copied / "0" / "checkpoints" / "best.weights.h5")
    evaluated(command, copied)
    after = written(copied)
    assert after["0"] > before["0"]
    assert [after[name] for name in "12"] == [before[name] for name in "12"]


def test_single_run_is_always_evaluated_anew(command: Command, copied: Path) -> None:
    before = written(copied)
    evaluated(command, copied / "0")
    assert written(copied)["0"] > before["0"]


@pytest.mark.parametrize("run", ["{}", "{}/0-seed=1"], ids=["sweep", "job"])
def test_job_of_a_sweep_is_named_as_its_folder_is(
    run: str, command: Command, sweep: Path, tmp_path: Path
) -> None:
    job = Path(shutil.copytree(sweep / "0", tmp_path / "sweep" / "0-seed=1"))
    evaluated(command, run.format(job.parent))
    assert (job / "evaluation" / "test.json").exists()


def test_truncated_weights_are_named(command: Command, unevaluated: Path) -> None:
    file = unevaluated / "0" / "checkpoints" / "best.weights.h5"
    file.write_bytes(file.read_bytes()[:2000])
    done = command("evaluate", f"run={unevaluated / '0'}")
    refused(done, str(file), "truncated", "checkpoint=last")
    assert not (unevaluated / "0" / "evaluation").exists()


def test_missing_weights_say_how_to_get_them(
    command: Command, unevaluated: Path
) -> None:
    (unevaluated / "0" / "checkpoints" / "best.weights.h5").unlink()
    done = command("evaluate", f"run={unevaluated / '0'}")
    refused(done, "best.weights.h5", f"resume={unevaluated / '0'}")


def test_weights_of_another_model_are_named(
    command: Command, unevaluated: Path
) -> None:
    config = unevaluated / "0" / "config.yaml"
    config.write_text(config.read_text().replace("latent_dim: 2", "latent_dim: 5"))
    refused(command("evaluate", f"run={unevaluated / '0'}"), "doesn't fit", str(config))


def test_weights_that_hold_more_than_the_model_are_named(
    command: Command, unevaluated: Path
) -> None:
    file = unevaluated / "0" / "checkpoints" / "best.weights.h5"
    with h5py.File(file, "a") as content:
        content["prior/vars/0"] = [1.0]
    refused(command("evaluate", f"run={unevaluated / '0'}"), "doesn't fit", str(file))


def test_weights_that_are_not_finite_are_named(
    command: Command, unevaluated: Path
) -> None:
    run = RunFolder(unevaluated / "0")
    vae = Run(run, "best").vae
    vae.encoder.trainable_variables[0].assign_add(
        np.full(vae.encoder.trainable_variables[0].shape, np.nan)
    )
    vae.save_weights(run.weights("best"))
    refused(command("evaluate", f"run={run}"), "NaN", "checkpoint=last")


def test_broken_config_of_one_run_is_told_before_any_is_evaluated(
    command: Command, unevaluated: Path
) -> None:
    (unevaluated / "1" / "config.yaml").write_text("latent_dim: 0\n")
    done = command("evaluate", f"run={unevaluated / '0'},{unevaluated / '1'}")
    refused(done, str(unevaluated / "1" / "config.yaml"))
    assert not reports(unevaluated)


def test_other_images_than_the_runs_own_are_refused(
    command: Command, unevaluated: Path
) -> None:
    config = unevaluated / "0" / "config.yaml"
    config.write_text(config.read_text().replace("num_images: 80", "num_images: 90"))
    done = command("evaluate", f"run={unevaluated / '0'}")
    refused(done, "its data, which have changed")


def test_run_that_can_not_be_written_is_named(
    command: Command, unevaluated: Path
) -> None:
    (unevaluated / "0" / "evaluation").write_text("in the way")
    done = command("evaluate", f"run={unevaluated / '0'}", SAMPLES)
    refused(done, str(unevaluated / "0"), "can't be written")
    # what the command doesn't take is no advice
    assert "run_dir=" not in done.stderr


def test_scores_that_can_not_be_written_are_named(
    command: Command, unevaluated: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = command(
        "evaluate", f"run={unevaluated / '0'}", SAMPLES,
        f"save_npz={tmp_path / 'file' / 'scores.npz'}",
    )  # fmt: skip
    refused(done, str(tmp_path / "file"), "can't be written")


def test_table_that_can_not_be_written_is_named(
    command: Command, sweep: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = command(
        "evaluate", f"run={sweep}", SAMPLES,
        f"output={tmp_path / 'file' / 'table'}",
    )  # fmt: skip
    refused(done, str(tmp_path / "file"), "can't be written", "output=<folder>")


def test_scores_of_several_runs_are_refused(
    command: Command, copied: Path, tmp_path: Path
) -> None:
    before = written(copied)
    file = tmp_path / "scores.npz"
    done = command(
        "evaluate", f"run={copied}", "importance_samples=4", f"save_npz={file}"
    )
    refused(done, f"save_npz={file} takes a single run, got 3")
    assert not file.exists()
    assert written(copied) == before


def test_runs_with_and_without_test_images_are_refused_before_any_is_scored(
    command: Command, unevaluated: Path
) -> None:
    rng = np.random.default_rng(0)
    data = unevaluated / "own.npz"
    np.savez(data, x_train=rng.integers(0, 256, (60, 8, 8), dtype=np.uint8))
    train_here(
        unevaluated / "own", "architecture=dense", "architecture.hidden_units=[4]",
        "dataset=npz", f"dataset.path={data}", "dataset.validation_size=20",
        "dataset.test_size=0", "batch_size=50", "epochs=1",
    )  # fmt: skip
    done = command("evaluate", f"run={unevaluated}", SAMPLES)
    refused(done, "Some of these runs have test images", "split=validation")
    assert not reports(unevaluated)
