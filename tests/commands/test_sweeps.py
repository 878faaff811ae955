"""How sweeps number, skip, resume and sum up their jobs; the jobs are stand-ins."""

import json
import shutil
from pathlib import Path

import pytest

from tests.commands.sweeps import (
    Command,
    Trains,
    fails_at,
    resume,
    rows,
    sweep,
)
from tests.conftest import refused
from vae_cli.lock import take_lock


def test_failed_job_does_not_end_a_sweep_and_its_folder_says_why(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    training = trains(**fails_at(2, "loss is nan\nlower the rate"))
    done = sweep(command, folder, "beta=1,2,3")
    refused(
        done, "2 of 3 jobs are done", "job 1 (beta=2) failed: loss is nan",
        f"resume with: vae-train -m sweep.resume={folder}",
    )  # fmt: skip
    assert training.trained == ["0-beta=1", "1-beta=2", "2-beta=3"]
    text = (folder / "1-beta=2" / "error.txt").read_text()
    assert text == "loss is nan\nlower the rate\n"
    assert done.stdout == f"{folder}\n"
    states = {row["beta"]: (row["state"], row["error"]) for row in rows(folder)}
    assert states["2"] == ("failed", "loss is nan")
    assert states["1"] == ("finished", "")


def test_on_error_stop_starts_no_further_job(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    training = trains(**fails_at(2))
    done = sweep(command, folder, "beta=1,2,3", "sweep.on_error=stop")
    refused(done, "1 of 3 jobs are done", "job 2: not started")
    assert training.trained == ["0-beta=1", "1-beta=2"]
    # a job knows its sweep, and trains without the options of it
    job = training.jobs[0]
    assert (job["sweep"], job["follows"]) == (str(folder), True)
    assert job["config"]["sweep"] == {"on_error": "continue", "resume": None}
    training = trains()
    assert resume(command, folder).status == 0
    assert training.trained == ["1-beta=2", "2-beta=3"]


def test_killed_job_says_what_ended_it(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    trains(**fails_at(2, -9))
    done = sweep(command, tmp_path / "sweep", "beta=1,2")
    refused(done, "job 1 (beta=2) failed", "SIGKILL", "memory")


def test_resume_skips_what_is_finished_and_resumes_what_is_not(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    trains(**fails_at(2))
    sweep(command, folder, "beta=1,2,3,4")
    # as a kill leaves them: one within its training, one before it
    (folder / "2-beta=3" / "metrics.json").unlink()
    status = folder / "2-beta=3" / "status.json"
    status.write_text('{"state": "running", "epoch": 0, "error": null}')
    shutil.rmtree(folder / "3-beta=4")
    training = trains()
    done = resume(command, folder, "beta=1,2,3,4")
    assert done.status == 0, done.stderr
    assert training.trained == ["1-beta=2", "2-beta=3 resumed", "3-beta=4"]
    # what the failed one has left is kept
    assert (folder / "failed" / "1-beta=2-1" / "error.txt").is_file()
    assert not (folder / "1-beta=2" / "error.txt").exists()
    assert {row["state"] for row in rows(folder)} == {"finished"}
    training = trains()
    assert resume(command, folder).status == 0
    assert training.trained == []


def test_grid_that_grows_numbers_new_jobs_after_all_others(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    trains()
    sweep(command, folder, "beta=2,3", "seed=choice(7)")
    training = trains()
    done = resume(command, folder, "beta=1,2,3")
    assert done.status == 0, done.stderr
    assert training.trained == ["2-beta=1,seed=7"]
    assert [row["job"] for row in rows(folder)] == ["1", "0", "2"]


def test_unfinished_job_whose_value_was_replaced_leaves_the_sweep(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    trains(**fails_at(9))
    refused(sweep(command, folder, "latent_dim=2,4", "beta=1,9"), "2 of 4 jobs")
    training = trains()
    done = resume(command, folder, "beta=1,2")
    assert done.status == 0, done.stderr
    assert "job 1 (latent_dim=2,beta=9) is no longer part of the sweep" in done.stderr
    # no number is used again, and what failed is kept
    assert training.trained == ["4-latent_dim=2,beta=2", "5-latent_dim=4,beta=2"]
    assert sorted(row["job"] for row in rows(folder)) == ["0", "2", "4", "5"]
    assert (folder / "failed" / "1-latent_dim=2,beta=9-1" / "error.txt").is_file()


def test_job_that_fails_again_says_how_to_replace_its_value(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    trains(**fails_at(9))
    advice = f"vae-train -m sweep.resume={folder} beta=1,3"
    first = sweep(command, folder, "latent_dim=2,4", "beta=1,9,3")
    assert advice not in first.stderr
    refused(resume(command, folder), "failed again with the same error", advice)
    assert resume(command, folder, "beta=1,3").status == 0


def test_resumed_sweep_whose_config_changed_is_refused(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    trains()
    sweep(command, folder, "beta=2,3")
    record = (folder / "sweep.yaml").read_text()
    training = trains()
    again = f"vae-train -m sweep.resume={folder}"
    changed = ("epochs=7", "architecture=dense")
    done = resume(command, folder, *changed)
    refused(
        done, "epochs: 30 before, 7 now", "architecture: conv before, dense now",
        again,
    )  # fmt: skip
    done = resume(command, folder, "seed=1,2")
    refused(done, "varies beta, and this one beta, seed", again)
    assert training.trained == []
    assert (folder / "sweep.yaml").read_text() == record


def test_two_sweeps_do_not_share_a_folder(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    trains()
    sweep(command, folder, "beta=2,3")
    done = sweep(command, folder, "beta=4,5")
    refused(done, "already contains a sweep", f"sweep.resume={folder}")
    with (folder / ".lock").open("a") as file:
        assert take_lock(file, exclusive=True)
        refused(resume(command, folder), "in use", "another process")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["sweep.resume=nowhere"], ["sweep.resume=nowhere does not exist"]),
        (["sweep.resume=here"], ["here is not a sweep's folder", "sweep.yaml"]),
        (["sweep.on_error=halt"], ["sweep.on_error", "continue, stop"]),
    ],
)
def test_what_is_no_sweep_is_not_resumed(
    words: list[str],
    parts: list[str],
    tmp_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    refused(command("train", "-m", "beta=1,2", *words), *parts)
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


@pytest.mark.parametrize(
    "content",
    ["", "words: 3\n", "[" * 999, "a: &a [*a]\n",
     "words: ['$(rm x)=1']\nvaried: [beta]\nconfig: {}\n"],
)  # fmt: skip
def test_damaged_record_is_named(
    content: str, tmp_path: Path, command: Command
) -> None:
    (tmp_path / "sweep.yaml").write_text(content)
    refused(resume(command, tmp_path), "sweep.yaml")


def test_record_runs_no_words_of_hydra_that_run_code(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    trains()
    sweep(command, folder, "beta=2,3")
    file = folder / "sweep.yaml"
    harm = "+hydra.callbacks.x._target_=os.abort"
    file.write_text(file.read_text().replace("words:", f"words:\n- {harm}"))
    done = resume(command, folder)
    assert done.status == 0, done.stderr
    assert harm not in file.read_text()


def test_jobs_start_from_the_run_that_was_latest_when_the_sweep_began(
    tmp_path: Path, command: Command, trains: Trains, trained: Path
) -> None:
    outputs = tmp_path / "outputs"
    shutil.copytree(trained, outputs / "source")
    training = trains()
    words = (f"output_root={outputs}", "init_from=latest", "architecture=conv")
    done = sweep(command, outputs / "sweep", "beta=1,2", *words)
    assert done.status == 0, done.stderr
    sources = {job["config"]["init_from"]["run"] for job in training.jobs}
    assert sources == {str(outputs / "source")}


def test_parameters_of_a_search_in_one_word_are_refused(
    tmp_path: Path, command: Command
) -> None:
    word = "hydra.sweeper.params={beta: 'choice(1,2)'}"
    done = sweep(command, tmp_path / "sweep", "hydra/sweeper=optuna", word)
    refused(done, "hydra.sweeper.params.latent_dim=choice(2,8)", status=2)
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    "word", ["sweep.resume=x", "sweep.on_error=stop", "experiment=tune"]
)
def test_options_of_sweeps_need_m(word: str, command: Command, tmp_path: Path) -> None:
    refused(command("train", word, f"run_dir={tmp_path / 'run'}"), "vae-train -m", word)
    assert not (tmp_path / "run").exists()


def test_summary_is_a_table_and_a_figure(
    tmp_path: Path, command: Command, trains: Trains
) -> None:
    folder = tmp_path / "sweep"
    trains()
    done = sweep(command, folder, "beta=1,3", "architecture=dense,conv")
    assert "minimises best_neg_elbo, nats per image" in done.stderr
    lines = (folder / "summary.md").read_text().splitlines()
    assert lines[4] == (
        "| job | beta | architecture | state | bound | best epoch | KL | minutes | "
        "folder | error |"
    )
    assert [line.split(" | ")[1] for line in lines[6:]] == ["3", "3", "1", "1"]
    first = rows(folder)[0]
    assert (first["KL"], first["minutes"], first["best epoch"]) == ("1.5", "1.5", "1")
    png = (folder / "figures" / "parallel_coordinates.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert not json.loads((folder / ".jobs" / "0.json").read_text()).keys() - {
        "overrides"
    }
