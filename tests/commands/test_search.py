"""Searches by Optuna: what it is told, resumes, and a damaged study; stand-in jobs."""

import math
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands.sweeps import Command, Trains, resume, rows, sweep
from tests.conftest import refused

optuna = pytest.importorskip("optuna")

SEARCH = (
    "hydra/sweeper=optuna",
    "beta=interval(0.5,4)",
    "latent_dim=tag(log,int(interval(2,64)))",
)


def study(folder: Path) -> Any:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.load_study(
        study_name="sweep", storage=f"sqlite:///{folder / 'study.db'}"
    )


def test_search_minimises_the_best_validation_bound(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    trains()
    done = sweep(command, folder, *SEARCH, "hydra.sweeper.n_trials=3", "epochs=3")
    assert done.status == 0, done.stderr
    assert "minimises best_neg_elbo, nats per image" in done.stderr
    found = study(folder)
    assert found.direction.name == "MINIMIZE"
    for trial in found.trials:
        bound = (math.log(trial.params["beta"]) - 1) ** 2 + trial.params["latent_dim"]
        assert trial.value == pytest.approx(bound)
        (job,) = [row for row in rows(folder) if row["job"] == str(trial.number)]
        assert float(job["bound"]) == pytest.approx(bound)
        assert float(job["beta"]) == trial.params["beta"]
    best = rows(folder)[0]
    assert found.best_trial.number == int(best["job"])
    assert f"smallest best_neg_elbo: {float(best['bound']):.2f}" in done.stderr
    drawn = {path.name for path in (folder / "figures").iterdir()}
    assert drawn == {
        "optimization_history.png", "parallel_coordinates.png",
        "param_importances.png", "slice.png",
    }  # fmt: skip


def test_finished_search_says_how_to_go_on(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    trains()
    more = (
        f"2 trials are done; more: vae-train -m sweep.resume={folder} "
        "hydra.sweeper.n_trials=4"
    )
    done = sweep(command, folder, *SEARCH, "hydra.sweeper.n_trials=2")
    assert more in done.stderr
    again = trains()
    done = resume(command, folder)
    assert done.status == 0, done.stderr
    assert again.trained == []
    assert more in done.stderr


def test_interrupted_search_goes_on_with_the_same_job_and_number(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    seen: list[float] = []

    def second_is_interrupted(config: Any) -> int | None:
        seen.append(config.beta)
        return 130 if len(seen) == 2 else None

    trains(fails=second_is_interrupted)
    words = (*SEARCH, "hydra.sweeper.n_trials=3")
    done = sweep(command, folder, *words)
    assert done.status == 130, done.stderr
    assert f"resume with: vae-train -m sweep.resume={folder}" in done.stderr
    again = trains()
    done = resume(command, folder, "hydra.sweeper.n_trials=4")
    assert done.status == 0, done.stderr
    # job 0 is done; of job 1 nothing was saved, and it begins anew
    assert [name.partition("-")[0] for name in again.trained] == ["1", "2", "3"]
    betas = [trial.params["beta"] for trial in study(folder).trials]
    assert betas[:2] == seen
    assert len(set(betas)) == 4


def test_failed_job_of_a_search_is_no_result_and_the_search_goes_on(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    seen: list[float] = []

    def first_fails(config: Any) -> str | None:
        seen.append(config.beta)
        return "loss is nan" if len(seen) == 1 else None

    trains(fails=first_fails)
    done = sweep(command, folder, *SEARCH, "hydra.sweeper.n_trials=3")
    refused(done, "2 of 3 jobs are done", "loss is nan")
    # it isn't retried, so nothing is left to resume
    assert "3 trials are done; more:" in done.stderr
    assert "resume with:" not in done.stderr
    states = [trial.state.name for trial in study(folder).trials]
    assert states == ["FAIL", "COMPLETE", "COMPLETE"]


def test_damaged_study_is_refused_and_made_again_from_its_jobs(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    trains()
    sweep(command, folder, *SEARCH, "hydra.sweeper.n_trials=2")
    before = [(trial.params, trial.value) for trial in study(folder).trials]
    (folder / "study.db").write_bytes(b"no database " * 999)
    again = trains()
    done = resume(command, folder, "hydra.sweeper.n_trials=3")
    refused(done, "study.db can't be used: file is not a database", "move it away")
    assert again.trained == []
    (folder / "study.db").unlink()
    assert resume(command, folder, "hydra.sweeper.n_trials=3").status == 0
    after = [(trial.params, trial.value) for trial in study(folder).trials]
    assert sorted(after[:2], key=str) == sorted(before, key=str)
    assert [name.partition("-")[0] for name in again.trained] == ["2"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["beta=interval(-1,2)"], ["job 0: beta=-1", "at least 0"]),
        (["likelihood=bernoulli,gaussian"], ["comparable bounds", "gaussian"]),
        (["beta=2"], ["has nothing to search", "experiment=tune"]),
        (["beta=1,2", "hydra.sweeper.sampler=cma"], ["sampler=cma", "tpe, random"]),
        (["beta=1,2", "hydra.sweeper.n_trials=0"], ["n_trials", "0"]),
        (["beta=1,2", "hydra.sweeper.direction=maximize"], ["direction"]),
    ],
)
def test_search_that_can_not_be_is_refused_before_it_begins(
    words: list[str],
    parts: list[str],
    tmp_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("train", "-m", "hydra/sweeper=optuna", *words)
    refused(done, *parts)
    assert list(tmp_path.iterdir()) == []


def test_missing_optuna_is_named_with_its_extra(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = command("train", "-m", "experiment=tune")
    refused(done, "needs Optuna", "pip install 'vae-cli[optuna]'")
