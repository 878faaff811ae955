"""`vae-explore` before its page is there: what it refuses, and what it says."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Finished, refused
from vae_cli import load
from vae_cli.explore.results import (
    evaluations,
    facts,
    figures,
    losses,
    pdf_figures,
    training_notice,
)
from vae_cli.runs.folder import RunFolder

Command = Callable[..., Finished]


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def test_taken_port_is_one_message_with_a_free_one(
    command: Command, trained: Path
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = command("explore", f"run={trained}", f"port={port}")
    refused(done, f"port={port} of 127.0.0.1 can't be used", "is free")


def test_more_than_two_runs_are_refused(command: Command, copy: Path) -> None:
    for name in ("b", "c"):
        shutil.copytree(copy, copy.parent / name)
    names = ",".join(str(copy.parent / name) for name in ("copy", "b", "c"))
    refused(command("explore", f"run={names}"), "names 3 runs", "one or two")


def test_options_out_of_range_are_refused_before_anything_starts(
    command: Command,
) -> None:
    refused(command("explore", "port=70000"), "port=70000", "65535")
    refused(command("explore", "num_points=0"), "num_points=0")
    refused(command("explore", "run=nowhere"), "run=nowhere does not exist")


def test_run_that_is_still_training_says_so(command: Command, copy: Path) -> None:
    folder = RunFolder(copy)
    folder.write_status("running", 2)
    with folder.locked():
        notice = training_notice(load(copy))
        assert notice is not None
        assert "still training (2 of 6 epochs): this is its best checkpoint" in notice
        (folder.checkpoints / "best.weights.h5").unlink()
        done = command("explore", f"run={copy}")
    refused(done, "still training (2 of 6 epochs)", "no best weights yet", "wait")


def test_run_that_was_cut_short_says_so(copy: Path, trained: Path) -> None:
    RunFolder(copy).write_status("interrupted", 4)
    assert training_notice(load(copy)) == f"{copy} is interrupted after 4 of 6 epochs."
    assert training_notice(load(trained)) is None


def test_missing_library_is_one_message(
    command: Command, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vae_cli.commands.explore.find_spec", lambda name: None)
    done = command("explore", f"run={trained}")
    refused(done, "needs NiceGUI", "pip install 'vae-cli[explore]'")


def test_results_are_those_of_the_run_folder(trained: Path) -> None:
    run = load(trained)
    curves = losses(run)
    assert [e for e, _ in curves["neg. ELBO, training"]] == [1, 2, 3, 4, 5, 6]
    assert {"figures/samples.png", "figures/reconstructions.png"} <= set(figures(run))
    assert ("latent dimensions", "3") in facts(run)
    (table,) = [t for t in evaluations(run) if "training" in t.title]
    names = [name for name, _, _ in table.rows]
    assert names[0] == "neg. ELBO"


def test_curve_that_equals_another_is_left_out(copy: Path) -> None:
    rows = ["epoch,loss,neg_elbo,val_neg_elbo", "1,90.5,90.5,99.0", "2,80.5,80.5,88.0"]
    file = RunFolder(copy).metrics_csv
    file.write_text("\n".join(rows) + "\n")
    assert list(losses(load(copy))) == ["neg. ELBO, training", "neg. ELBO, validation"]
    file.write_text("\n".join(rows).replace("80.5,80.5", "80.6,80.5") + "\n")
    assert "loss, training" in losses(load(copy))


def test_svg_figures_are_shown_and_pdf_files_named(copy: Path) -> None:
    (copy / "figures" / "curves.svg").write_text("<svg/>")
    (copy / "figures" / "latent.pdf").write_bytes(b"%PDF-1.4")
    run = load(copy)
    assert figures(run)["figures/curves.svg"] == copy / "figures" / "curves.svg"
    assert pdf_figures(run) == ["figures/latent.pdf"]
    assert not any(name.endswith(".pdf") for name in figures(run))
