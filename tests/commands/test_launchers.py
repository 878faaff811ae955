"""Launchers and sweepers of Hydra, and the workers of one training."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SMALL, Finished
from vae_cli.commands import _rehearsal, sweep

Command = Callable[..., Finished]


@pytest.mark.parametrize(
    ("override", "package"),
    [
        ("hydra/launcher=submitit_slurm", "hydra-submitit-launcher"),
        ("hydra/launcher=joblib", "hydra-joblib-launcher"),
        ("hydra/launcher=ray", "hydra-ray-launcher"),
        ("hydra/sweeper=optuna", "hydra-optuna-sweeper"),
        ("hydra/sweeper=ax", "hydra-ax-sweeper"),
        ("hydra/sweeper=nevergrad", "hydra-nevergrad-sweeper"),
    ],
)
def test_missing_plugin_is_named_with_its_package(
    override: str, package: str, command: Command
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
        hydra = OmegaConf.create({"job": {"num": 0}, "sweeper": sweeper})
        monkeypatch.setattr(HydraConfig, "get", lambda: hydra)
        for _ in range(5):
            returned.append(job(values))

    monkeypatch.setattr(_rehearsal, "call_hydra", call_hydra)
    _rehearsal.check_sweep(["beta=1,2"])
    # not more than the sweeper's first batch
    assert returned == [0.0, 0.0]


def test_job_is_named_by_what_varies_where_argv_is_a_launchers_own(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    launch = BasicLauncher.launch

    def launch_elsewhere(self: object, *arguments: object, **named: object) -> object:
        monkeypatch.setattr(sys, "argv", ["submitit._submit", "folder"])
        return launch(self, *arguments, **named)

    def train_in_child(job: dict[str, Any]) -> int:
        run = Path(job["config"]["run_dir"])
        run.mkdir(parents=True)
        (run / "metrics.json").write_text('{"best_neg_elbo": 1.0}')
        return 0

    monkeypatch.setattr(BasicLauncher, "launch", launch_elsewhere)
    monkeypatch.setattr(sweep, "_train_in_child", train_in_child)
    done = command("train", "-m", *SMALL, "beta=1,2", f"hydra.sweep.dir={tmp_path}")
    assert done.status == 0, done.stderr
    names = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert names == ["0-beta=1", "1-beta=2"]
