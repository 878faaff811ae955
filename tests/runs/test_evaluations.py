import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vae_cli import __version__
from vae_cli.config.compose import composed
from vae_cli.data.splits import ImageData, Split
from vae_cli.data_spec import DataSpec
from vae_cli.errors import RunError
from vae_cli.runs.evaluations import (
    check_writable,
    markdown,
    protocol,
    saved_report,
    write_report,
)
from vae_cli.runs.folder import RunFolder

WEIGHTS = b"weights of an epoch"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run folder with something in place of weights."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    for name in ("best", "last"):
        (folder.checkpoints / f"{name}.weights.h5").write_bytes(WEIGHTS)
    folder.write_status("finished", 30)
    return folder


def how(run: RunFolder, *overrides: str, train_size: int = 50000) -> dict[str, Any]:
    """The protocol of an evaluation with 5 samples and these overrides."""
    config = composed("train", ["dataset.binarize=static", "dataset.seed=7"])
    evaluation = composed("evaluate", ["importance_samples=5", *overrides])
    data = blank_data(train_size)
    return protocol(run, config, evaluation, evaluation.seed or 0, data)


def blank_data(count: int, label: int | None = None) -> ImageData:
    """Training images of one pixel."""
    labels = None if label is None else np.full(count, label)
    train = Split(np.zeros((count, 1, 1, 1), np.uint8), labels)
    return ImageData(DataSpec((1, 1, 1), True), train, train.take(slice(0)), None, {})


def report(run: RunFolder, **changes: Any) -> dict[str, Any]:
    """A report of ten images."""
    values = {
        "split": "test",
        "num_images": 10000,
        "neg_elbo": 101.237,
        "neg_elbo_se": 0.4567,
        "nll": 98.7654,
        "nll_se": 0.321,
        "cross_entropy_bound": None,
        "importance_samples": 5000,
        "active_units": 7,
        "mse": 0.0123456,
        "knn_accuracy": None,
        "protocol": how(run),
    }
    return {**values, **changes}


def test_protocol_says_how_a_figure_came_about(run: RunFolder) -> None:
    assert how(run) == {
        "dataset": "mnist",
        "binarization": "static",
        "dequantization": "none",
        "train_size": 50000,
        "draw_seed": 7,
        "estimator": "importance sampling",
        "importance_samples": 5,
        "noise_seed": 0,
        "generated_images": None,
        "disentanglement": False,
        "samples_from": None,
        "feature_network_sha256": None,
        "feature_range": None,
        "ais": None,
        "gap": None,
        "corruption": "none",
        "corruption_options": {"name": "none"},
        "conditioning": "none",
        "classes": None,
        "pixels": "all",
        "num_images": None,
        "likelihood": "bernoulli",
        "checkpoint": "best",
        "probe_codes": 20_000,
        "run_state": "finished, 30 of 30 epochs",
        "labels_sha256": None,
        "images_sha256": None,
        "vae_cli": __version__,
        "weights_sha256": hashlib.sha256(WEIGHTS).hexdigest(),
    }
    assert how(run, "importance_samples=null")["estimator"] == "elbo"


def test_protocol_of_missing_weights_says_how_to_get_them(run: RunFolder) -> None:
    (run.checkpoints / "best.weights.h5").unlink()
    with pytest.raises(RunError) as refused:
        how(run)
    assert "best.weights.h5 is missing" in refused.value.args[0]
    assert f"vae-train resume={run}" in str(refused.value)


def test_report_of_the_same_protocol_is_taken_again(run: RunFolder) -> None:
    write_report(run, report(run))
    assert saved_report(run, "test", how(run)) == report(run)


@pytest.mark.parametrize(
    "override",
    [
        *("checkpoint=last", "seed=1", "num_images=100"),
        *("importance_samples=6", "importance_samples=null"),
        *("ais.images=3", "gap.images=3", "generated_images=100"),
    ],
)
def test_report_of_another_protocol_is_not_taken(override: str, run: RunFolder) -> None:
    write_report(run, report(run))
    assert saved_report(run, "test", how(run, override)) is None


@pytest.mark.parametrize("override", ["batch_size=7", "chunk_size=3", "memory_mb=1"])
def test_report_made_in_parts_of_another_size_is_taken_again(
    override: str, run: RunFolder
) -> None:
    write_report(run, report(run))
    assert saved_report(run, "test", how(run, override)) == report(run)


def test_report_of_a_model_of_fewer_images_is_not_taken(run: RunFolder) -> None:
    write_report(run, report(run))
    assert saved_report(run, "test", how(run, train_size=49999)) is None


def test_report_of_other_weights_is_not_taken(run: RunFolder) -> None:
    write_report(run, report(run))
    (run.checkpoints / "best.weights.h5").write_bytes(b"trained on")
    assert saved_report(run, "test", how(run)) is None


@pytest.mark.parametrize("value", ["text", [1], True, {}])
@pytest.mark.parametrize("key", ["nll", "nll_se", "sharpness"])
def test_report_whose_figures_are_no_numbers_is_not_taken(
    key: str, value: object, run: RunFolder
) -> None:
    write_report(run, report(run))
    changed = report(run, **{key: value})
    (run.evaluation / "test.json").write_text(json.dumps(changed))
    assert saved_report(run, "test", how(run)) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_report_without_finite_figures_leaves_the_earlier_one(
    value: float, run: RunFolder
) -> None:
    write_report(run, report(run))
    before = {path: path.read_bytes() for path in run.evaluation.rglob("*.*")}
    other = report(run, nll=value, protocol=how(run, "seed=1"))
    with pytest.raises(RunError, match=r"is not written: nll is (nan|inf)"):
        write_report(run, other)
    assert {p: p.read_bytes() for p in run.evaluation.rglob("*.*")} == before


def test_report_of_another_split_is_not_taken(run: RunFolder) -> None:
    write_report(run, report(run))
    assert saved_report(run, "validation", how(run)) is None


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "3", "{}", '["ab"]'])
def test_report_that_can_not_be_read_is_not_taken(text: str, run: RunFolder) -> None:
    run.evaluation.mkdir()
    (run.evaluation / "test.json").write_text(text)
    assert saved_report(run, "test", how(run)) is None


def test_report_is_written_for_programs_and_for_people(run: RunFolder) -> None:
    write_report(run, report(run))
    assert json.loads((run.evaluation / "test.json").read_text()) == report(run)
    assert (run.evaluation / "test.md").read_text() == markdown(run, report(run))


def test_markdown_shows_figures_with_their_errors_and_units(run: RunFolder) -> None:
    lines = markdown(run, report(run)).splitlines()
    assert lines[0] == "# run: test"
    assert lines[2] == (
        "10,000 images of mnist, binarization static (draw seed 7), model trained on "
        "50,000 images, best checkpoint, run finished, 30 of 30 epochs. "
        "Corruption none, all pixels count."
    )
    assert (
        "| neg. ELBO | 101.24 (s.e. 0.46) | nats per image, one posterior sample |"
        in lines
    )
    assert (
        "| NLL | 98.77 (s.e. 0.32) | nats per image, by importance sampling, 5,000 "
        "samples |" in lines
    )
    assert any(line.startswith("| active units | 7 | variance of") for line in lines)
    assert any(line.startswith("| MSE | 0.0123 |") for line in lines)


def test_markdown_leaves_out_what_was_not_measured(run: RunFolder) -> None:
    text = markdown(run, report(run, nll=None, nll_se=None))
    assert "NLL" not in text
    assert "cross-entropy" not in text
    assert "kNN" not in text


def test_markdown_says_that_a_cross_entropy_is_no_likelihood(run: RunFolder) -> None:
    grey = {"nll": None, "cross_entropy_bound": 25.5, "cross_entropy_bound_se": 0.25}
    lines = markdown(run, report(run, **grey)).splitlines()
    (line,) = [line for line in lines if line.startswith("| cross-entropy bound |")]
    assert line.startswith("| cross-entropy bound | 25.50 (s.e. 0.25) |")
    assert "not a likelihood" in line
    assert "NLL" not in "\n".join(lines)


def test_report_by_another_protocol_is_kept_beside_the_new_one(run: RunFolder) -> None:
    few, many = (
        report(run, protocol=how(run, f"importance_samples={n}")) for n in (5, 9)
    )
    for written in (many, few, many):
        write_report(run, written)
    assert run.read_json(run.evaluation / "test.json") == many
    assert saved_report(run, "test", few["protocol"]) == few
    assert (run.evaluation / "earlier" / "1" / "test.md").is_file()


def test_other_labels_are_another_protocol(run: RunFolder) -> None:
    config = composed("train", [])
    evaluation = composed("evaluate", [])
    found = [
        protocol(run, config, evaluation, 0, blank_data(4, label))["labels_sha256"]
        for label in (0, 0, 1)
    ]
    assert found[0] == found[1] != found[2]


def test_unfinished_run_is_named_before_it_is_scored(
    run: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    config = composed("train", ["epochs=40"])
    with caplog.at_level("WARNING", "vae_cli"):
        check_writable(run, config, "best")
        assert not caplog.messages
        run.write_status("interrupted", 2)
        check_writable(run, config, "best")
    assert caplog.messages == [f"{run} is interrupted after 2 of 40 epochs"]


def test_folder_that_takes_no_report_is_refused_before_it_is_scored(
    run: RunFolder,
) -> None:
    run.evaluation.touch()
    with pytest.raises(RunError, match="can't be written"):
        check_writable(run, composed("train", []), "best")
