import csv
import json
import math
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY, Finished, evaluate_here, train_here
from vae_cli.runs.folder import RunFolder

Command = Callable[..., Finished]
Report = dict[str, Any]

KEYS = {
    *("split", "num_images", "neg_elbo", "neg_elbo_se", "reconstruction_loss"),
    *("kl_loss", "nll", "nll_se", "importance_samples", "bits_per_dim"),
    *("cross_entropy_bound", "cross_entropy_bound_se", "active_units", "kl_per_dim"),
    *("mse", "psnr", "ssim", "knn_accuracy", "linear_accuracy"),
    *("effective_sample_size", "seconds", "protocol"),
}
PROTOCOL = {"dataset", "binarization", "train_size", "draw_seed", "estimator"}
CONV = "architecture.filters=[4]"
SAMPLES = "importance_samples=3"


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on shapes that are binarized anew every step."""
    run = tmp_path_factory.mktemp("binary") / "run"
    return train_here(
        run, *TINY, CONV, "dataset.binarize=dynamic", "dataset.seed=3", "seed=5",
        "epochs=5", "optimizer.learning_rate=0.01",
    )  # fmt: skip


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on images without labels, with Gaussian pixels and a VampPrior."""
    folder = tmp_path_factory.mktemp("unlabelled")
    images = np.random.default_rng(0).integers(0, 256, (60, 9, 12, 3), dtype=np.uint8)
    np.savez(folder / "own.npz", x_train=images[:45], x_test=images[45:])
    return train_here(
        folder / "run", "dataset=npz", f"dataset.path={folder / 'own.npz'}", CONV,
        "dataset.validation_size=0", "likelihood=gaussian", "prior=vamp",
        "prior.components=5", "epochs=1", "batch_size=50",
    )  # fmt: skip


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


@pytest.fixture(scope="module")
def grey_report(trained: Path) -> Report:
    return evaluate_here(trained, "importance_samples=20")


@pytest.fixture(scope="module")
def binary_report(binary: Path) -> Report:
    return evaluate_here(binary, "importance_samples=20")


@pytest.fixture(scope="module")
def gaussian_report(unlabelled: Path) -> Report:
    return evaluate_here(unlabelled, "importance_samples=20")


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


def measures(report: Report) -> Report:
    return {key: value for key, value in report.items() if key != "seconds"}


def loaded(run: Path) -> tuple[Any, Any]:
    """The model and the data of a run."""
    from vae_cli.runs.data import load_run_data
    from vae_cli.runs.trained import load_trained

    folder = RunFolder(run)
    return load_trained(folder, "best").vae, load_run_data(folder, folder.load_config())


def reports(sweep: Path) -> dict[str, Path]:
    return {file.parts[-3]: file for file in sweep.glob("?/evaluation/test.json")}


def written(sweep: Path) -> dict[str, int]:
    """When each run's report was written."""
    return {name: file.stat().st_mtime_ns for name, file in reports(sweep).items()}


def refused(done: Finished, *parts: str) -> None:
    assert done.status == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr


def test_report_lands_in_the_run_and_its_files_on_stdout(
    command: Command, trained: Path
) -> None:
    done = evaluated(command, trained)
    files = [trained / "evaluation" / f"test.{end}" for end in ("json", "md", "png")]
    assert done.stdout.splitlines() == [str(file) for file in files]
    with Image.open(files[2]) as picture:
        assert picture.size[0] > 1000
    text = files[1].read_text()
    assert text.startswith("# run: test\n\n60 images of synthetic, ")
    report = json.loads(files[0].read_text())
    assert f"| -ELBO | {report['neg_elbo']:.2f} (s.e. " in text
    assert "cross-entropy bound" in text


def test_report_has_every_promised_key(
    grey_report: Report, binary_report: Report, gaussian_report: Report
) -> None:
    for report in (grey_report, binary_report, gaussian_report):
        assert set(report) == KEYS
        assert set(report["protocol"]) > PROTOCOL


def test_protocol_says_how_the_figures_came_about(binary_report: Report) -> None:
    how = binary_report["protocol"]
    assert {key: how[key] for key in PROTOCOL} == {
        "dataset": "synthetic",
        "binarization": "dynamic",
        "train_size": 50,
        "draw_seed": 3,
        "estimator": "importance sampling",
    }
    assert (binary_report["importance_samples"], how["noise_seed"]) == (20, 5)


@pytest.mark.parametrize("run", ["trained", "binary", "unlabelled"])
def test_bound_is_the_one_that_training_measured(
    run: str, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(run)
    report = evaluate_here(folder, "importance_samples=null")
    saved = json.loads((folder / "metrics.json").read_text())["test"]
    for key, value in saved.items():
        assert report[key] == pytest.approx(value, abs=1e-4), key


def test_bound_has_its_standard_error(binary: Path, binary_report: Report) -> None:
    from vae_cli.evaluation.bounds import score_images

    vae, data = loaded(binary)
    scores = score_images(vae, data.test.images, seed=5)
    values = [float(a) + float(b) for a, b in zip(scores[0], scores[1], strict=True)]
    error = statistics.stdev(values) / math.sqrt(len(values))
    assert binary_report["neg_elbo_se"] == pytest.approx(error, rel=1e-5)


def test_grey_pixels_have_a_cross_entropy_bound_and_no_likelihood(
    grey_report: Report,
) -> None:
    assert grey_report["nll"] is grey_report["nll_se"] is None
    assert grey_report["bits_per_dim"] is None
    assert grey_report["cross_entropy_bound"] <= grey_report["neg_elbo"] + 0.05
    assert grey_report["cross_entropy_bound_se"] > 0


def test_binary_pixels_have_a_likelihood_in_bits_too(binary_report: Report) -> None:
    assert binary_report["cross_entropy_bound"] is None
    assert binary_report["nll"] < binary_report["neg_elbo"]
    assert binary_report["nll_se"] > 0
    bits = binary_report["nll"] / (12 * 12 * math.log(2))
    assert binary_report["bits_per_dim"] == pytest.approx(bits, rel=1e-12)


def test_density_has_no_bits(gaussian_report: Report) -> None:
    assert math.isfinite(gaussian_report["nll"])
    assert gaussian_report["cross_entropy_bound"] is None
    assert gaussian_report["bits_per_dim"] is None


def test_accuracy_of_neighbours_is_that_of_a_vote_counted_by_hand(
    trained: Path, grey_report: Report
) -> None:
    from vae_cli.evaluation.latent import encode

    vae, data = loaded(trained)
    codes, others = (encode(vae, s.images)[0] for s in (data.train, data.test))
    distances = np.linalg.norm(others[:, None] - codes[None], axis=-1)
    nearest = data.train.labels[np.argsort(distances, axis=1)[:, :10]]
    votes = np.array([np.bincount(labels).argmax() for labels in nearest])
    share = float((votes == data.test.labels).mean())
    assert grey_report["knn_accuracy"] == pytest.approx(share)
    assert 0 < grey_report["linear_accuracy"] <= 1


def test_set_without_labels_has_no_accuracies(gaussian_report: Report) -> None:
    assert gaussian_report["knn_accuracy"] is None
    assert gaussian_report["linear_accuracy"] is None


def test_images_smaller_than_its_window_have_no_ssim(
    gaussian_report: Report, grey_report: Report
) -> None:
    assert gaussian_report["ssim"] is None
    assert -1 < grey_report["ssim"] < 1


def test_kl_per_dim_sums_to_the_kl(grey_report: Report, binary_report: Report) -> None:
    for report, dims in ((grey_report, 3), (binary_report, 2)):
        assert len(report["kl_per_dim"]) == dims
        assert sum(report["kl_per_dim"]) == pytest.approx(report["kl_loss"], abs=1e-4)


def test_prior_without_a_kl_for_each_dimension_has_none(
    gaussian_report: Report,
) -> None:
    assert gaussian_report["kl_per_dim"] is None
    assert math.isfinite(gaussian_report["kl_loss"])


def test_psnr_is_the_mean_squared_error_in_decibels(
    trained: Path, grey_report: Report
) -> None:
    vae, data = loaded(trained)
    x = data.test.images.astype(np.float32) / 255
    mse = float(np.mean((x - np.asarray(vae(x))) ** 2))
    assert grey_report["mse"] == pytest.approx(mse, rel=1e-4)
    assert grey_report["psnr"] == pytest.approx(-10 * math.log10(mse), abs=1e-3)


@pytest.mark.parametrize(
    "sizes",
    [
        ("batch_size=7", "chunk_size=3"),
        ("batch_size=1000", "chunk_size=1000"),
        ("memory_mb=1",),
    ],
    ids=" ".join,
)
def test_no_size_changes_a_figure(
    sizes: tuple[str, ...], binary: Path, binary_report: Report
) -> None:
    other = evaluate_here(binary, "importance_samples=20", *sizes)
    for key in ("neg_elbo", "reconstruction_loss", "kl_loss", "nll"):
        assert other[key] == pytest.approx(binary_report[key], abs=1e-3), key
    assert other["nll_se"] == pytest.approx(binary_report["nll_se"], abs=1e-3)
    assert other["effective_sample_size"] == pytest.approx(
        binary_report["effective_sample_size"], rel=1e-3
    )


def test_same_seed_gives_the_same_figures(binary: Path, binary_report: Report) -> None:
    again = evaluate_here(binary, "importance_samples=20", "seed=5")
    assert measures(again) == measures(binary_report)
    other = evaluate_here(binary, "importance_samples=20", "seed=6")
    assert other["neg_elbo"] != binary_report["neg_elbo"]
    assert other["nll"] != binary_report["nll"]
    assert other["nll"] == pytest.approx(binary_report["nll"], abs=1)


def test_validation_images_score_as_at_the_best_epoch(binary: Path) -> None:
    report = evaluate_here(binary, "split=validation", "importance_samples=null")
    best = json.loads((binary / "metrics.json").read_text())["best_epoch"]
    with (binary / "metrics.csv").open() as file:
        row = list(csv.DictReader(file))[best - 1]
    assert (report["split"], report["num_images"]) == ("validation", 30)
    assert report["neg_elbo"] == pytest.approx(float(row["val_neg_elbo"]), abs=1e-3)


def test_training_images_are_scored_binarized_and_without_probes(binary: Path) -> None:
    from vae_cli.data.prepare import fixed_split
    from vae_cli.evaluation.bounds import evaluate_elbo

    report = evaluate_here(binary, "split=train", SAMPLES)
    vae, data = loaded(binary)
    images = fixed_split(data, RunFolder(binary).load_config().dataset, "train").images
    assert set(np.unique(images)) == {0, 255}
    own = evaluate_elbo(vae, images, seed=5)
    assert report["num_images"] == 50
    assert report["neg_elbo"] == pytest.approx(own.neg_elbo, abs=1e-4)
    assert report["knn_accuracy"] is report["linear_accuracy"] is None
    assert (binary / "evaluation" / "train.png").stat().st_size > 0


def test_no_importance_samples_leave_the_likelihood_out(binary: Path) -> None:
    report = evaluate_here(binary, "importance_samples=null")
    for key in ("nll", "nll_se", "bits_per_dim", "importance_samples"):
        assert report[key] is None
    assert report["effective_sample_size"] is None
    assert report["protocol"]["estimator"] == "elbo"
    assert report["mse"] > 0


def test_num_images_takes_the_first_ones(binary: Path) -> None:
    from vae_cli.evaluation.bounds import evaluate_elbo

    report = evaluate_here(binary, "num_images=7", SAMPLES)
    vae, data = loaded(binary)
    own = evaluate_elbo(vae, data.test.images[:7], seed=5)
    assert report["num_images"] == 7
    assert report["neg_elbo"] == pytest.approx(own.neg_elbo, abs=1e-4)


def test_single_image_has_no_standard_error(binary: Path) -> None:
    report = evaluate_here(binary, "num_images=1", SAMPLES)
    assert report["neg_elbo_se"] is report["nll_se"] is None
    assert report["active_units"] == 0


def test_more_images_than_there_are_means_all(binary: Path) -> None:
    report = evaluate_here(binary, "num_images=1000", "importance_samples=null")
    assert report["num_images"] == 16


def test_scores_of_each_image_come_beside_the_images(
    trained: Path, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "scores.npz"
    report = evaluate_here(trained, SAMPLES, "num_images=50", f"npz={file}")
    _, data = loaded(trained)
    with np.load(file, allow_pickle=False) as arrays:
        assert set(arrays) == {
            *("images", "labels", "neg_elbo", "log_prob", "effective_samples")
        }
        np.testing.assert_array_equal(arrays["images"], data.test.images[:50])
        np.testing.assert_array_equal(arrays["labels"], data.test.labels[:50])
        assert arrays["neg_elbo"].mean() == pytest.approx(report["neg_elbo"])
        bound = -arrays["log_prob"].mean()
        assert bound == pytest.approx(report["cross_entropy_bound"])
        size = arrays["effective_samples"].mean()
        assert size == pytest.approx(report["effective_sample_size"])


def test_scores_without_importance_samples_are_the_bound_alone(
    unlabelled: Path, tmp_path: Path
) -> None:
    file = tmp_path / "scores.npz"
    evaluate_here(unlabelled, "importance_samples=null", f"npz={file}")
    with np.load(file, allow_pickle=False) as arrays:
        assert set(arrays) == {"images", "neg_elbo"}


def test_scores_of_several_runs_are_refused(
    command: Command, copied: Path, tmp_path: Path
) -> None:
    before = written(copied)
    file = tmp_path / "scores.npz"
    done = command("evaluate", f"run={copied}", "importance_samples=4", f"npz={file}")
    refused(done, f"npz={file} takes a single run, got 3")
    assert not file.exists()
    assert written(copied) == before


def test_last_weights_are_scored_when_asked_for(binary: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(binary, tmp_path / "run"))
    last = run / "checkpoints" / "last.weights.h5"
    best = evaluate_here(run, "importance_samples=null")
    # other weights of the same shapes
    vae, _ = loaded(run)
    vae.decoder.trainable_variables[-1].assign_add([1.0])
    vae.save_weights(last)
    other = evaluate_here(run, "checkpoint=last", "importance_samples=null")
    assert other["protocol"]["checkpoint"] == "last"
    assert other["protocol"]["weights_sha256"] != best["protocol"]["weights_sha256"]
    assert other["kl_loss"] == best["kl_loss"]
    assert abs(other["neg_elbo"] - best["neg_elbo"]) > 1


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
    header, _, *rows = table.splitlines()
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
    vae, _ = loaded(copied / "0")
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


def test_broken_config_of_one_run_is_told_before_any_is_evaluated(
    command: Command, unevaluated: Path
) -> None:
    (unevaluated / "1" / "config.yaml").write_text("latent_dim: 0\n")
    done = command("evaluate", f"run={unevaluated}")
    refused(done, str(unevaluated / "1" / "config.yaml"))
    assert not reports(unevaluated)


def test_other_images_than_the_runs_own_are_refused(
    command: Command, unevaluated: Path
) -> None:
    config = unevaluated / "0" / "config.yaml"
    config.write_text(config.read_text().replace("num_images: 80", "num_images: 90"))
    done = command("evaluate", f"run={unevaluated / '0'}")
    refused(done, "its data, which have changed")


def test_split_that_a_set_has_not_is_refused(
    command: Command, unlabelled: Path
) -> None:
    done = command("evaluate", f"run={unlabelled}", "split=validation")
    refused(done, "split=validation has no images", "choose one of: train, test")


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
        f"npz={tmp_path / 'file' / 'scores.npz'}",
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
