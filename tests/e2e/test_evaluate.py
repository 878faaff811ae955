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

from tests.conftest import TINY, Finished, evaluate_here, refused, train_here
from vae_cli.data.prepare import chosen_index
from vae_cli.runs.evaluations import one_line
from vae_cli.runs.folder import RunFolder

Command = Callable[..., Finished]
Report = dict[str, Any]

KEYS = {
    *(
        "split",
        "num_images",
        "conditional",
        "neg_elbo",
        "neg_elbo_se",
        "reconstruction_loss",
    ),
    *("kl_loss", "nll", "nll_se", "importance_samples", "bits_per_dim"),
    *("bits_per_dim_se", "bits_per_dim_bound", "bits_per_dim_bound_se"),
    *("cross_entropy_bound", "cross_entropy_bound_se", "active_units", "kl_per_dim"),
    *("kl_per_level", "codebook_use", "perplexity", "neg_elbo_uniform"),
    *("mse", "psnr", "ssim", "knn_accuracy", "linear_accuracy", "probes_of"),
    *("effective_sample_size", "seconds", "protocol"),
    *("sharpness", "frechet_distance", "frechet_floor", "classifier_accuracy"),
    *("label_agreement", "class_spread", "samples_are"),
    *("mig", "mig_sampled", "sap", "dci_disentanglement", "dci_completeness"),
    *("dci_informativeness", "factor_vae_score", "beta_vae_score", "modularity"),
    *("disentanglement", "cluster_accuracy", "cluster_nmi"),
    *("kid", "kid_subset_sd", "precision", "recall", "features_of"),
    *("num_generated", "num_held_out", "gap_images", "gap_log_prob"),
    *("gap_log_prob_by", "ais_images", "ais_acceptance"),
    *(
        name + end
        for name in (
            *("ais_neg_log_prob", "ais_importance", "bdmc_lower", "bdmc_upper"),
            *("bdmc_gap", "inference_gap", "amortization_gap", "approximation_gap"),
        )
        for end in ("", "_se")
    ),
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
def grey_report(trained: Path) -> Report:
    return evaluate_here(trained, "importance_samples=20")


@pytest.fixture(scope="module")
def binary_report(binary: Path) -> Report:
    return evaluate_here(binary, "importance_samples=20")


@pytest.fixture(scope="module")
def gaussian_report(unlabelled: Path) -> Report:
    return evaluate_here(unlabelled, "importance_samples=20")


def measures(report: Report) -> Report:
    return {key: value for key, value in report.items() if key != "seconds"}


def loaded(run: Path) -> tuple[Any, Any]:
    """The model and the data of a run."""
    from vae_cli.run import Run
    from vae_cli.runs.data import load_run_data

    folder = RunFolder(run)
    return Run(folder, "best").vae, load_run_data(folder, folder.load_config())


def test_report_lands_in_the_run_and_its_files_on_stdout(
    command: Command, trained: Path
) -> None:
    done = command("evaluate", f"run={trained}", SAMPLES)
    assert done.status == 0, done.stderr
    files = [trained / "evaluation" / f"test.{end}" for end in ("json", "md", "png")]
    assert done.stdout.splitlines() == [str(file) for file in files]
    with Image.open(files[2]) as picture:
        assert picture.size[0] > 1000
    text = files[1].read_text()
    assert text.startswith("# run: test\n\n60 images of synthetic, ")
    report = json.loads(files[0].read_text())
    assert f"| neg. ELBO | {report['neg_elbo']:.2f} (s.e. " in text
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


def test_likelihood_is_what_the_exported_networks_give_in_plain_numpy(
    binary: Path,
) -> None:
    """p(x) as anyone would compute it from `model/`, with noise of its own."""
    import keras

    samples, rng = 2000, np.random.default_rng(0)
    encoder, decoder = (
        keras.saving.load_model(binary / "model" / f"{name}.keras")
        for name in ("encoder", "decoder")
    )
    x = loaded(binary)[1].test.images[:] / 255
    posterior = encoder(x.astype(np.float32))
    mean, deviation = (
        np.asarray(posterior["mean"], float),
        np.exp(np.asarray(posterior["log_var"], float) / 2),
    )
    noise = rng.standard_normal((samples, *mean.shape))
    z = mean + deviation * noise
    drawn = decoder.predict(z.reshape(-1, z.shape[-1]), batch_size=4096, verbose=0)
    pixels = drawn.astype(float).reshape(*z.shape[:2], *x.shape[1:])
    log_weights = (
        (x * np.log(pixels) + (1 - x) * np.log1p(-pixels)).sum((2, 3, 4))
        - (z**2).sum(-1) / 2
        + (noise**2).sum(-1) / 2
        + np.log(deviation).sum(-1)
    )
    nll = np.log(samples) - np.logaddexp.reduce(log_weights, axis=0)
    report = evaluate_here(binary, f"importance_samples={samples}")
    weights = np.exp(log_weights - log_weights.max(axis=0))
    effective = weights.sum(axis=0) ** 2 / (weights**2).sum(axis=0)
    # the deviation of a difference of two such means of logarithms
    error = np.sqrt(2 * (1 / effective - 1 / samples).mean() / len(x))
    assert error < 0.1
    assert nll.mean() == pytest.approx(report["nll"], abs=4 * error)


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
    x = data.test.images[:].astype(np.float32) / 255
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
    from vae_cli.data.prepare import pick_split
    from vae_cli.evaluation.bounds import evaluate_elbo

    report = evaluate_here(binary, "split=train", SAMPLES)
    vae, data = loaded(binary)
    images = pick_split(data, RunFolder(binary).load_config().dataset, "train").images[
        :
    ]
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


def test_num_images_takes_some_at_random_the_same_each_time(binary: Path) -> None:
    from vae_cli.evaluation.bounds import evaluate_elbo

    report = evaluate_here(binary, "num_images=7", SAMPLES)
    vae, data = loaded(binary)
    chosen = data.test.take(chosen_index(len(data.test), 7, seed=3))
    first = [image.tobytes() for image in data.test.images[:7]]
    assert [image.tobytes() for image in chosen.images] != first
    own = evaluate_elbo(vae, chosen.images, seed=5)
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
    report = evaluate_here(trained, SAMPLES, "num_images=50", f"save_npz={file}")
    _, data = loaded(trained)
    with np.load(file, allow_pickle=False) as arrays:
        assert set(arrays) == {
            *("images", "labels", "neg_elbo", "log_prob", "effective_samples")
        }
        chosen = data.test.take(chosen_index(len(data.test), 50, seed=0))
        np.testing.assert_array_equal(arrays["images"], chosen.images[:])
        np.testing.assert_array_equal(arrays["labels"], chosen.labels)
        assert arrays["neg_elbo"].mean() == pytest.approx(report["neg_elbo"])
        bound = -arrays["log_prob"].mean()
        assert bound == pytest.approx(report["cross_entropy_bound"])
        size = arrays["effective_samples"].mean()
        assert size == pytest.approx(report["effective_sample_size"])


def test_scores_without_importance_samples_are_the_bound_alone(
    unlabelled: Path, tmp_path: Path
) -> None:
    file = tmp_path / "scores.npz"
    evaluate_here(unlabelled, "importance_samples=null", f"save_npz={file}")
    with np.load(file, allow_pickle=False) as arrays:
        assert set(arrays) == {"images", "neg_elbo"}


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


def test_split_that_a_set_has_not_is_refused(
    command: Command, unlabelled: Path
) -> None:
    done = command("evaluate", f"run={unlabelled}", "split=validation")
    refused(done, "split=validation has no images", "choose one of: train, test")


def test_inpainting_run_is_scored_without_its_encoder_seeing_the_missing_pixels(
    tmp_path: Path, command: Command
) -> None:
    run = train_here(
        tmp_path / "run", *TINY, "architecture=dense", "architecture.hidden_units=[16]",
        "conditioning=observed", "conditioning.hidden_units=[8]", "corruption=half",
        "corruption.loss_on=missing", "epochs=3", "latent_dim=2",
    )  # fmt: skip
    report = evaluate_here(run, SAMPLES)
    assert "corruption half, missing pixels alone count" in one_line(report)
    text = (run / "evaluation" / "test.md").read_text()
    assert "Corruption half, missing pixels alone count." in text
    assert "posterior means of an encoder that gets the missing pixels" in text
    done = command("reconstruct", f"run={run}", "posterior_samples=2")
    assert done.status == 0, done.stderr
    (file,) = (run / "reconstructions").glob("test-half*.json")
    errors = json.loads(file.read_text())["errors"]["single_pass"]
    assert report["mse"] == pytest.approx(errors["mse_missing"], rel=1e-5)
    assert report["ssim"] == pytest.approx(errors["ssim"], rel=1e-5)


def test_binary_pixels_are_drawn_before_samples_are_judged(binary: Path) -> None:
    report = evaluate_here(binary, "importance_samples=null", "generated_images=100")
    assert report["samples_are"] == "draws"
    assert "samples (draws): sharpness" in one_line(report)
    with np.load(binary / "evaluation" / "samples.npz") as file:
        assert set(np.unique(file["samples"])) == {0, 1}
    assert (
        "; of draws of binary pixels |"
        in (binary / "evaluation" / "test.md").read_text()
    )


def test_grey_samples_are_judged_by_their_means(trained: Path) -> None:
    report = evaluate_here(trained, "importance_samples=null", "generated_images=100")
    assert report["samples_are"] == "means"
