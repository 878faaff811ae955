"""Launchers and sweepers of Hydra, and the workers of one training."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.sweeps import Trains, rows, sweep
from tests.conftest import SMALL, Finished, refused, vae
from vae_cli.commands.sweep import rehearsal
from vae_cli.commands.sweep.job import JobTask, here
from vae_cli.runs.folder import RunFolder

Command = Callable[..., Finished]


@pytest.fixture
def no_launchers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hydra as it is without the extra `launchers`."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins

    Plugins.instance()  # it looks for plugins once
    launchers = ConfigStore.instance().repo["hydra"]["launcher"]
    kept = {k: v for k, v in launchers.items() if k == "basic.yaml"}
    monkeypatch.setitem(ConfigStore.instance().repo["hydra"], "launcher", kept)


@pytest.mark.parametrize(
    ("override", "package"),
    [
        ("hydra/launcher=submitit_slurm", "'vae-cli[launchers]'"),
        ("hydra/launcher=joblib", "'vae-cli[launchers]'"),
        ("hydra/launcher=ray", "hydra-ray-launcher"),
        ("hydra/sweeper=ax", "hydra-ax-sweeper"),
        ("hydra/sweeper=nevergrad", "hydra-nevergrad-sweeper"),
    ],
)
def test_missing_plugin_is_named_with_its_package(
    override: str, package: str, command: Command, no_launchers: None
) -> None:
    done = command("train", "-m", override, "latent_dim=2,3")
    assert done.status == 1
    assert f"{override} is not installed" in done.stderr
    assert f"pip install {package}" in done.stderr


def test_launch_refuses_a_finished_run_once_before_any_worker_starts(
    trained: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vae_cli.workers.Workers.start", pytest.fail)
    done = command("launch", "--workers", "2", "train", f"resume={trained}")
    assert done.status == 1
    assert done.stderr.count("is finished") == 1
    assert "worker" not in done.stderr


def test_rehearsal_returns_a_number_to_the_sweeper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    returned: list[object] = []

    def call_hydra(
        command: str, words: list[str], job: Callable[[object], object]
    ) -> None:
        from hydra.core.hydra_config import HydraConfig
        from omegaconf import OmegaConf

        from vae_cli.config.compose import composed

        values = OmegaConf.create(dataclasses.asdict(composed("train", list(SMALL))))
        sweeper = {"_target_": "hydra_plugins.some.SomeSweeper", "n_jobs": 2}
        hydra = OmegaConf.create(
            {"job": {"num": 0}, "sweeper": sweeper, "overrides": {"task": ["beta=1"]}}
        )
        monkeypatch.setattr(HydraConfig, "get", lambda: hydra)
        for _ in range(5):
            returned.append(job(values))

    monkeypatch.setattr(rehearsal, "call_hydra", call_hydra)
    rehearsal.check_sweep(["beta=1,2"])
    # not more than the sweeper's first batch
    assert returned == [0.0, 0.0]


def test_job_is_named_by_what_varies_where_argv_is_a_launchers_own(
    tmp_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    trains: Trains,
) -> None:
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    launch = BasicLauncher.launch

    def launch_elsewhere(self: object, *arguments: object, **named: object) -> object:
        monkeypatch.setattr(sys, "argv", ["submitit._submit", "folder"])
        return launch(self, *arguments, **named)

    monkeypatch.setattr(BasicLauncher, "launch", launch_elsewhere)
    training = trains()
    # Hydra writes 1e-2 as 0.01: a key that is fixed is no part of a name either way
    words = (*SMALL, "optimizer.learning_rate=1e-2", "beta=1,2")
    done = sweep(command, tmp_path / "sweep", *words)
    assert done.status == 0, done.stderr
    assert training.trained == ["0-beta=1", "1-beta=2"]
    assert training.jobs[0]["argv"][:2] == ["vae-train", "-m"]


def test_task_of_a_sweep_can_be_pickled_for_a_launchers_own_process() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    task = JobTask(frozenset({"epochs"}), here())
    assert cloudpickle.loads(cloudpickle.dumps(task)) == task


@pytest.mark.slow
def test_jobs_of_submitit_are_those_of_the_sweep(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    words = (*SMALL, "epochs=1", "optimizer.learning_rate=0.01,1e30")
    done = vae(
        "train", "-m", "hydra/launcher=submitit_local", *words, "hydra.sweep.dir=sweep",
        cwd=tmp_path,
    )  # fmt: skip
    refused(done, "1 of 2 jobs are done", "job 1 (optimizer.learning_rate=1e+30)")
    names = sorted(path.parent.name for path in tmp_path.glob("sweep/*/status.json"))
    assert [name.partition("=")[0] for name in names] == [
        "0-optimizer.learning_rate", "1-optimizer.learning_rate",
    ]  # fmt: skip
    (error,) = tmp_path.glob("sweep/1-*/error.txt")
    assert "the weights of epoch" in error.read_text() or "nan" in error.read_text()


@pytest.mark.slow
def test_twelve_jobs_of_joblib_killed_outright_go_on(tmp_path: Path) -> None:
    pytest.importorskip("joblib")
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    rates = ["0.03", "1e+30", *(f"{rate / 1000:g}" for rate in range(11, 21))]
    words = [w for w in SMALL if not w.startswith("optimizer")]
    begun = subprocess.Popen(
        [sys.executable, "-m", "vae_cli", "train", "-m", *launcher, *words, "epochs=2",
         f"optimizer.learning_rate={','.join(rates)}", "hydra.sweep.dir=sweep"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.perf_counter() + 200
    while len(list(tmp_path.glob("sweep/*/metrics.json"))) < 4:
        assert time.perf_counter() < deadline and begun.poll() is None
        time.sleep(0.05)
    begun.kill()
    begun.wait()
    before = {
        status: status.stat().st_mtime_ns
        for status in tmp_path.glob("sweep/*/status.json")
        if json.loads(status.read_text())["state"] == "finished"
    }
    done = vae("train", "-m", *launcher, "sweep.resume=sweep", cwd=tmp_path)
    refused(
        done, "11 of 12 jobs are done", "resume with: vae-train -m sweep.resume=sweep"
    )
    table = rows(tmp_path / "sweep")
    in_order = sorted(table, key=lambda row: int(row["job"]))
    assert [row["job"] for row in in_order] == [str(job) for job in range(12)]
    assert [row["optimizer.learning_rate"] for row in in_order] == rates
    (failed,) = (row for row in table if row["state"] == "failed")
    assert failed["optimizer.learning_rate"] == "1e+30"
    assert (
        "weights" in (tmp_path / "sweep" / failed["folder"] / "error.txt").read_text()
    )
    # what had finished was left as it was
    assert len(before) >= 2
    assert all(path.stat().st_mtime_ns == mtime for path, mtime in before.items())
    # each bound is that of its own config, read from its own folder
    for row in table[:11]:
        run = tmp_path / "sweep" / row["folder"]
        config = RunFolder(run).load_config()
        assert config.optimizer.learning_rate == float(row["optimizer.learning_rate"])
        metrics = json.loads((run / "metrics.json").read_text())
        assert float(row["bound"]) == metrics["best_neg_elbo"]


@pytest.mark.slow
@pytest.mark.parametrize("to_all", [True, False], ids=["Ctrl-C", "SIGTERM"])
def test_jobs_of_joblib_save_before_an_interrupted_sweep_ends(
    tmp_path: Path, to_all: bool
) -> None:
    pytest.importorskip("joblib")
    begun = subprocess.Popen(
        [sys.executable, "-m", "vae_cli", "train", "-m", "hydra/launcher=joblib",
         "hydra.launcher.n_jobs=2", *SMALL, "epochs=100000", "beta=1,2,3",
         "hydra.sweep.dir=sweep"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.perf_counter() + 200
    while len(list(tmp_path.glob("sweep/*/checkpoints/training_state.npz"))) < 2:
        assert time.perf_counter() < deadline and begun.poll() is None
        time.sleep(0.05)
    if to_all:  # as a terminal does
        os.killpg(begun.pid, signal.SIGINT)
    else:
        begun.send_signal(signal.SIGTERM)
    _, said = begun.communicate(timeout=90)
    assert begun.returncode == 130, said
    assert "resume with: vae-train -m sweep.resume=sweep" in said
    states = [
        json.loads(status.read_text())["state"]
        for status in tmp_path.glob("sweep/*/status.json")
    ]
    assert states == ["interrupted", "interrupted"]
