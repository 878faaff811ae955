"""Trackers: what they record, over resumes and sweeps, and what happens without one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SMALL, Finished, refused, vae
from tests.e2e.records import mlflow_runs, wandb_records
from tests.e2e.runs import rows

JOURNAL = Path(__file__).parents[1] / "plugins" / "journal.py"
OFFLINE = ("tracker=wandb", "tracker.mode=offline")
TIMES = ("seconds", "images_per_second")
Command = Callable[..., Finished]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, where commands are run; no settings of the user."""
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


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


def test_unreachable_tracker_is_one_message(here: Path, command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # a port that was free
        port = server.getsockname()[1]
    words = ("tracker=mlflow", f"tracker.uri=http://127.0.0.1:{port}")
    done = ok(command("train", *SMALL, "epochs=2", *words, "run_dir=run"))
    assert done.stderr.count("tracker=mlflow") == 1
    assert f"port={port}" in done.stderr and "vae-track run=run" in done.stderr
    assert json.loads(Path("run/status.json").read_text())["state"] == "finished"
    refused(command("track", "run=run"), f"port={port}")


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


STOPPING = """
import signal, sys
from vae_cli.training import callbacks
before = callbacks.Guard.on_train_batch_end
def stop(self, batch, logs):
    if self._progress.step == 12:
        signal.raise_signal(signal.SIGINT)
    before(self, batch, logs)
callbacks.Guard.on_train_batch_end = stop
from vae_cli.cli import main
main()
"""
"""Trains as if Ctrl-C came after step 12 of 8 an epoch."""


def interrupted(*words: str) -> dict[str, object]:
    """Train, stop within the second epoch; returns the tracker's record."""
    done = subprocess.run(
        [sys.executable, "-c", STOPPING, "train", *SMALL, "epochs=3", *words],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    (record,) = json.loads(Path("run/tracker.json").read_text()).values()
    assert (record["epochs"], record["state"]) == (1, "interrupted")
    return record


@pytest.mark.slow
def test_mlflow_record_of_an_interrupted_and_resumed_run_equals_its_folder(
    here: Path,
) -> None:
    record = interrupted("tracker=mlflow", "run_dir=run")
    uri = f"sqlite:///{here}/outputs/mlflow.db"
    assert [run["status"] for run in mlflow_runs(uri)] == ["KILLED"]
    done = ok(vae("train", "resume=run", cwd=here))
    assert f"mlflow ui --backend-store-uri {uri}" in done.stderr
    (run,) = mlflow_runs(uri)
    assert (run["name"], run["status"]) == ("run", "FINISHED")
    assert run["id"] == record["id"]
    for row in rows(Path("run")):
        for name, value in row.items():
            if name != "epoch" and value:
                sent = dict(run["metrics"][name])
                assert sent[int(row["epoch"])] == float(value), name
    assert [step for step, _ in run["metrics"]["loss"]] == [1, 2, 3], "none twice"
    test = json.loads(Path("run/metrics.json").read_text())["test"]
    assert dict(run["metrics"]["test_neg_elbo"])[3] == test["neg_elbo"]
    assert run["params"]["optimizer.learning_rate"] == "0.01"
    assert run["params"]["architecture.hidden_units"] == "[16]"
    assert {"config.yaml", "figures/samples.png", "model/decoder.keras"} <= set(
        run["files"]
    )
    assert not any(name.startswith("checkpoints") for name in run["files"])
    assert not Path("run/tracker.log").exists()


@pytest.mark.slow
def test_interrupted_run_of_wandb_goes_on_with_its_record(here: Path) -> None:
    record = interrupted(*OFFLINE, "run_dir=run")
    ok(vae("train", "resume=run", cwd=here))
    again = json.loads(Path("run/tracker.json").read_text())["wandb"]
    assert (again["id"], again["epochs"]) == (record["id"], 3)


@pytest.mark.slow
def test_mlflow_server_that_is_killed_in_the_middle_costs_a_message(
    here: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [
        sys.executable, "-m", "mlflow", "server", "--port", str(port),
        "--backend-store-uri", f"sqlite:///{here}/server.db", "--workers", "1",
        "--artifacts-destination", str(here / "artifacts"),
    ]  # fmt: skip
    server = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(lambda: answers(port))
        train = subprocess.Popen(
            [
                sys.executable, "-m", "vae_cli", "train", *SMALL, "epochs=1000",
                "tracker=mlflow", f"tracker.uri=http://127.0.0.1:{port}",
                "run_dir=run",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        wait_for(lambda: sent() >= 3)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    before = sent()
    wait_for(lambda: len(rows(Path("run"))) > before + 20)
    train.send_signal(signal.SIGINT)
    _, log = train.communicate(timeout=120)
    assert train.returncode == 130, log
    assert log.count("tracker=mlflow: ") == 2, "the place, and the message"
    assert "vae-track run=run" in log and "Traceback" not in log
    (run,) = mlflow_runs(f"sqlite:///{here}/server.db")
    assert len(run["metrics"]["loss"]) >= 3
    uri = f"sqlite:///{here}/later.db"
    done = vae("track", "run=run", "tracker=mlflow", f"tracker.uri={uri}", cwd=here)
    assert ok(done).stdout == f"mlflow ui --backend-store-uri {uri}\n"
    (run,) = mlflow_runs(uri)
    assert len(run["metrics"]["loss"]) == len(rows(Path("run")))
    assert run["status"] == "KILLED"


def sent() -> int:
    file = Path("run/tracker.json")
    record = json.loads(file.read_text())["mlflow"] if file.exists() else {}
    return int(record.get("epochs", 0))


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def wait_for(happened: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.mark.slow
def test_sweep_is_a_parent_with_its_jobs_as_children(here: Path) -> None:
    words = ("-m", *SMALL, "epochs=1", "latent_dim=2,3", "hydra.sweep.dir=swept")
    ok(vae("train", *words, "tracker=mlflow", cwd=here))
    runs = mlflow_runs(f"sqlite:///{here}/outputs/mlflow.db")
    (parent,) = (run for run in runs if "mlflow.parentRunId" not in run["tags"])
    children = [run for run in runs if run is not parent]
    assert {run["tags"]["mlflow.parentRunId"] for run in children} == {parent["id"]}
    assert {run["name"] for run in children} == {"0-latent_dim=2", "1-latent_dim=3"}
    assert parent["name"] == f"{here.name}/swept"
    assert {run["status"] for run in runs} == {"FINISHED"}


@pytest.mark.slow
def test_training_from_python_leaves_the_callers_mlflow_run_alone(here: Path) -> None:
    program = """
import os, sys, mlflow
mlflow.set_tracking_uri("sqlite:///own.db")
with mlflow.start_run() as own:
    before = dict(os.environ)
    import vae_cli as vae
    vae.train(*sys.argv[1:], "tracker.uri=sqlite:///runs.db", tracker="mlflow")
    assert mlflow.active_run().info.run_id == own.info.run_id
    assert not any(k.startswith("MLFLOW") for k in os.environ.keys() - before.keys())
    mlflow.log_metric("mine", 1.0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *SMALL, "epochs=1", "run_dir=run"],
        capture_output=True, text=True, cwd=here,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (own,) = mlflow_runs(f"sqlite:///{here}/own.db")
    assert set(own["metrics"]) == {"mine"} and not own["params"]
    (run,) = mlflow_runs(f"sqlite:///{here}/runs.db")
    assert "test_neg_elbo" in run["metrics"]
