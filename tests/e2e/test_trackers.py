"""Trackers: what they record, over resumes and sweeps, and what happens without one."""

import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.conftest import SMALL, Finished, refused
from tests.e2e.records import wandb_records
from tests.e2e.runs import rows
from vae_cli.config.tracker import MlflowConfig

JOURNAL = Path(__file__).parents[1] / "plugins" / "journal.py"
OFFLINE = ("tracker=wandb", "tracker.mode=offline")
TIMES = ("seconds", "images_per_second")
Command = Callable[..., Finished]


def journal(command: Command, *words: str) -> Finished:
    return command(
        "train", "--plugin", str(JOURNAL), "tracker=journal", *SMALL, "epochs=2",
        "run_dir=run", *words,
    )  # fmt: skip


def ok(done: Finished) -> Finished:
    assert done.status == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_wandb_offline_files_of_a_resumed_run_continue_one_record(
    here: Path, command: Command
) -> None:
    ok(command("train", *SMALL, "epochs=2", *OFFLINE, "run_dir=run"))
    done = ok(command("train", "resume=run", "epochs=3"))
    assert "wandb sync" in done.stderr and "offline-run-*" in done.stderr
    records = list(wandb_records(Path("run")))
    runs = [r.run for r in records if r.WhichOneof("record_type") == "run"]
    name = json.loads(Path("run/tracker.json").read_text())["wandb"]["id"]
    assert {run.run_id for run in runs} == {name}
    assert {run.display_name for run in runs} == {"run"}
    history = [
        {
            (item.key or item.nested_key[0]): json.loads(item.value_json)
            for item in record.history.item
        }
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]
    epochs = [item for item in history if "loss" in item]
    assert [item["_step"] for item in epochs] == [1, 2, 3]
    for row, item in zip(rows(Path("run")), epochs, strict=True):
        for key, value in row.items():
            if value:
                assert item[key] == pytest.approx(float(value)), key
    assert any("figures/samples" in item for item in history)
    places = {path.name for path in here.iterdir()}
    assert places <= {"run", "outputs"}, "nothing of wandb's outside of the run"


def test_wandb_shows_svg_figures_and_keeps_pdf_as_files(
    here: Path, command: Command
) -> None:
    for suffix, shown in (("svg", True), ("pdf", False)):
        words = ("epochs=1", f"figure.format={suffix}", f"run_dir={suffix}")
        ok(command("train", *SMALL, *OFFLINE, *words))
        records = list(wandb_records(Path(suffix)))
        kinds = {
            json.loads(item.value_json)
            for record in records
            for item in record.history.item
            if list(item.nested_key) == ["figures/samples", "_type"]
        }
        assert kinds == ({"html-file"} if shown else set())
        sent = {
            entry.path
            for record in records
            for entry in record.request.log_artifact.artifact.manifest.contents
        } | {
            entry.path
            for record in records
            for entry in record.artifact.manifest.contents
        }
        assert f"figures/samples.{suffix}" in sent


def test_unreachable_tracker_is_one_message(here: Path, command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # a port that was free
        port = server.getsockname()[1]
    words = ("tracker=mlflow", f"tracker.uri=http://127.0.0.1:{port}")
    done = ok(command("train", *SMALL, "epochs=2", *words, "run_dir=run"))
    assert done.stderr.count("tracker=mlflow") == 1
    assert f"port={port}" in done.stderr and "vae-track run=run" in done.stderr
    assert json.loads(Path("run/status.json").read_text())["state"] == "finished"
    refused(command("track", "run=run"), f"port={port}")


def test_server_that_only_the_folder_names_gets_nothing(
    here: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(command("train", *SMALL, "epochs=1", "run_dir=run"))
    config = Path("run/config.yaml").read_text()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
        tracker = MlflowConfig(uri=uri, group=None, artifacts="all")
        lines = "".join(f"  {k}: {json.dumps(v)}\n" for k, v in asdict(tracker).items())
        text = config.replace("tracker:\n  name: tensorboard\n", f"tracker:\n{lines}")
        assert text != config
        Path("run/config.yaml").write_text(text)
        refused(command("track", "run=run"), "you have not used it before", uri)
        ok(command("train", "resume=run", "epochs=2"))
        with pytest.raises(BlockingIOError):
            server.accept()


def test_missing_package_is_a_warning(
    here: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = here / "hidden"
    hidden.mkdir()
    (hidden / "wandb.py").write_text("raise ImportError('no module')\n")
    path = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{hidden}{os.pathsep}{path}")
    done = ok(command("train", *SMALL, "epochs=1", *OFFLINE, "run_dir=run"))
    assert "pip install 'vae-cli[wandb]'" in done.stderr
    assert done.stderr.count("tracker=wandb") == 1


def test_tracker_gets_each_epoch_once_and_then_the_files(
    here: Path, command: Command
) -> None:
    done = ok(journal(command))
    assert done.stderr.count("tracker=journal") == 1
    lines = Path("journal.txt").read_text().splitlines()
    assert lines[:1] == ["start run None"]
    assert epochs_in_journal() == ["epoch 1", "epoch 2"]
    assert "file metrics.json" in lines and "file train.log" in lines
    assert lines[-1].startswith("finished after 2: ['best_epoch', 'best_neg_elbo'")


def test_tracker_that_fails_once_has_everything_in_the_end(
    here: Path, command: Command
) -> None:
    done = ok(journal(command, "tracker.fault=error"))
    assert done.stderr.count("ConnectionError: the ink has dried") == 1
    assert "all that was missing has been sent" in done.stderr
    assert epochs_in_journal() == ["epoch 1", "epoch 2"]
    assert not Path("run/tracker.log").exists(), "kept while something is missing"


def test_process_of_a_tracker_that_is_killed_is_replaced(
    here: Path, command: Command
) -> None:
    done = ok(journal(command, "tracker.fault=kill"))
    assert done.stderr.count("tracker=journal") == 1
    assert epochs_in_journal() == ["epoch 1", "epoch 2"]


def epochs_in_journal() -> list[str]:
    lines = Path("journal.txt").read_text().splitlines()
    assert lines[-1].startswith("finished after 2")
    return [line for line in lines if line.startswith("epoch")]


def test_tracker_that_hangs_is_left_and_ended(
    here: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vae_cli.training.trackers.tracking.PATIENCE", 3.0)
    began = time.monotonic()
    done = ok(journal(command, "tracker.fault=hang"))
    assert time.monotonic() - began < 60
    assert done.stderr.count("nothing was sent for 3 seconds") == 1
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    left = children.read_text().split() if children.exists() else []
    assert not any(
        b"trackers.process" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left
    )
    ok(command("track", "--plugin", str(JOURNAL), "run=run"))
    assert epochs_in_journal() == ["epoch 1", "epoch 2"]


def test_run_without_tracker_has_no_tensorboard_and_nothing_to_send(
    here: Path, command: Command
) -> None:
    ok(command("train", *SMALL, "epochs=1", "tracker=none", "run_dir=run"))
    assert not Path("run/tensorboard").exists()
    refused(command("track", "run=run"), "tracker=none", "tracker=mlflow")


def test_bad_options_are_refused_before_a_run_is_made(command: Command) -> None:
    words = ("tracker=mlflow", "tracker.uri=https://me:secret@host")
    done = command("train", *words)
    refused(done, "MLFLOW_TRACKING_PASSWORD")
    assert "secret" not in done.stderr
    refused(command("train", "tracker=wandb", "tracker.group='a b'"), "tracker.group")
    refused(command("train", "tracker=mlfow"), "mlflow")
