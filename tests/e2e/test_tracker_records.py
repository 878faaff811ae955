"""What MLflow and W&B record of interrupted runs, sweeps and lost servers."""

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

from tests.conftest import SMALL, Finished, vae
from tests.e2e.records import mlflow_runs, wandb_records
from tests.e2e.runs import rows
from tests.e2e.test_trackers import ok

JOURNAL = Path(__file__).parents[1] / "plugins" / "journal.py"
OFFLINE = ("tracker=wandb", "tracker.mode=offline")
TIMES = ("seconds", "images_per_second")
SWEEP = ("-m", *SMALL, "epochs=1", "latent_dim=2,3", "hydra.sweep.dir=swept")
Command = Callable[..., Finished]


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


def check_recorded_sweep(here: Path) -> None:
    """Check that MLflow has `SWEEP` as one parent run and its two jobs."""
    runs = mlflow_runs(f"sqlite:///{here}/outputs/mlflow.db")
    (parent,) = (run for run in runs if "mlflow.parentRunId" not in run["tags"])
    children = [run for run in runs if run is not parent]
    assert {run["tags"]["mlflow.parentRunId"] for run in children} == {parent["id"]}
    assert {run["name"] for run in children} == {"0-latent_dim=2", "1-latent_dim=3"}
    assert parent["name"] == f"{here.name}/swept"
    assert {run["status"] for run in runs} == {"FINISHED"}


@pytest.mark.slow
def test_sweep_is_a_parent_with_its_jobs_as_children(here: Path) -> None:
    ok(vae("train", *SWEEP, "tracker=mlflow", cwd=here))
    check_recorded_sweep(here)


@pytest.mark.slow
def test_sweep_sent_later_is_as_if_sent_while_it_trained(here: Path) -> None:
    ok(vae("train", *SWEEP, cwd=here))
    done = ok(vae("track", "run=swept", "tracker=mlflow", cwd=here))
    assert done.stdout.count("mlflow ui") == 2
    check_recorded_sweep(here)


@pytest.mark.slow
def test_run_sent_later_has_its_own_times_and_is_sent_once(here: Path) -> None:
    began = time.time()
    ok(vae("train", *SMALL, "epochs=2", "run_dir=run", cwd=here))
    ended = time.time()
    track = ("track", "run=run", "tracker=mlflow")
    ok(vae(*track, cwd=here))
    uri = f"sqlite:///{here}/outputs/mlflow.db"
    (first,) = mlflow_runs(uri)
    # environment.json has whole seconds
    assert began - 1 <= first["start"] / 1000 <= first["end"] / 1000 <= ended
    done = ok(vae(*track, cwd=here))
    assert "complete" in done.stderr and f"store-uri {uri}" in done.stdout
    assert mlflow_runs(uri) == [first]
    Path("run/evaluation").mkdir(exist_ok=True)
    Path("run/evaluation/later.json").write_text("{}")
    ok(vae(*track, cwd=here))
    (again,) = mlflow_runs(uri)
    assert set(again["files"]) - set(first["files"]) == {"evaluation/later.json"}
    assert again["metrics"] == first["metrics"], "no point twice"
    other = f"sqlite:///{here}/other.db"
    ok(vae(*track, f"tracker.uri={other}", cwd=here))
    assert [run["metrics"] for run in mlflow_runs(other)] == [first["metrics"]]


@pytest.mark.slow
def test_sweep_is_a_group_of_wandb_with_a_record_for_each_job(here: Path) -> None:
    ok(vae("train", *SWEEP, *OFFLINE, cwd=here))
    found = {}
    for job in ("0-latent_dim=2", "1-latent_dim=3"):
        records = list(wandb_records(here / "swept" / job))
        (run,) = {
            (r.run.run_id, r.run.display_name, r.run.run_group)
            for r in records
            if r.WhichOneof("record_type") == "run"
        }
        found[run[0]] = run[1:]
    group = f"{here.name}/swept"
    assert sorted(found.values()) == [
        ("0-latent_dim=2", group), ("1-latent_dim=3", group),
    ]  # fmt: skip


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
