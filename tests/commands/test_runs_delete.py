"""`vae runs delete`: runs go, and nothing else."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Finished, refused
from vae_cli.config.train import TrainConfig
from vae_cli.runs import delete as deletion
from vae_cli.runs.find import find_runs
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.sweep_folder import SweepFolder, write_error
from vae_cli.text import megabytes

Command = Callable[..., Finished]


def made(path: Path, beta: float = 1.0, state: str = "finished") -> RunFolder:
    folder = RunFolder(path)
    folder.create()
    folder.save_config(TrainConfig(beta=beta))
    (folder.checkpoints / "best.weights.h5").write_bytes(bytes(3 * 2**20))
    folder.write_status(state, 3)
    return folder


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    day = tmp_path / "outputs" / "2026-01-31"
    made(day / "a")
    made(day / "b", state="failed")
    made(day / "10-00-00-sweep" / "0-beta=1")
    made(day / "10-00-00-sweep" / "1-beta=4", beta=4)
    return tmp_path


def left(root: Path) -> list[str]:
    return sorted(run.path.name for run in find_runs(root))


def test_dry_run_lists_sizes_and_deletes_nothing(command: Command, root: Path) -> None:
    done = command("runs", "delete", "outputs/2026-01-31/a", "--dry-run")
    assert done.status == 0
    assert "3 MiB  outputs/2026-01-31/a" in done.stdout
    assert "1 run, 3 MiB" in done.stdout
    assert len(left(root)) == 4


def test_runs_go_after_yes(command: Command, root: Path) -> None:
    done = command("runs", "delete", "outputs/2026-01-31/a", "--yes")
    assert done.status == 0, done.stderr
    assert not Path("outputs/2026-01-31/a").exists()
    assert left(root) == ["0-beta=1", "1-beta=4", "b"]


def test_empty_name_stands_for_no_run(command: Command, root: Path) -> None:
    refused(command("runs", "delete", "", "--yes"), "an empty name", status=2)
    assert len(left(root)) == 4


def test_copies_in_a_tracker_are_no_runs(command: Command, root: Path) -> None:
    copy = root / "outputs" / "mlflow-artifacts" / "1f" / "artifacts"
    made(copy, state="failed")
    assert command("runs", "delete", "state=failed", "--yes").status == 0
    assert copy.exists()
    assert "artifacts" not in command("runs").stdout


def test_runs_are_chosen_by_what_they_have(command: Command, root: Path) -> None:
    assert command("runs", "delete", "state=failed", "--yes").status == 0
    assert "b" not in left(root)
    command("runs", "delete", "outputs/2026-01-31", "beta=4", "--yes")
    assert left(root) == ["0-beta=1", "a"]


@pytest.mark.parametrize("words", [("runs",), ("runs", "delete", "--dry-run")])
def test_unknown_state_is_refused_with_the_states(
    command: Command, root: Path, words: tuple[str, ...]
) -> None:
    done = command(*words, "state=faild")
    refused(done, "state=faild is not a state; did you mean state=failed?", "running")


def test_job_of_a_sweep_is_named_though_it_looks_like_a_filter(
    command: Command, root: Path
) -> None:
    job = "outputs/2026-01-31/10-00-00-sweep/1-beta=4"
    assert command("runs", "delete", job, "--yes").status == 0
    assert left(root) == ["0-beta=1", "a", "b"]


@pytest.mark.parametrize("kept", [False, True])
def test_folder_of_a_sweep_goes_if_nothing_else_is_in_it(
    command: Command, root: Path, kept: bool
) -> None:
    sweep = Path("outputs/2026-01-31/10-00-00-sweep")
    if kept:
        (sweep / "notes.txt").write_text("mine")
    assert command("runs", "delete", str(sweep), "--yes").status == 0
    assert left(root) == ["a", "b"]
    assert sweep.exists() == kept


@pytest.fixture
def written_sweep(root: Path) -> Path:
    """The sweep of `root`, with what commands write into a sweep's folder."""
    sweep = root / "outputs/2026-01-31/10-00-00-sweep"
    folder = SweepFolder(sweep)
    folder.write_record({"words": []})
    for beta in ("1", "4", "9"):
        folder.job({"beta": beta})
    write_error(sweep / "2-beta=9", "no memory")
    made(sweep / "failed" / "1-beta=4-1", state="failed")
    for name in ("figures", "evaluation", ".submitit"):
        (sweep / name).mkdir()
        (sweep / name / "file").touch()
    for name in (
        "summary.md",
        "summary.csv",
        "study.db",
        ".lock",
        "multirun.yaml",
        "anomaly-test.md",
        "anomaly-test.csv",
    ):
        (sweep / name).touch()
    return sweep


def test_last_run_of_a_sweep_goes_with_what_the_sweep_wrote(
    command: Command, written_sweep: Path
) -> None:
    assert (
        command("runs", "delete", str(written_sweep / "0-beta=1"), "--yes").status == 0
    )
    assert (written_sweep / "sweep.yaml").exists()
    done = command("runs", "delete", str(written_sweep), "--yes")
    assert "1-beta=4\n" in done.stdout
    assert f"{written_sweep}: what the sweep itself wrote" in done.stdout
    assert f"deleted {written_sweep}\n" in done.stderr
    assert not written_sweep.exists()


def test_own_notes_in_a_sweep_stay_and_it_is_no_sweep_any_more(
    command: Command, written_sweep: Path
) -> None:
    (written_sweep / "notes.txt").write_text("mine")
    assert command("runs", "delete", str(written_sweep), "--yes").status == 0
    assert [path.name for path in written_sweep.iterdir()] == ["notes.txt"]


def test_sweep_without_any_run_can_be_deleted(
    command: Command, written_sweep: Path
) -> None:
    for job in ("0-beta=1", "1-beta=4"):
        shutil.rmtree(written_sweep / job)
    assert command("runs", "delete", str(written_sweep), "--yes").status == 0
    assert not written_sweep.exists()


def test_what_a_sweep_has_set_aside_is_not_among_the_runs(
    command: Command, written_sweep: Path
) -> None:
    assert "1-beta=4-1" not in left(written_sweep)
    assert "1-beta=4-1" not in command("runs", str(written_sweep)).stdout
    assert left(written_sweep / "failed") == ["1-beta=4-1"]


def test_small_sizes_are_in_kib() -> None:
    sizes = (0, 30, 2048, 2**20, 2**24)
    texts = [megabytes(size / 2**20) for size in sizes]
    assert texts == ["0 MiB", "1 KiB", "2 KiB", "1 MiB", "16 MiB"]


def test_empty_day_goes_and_outputs_stays(command: Command, root: Path) -> None:
    assert command("runs", "delete", "outputs", "--yes").status == 0
    assert [*Path("outputs").iterdir()] == []


def test_without_a_terminal_nothing_goes(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vae_cli", "runs", "delete", "outputs/2026-01-31/a"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "add --yes" in done.stderr
    assert len(left(root)) == 4


@pytest.mark.parametrize(("answer", "gone"), [("y", True), ("", False), ("n", False)])
def test_on_a_terminal_it_asks(root: Path, answer: str, gone: bool) -> None:
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    words = [sys.executable, "-m", "vae_cli", "runs", "delete", "outputs/2026-01-31/a"]
    with subprocess.Popen(words, stdin=slave, stderr=subprocess.PIPE) as process:
        os.write(master, f"{answer}\n".encode())
        _, said = process.communicate(timeout=60)
    os.close(slave)
    os.close(master)
    assert b"delete this run? [y/N]" in said
    assert Path("outputs/2026-01-31/a").exists() != gone


def test_run_that_is_trained_stays_and_all_others_with_it(
    command: Command, root: Path
) -> None:
    with RunFolder(root / "outputs/2026-01-31/b").locked():
        done = command("runs", "delete", "outputs", "--yes")
    refused(done, "is being trained: nothing is deleted")
    assert len(left(root)) == 4


def test_folder_that_is_no_run_stays(command: Command, root: Path) -> None:
    other = root / "photos"
    other.mkdir()
    (other / "config.yaml").write_text("mine: true")
    (other / "status.json").write_text("{}")
    refused(command("runs", "delete", "photos", "--yes"), "is not a run folder")
    assert len([*other.iterdir()]) == 2
    command("runs", "delete", ".", "--yes")
    assert len([*other.iterdir()]) == 2


def test_links_are_not_followed(command: Command, root: Path) -> None:
    elsewhere = made(root / "elsewhere")
    link = root / "outputs" / "link"
    link.symlink_to(elsewhere.path)
    refused(command("runs", "delete", "outputs/link", "--yes"), "is a symbolic link")
    (root / "outputs/2026-01-31/a/figures/link").symlink_to(elsewhere.path)
    assert command("runs", "delete", "outputs/2026-01-31/a", "--yes").status == 0
    assert left(elsewhere.path.parent)[-1] == "elsewhere"
    assert (elsewhere.checkpoints / "best.weights.h5").exists()


def test_run_named_through_a_link_is_shown_where_it_is(
    command: Command, root: Path
) -> None:
    place = root / "disk" / "runs"
    shutil.move(root / "outputs", place)
    (root / "outputs").symlink_to(place)
    done = command("runs", "delete", "outputs/2026-01-31/a", "--yes")
    assert done.status == 0, done.stderr
    assert f"outputs/2026-01-31/a ({place}/2026-01-31/a)\n" in done.stdout
    assert left(place) == ["0-beta=1", "1-beta=4", "b"]
    sweep = "2026-01-31/10-00-00-sweep"
    SweepFolder(place / sweep).write_record({"words": []})
    done = command("runs", "delete", f"outputs/{sweep}", "--yes")
    assert f"outputs/{sweep} ({place}/{sweep}): what the sweep" in done.stdout
    assert left(place) == ["b"]
    assert (root / "outputs").is_symlink()


def test_link_that_moves_after_the_question_deletes_what_was_shown(root: Path) -> None:
    shown, other = made(root / "first" / "run"), made(root / "second" / "run")
    link = root / "link"
    link.symlink_to(root / "first")
    plan = deletion.planned_deletions([RunFolder(link / "run")])
    link.unlink()
    link.symlink_to(root / "second")
    assert len([*deletion.delete(plan, [], [])]) == 1
    assert not shown.path.exists()
    assert other.path.exists()


def test_other_files_in_a_run_are_named(command: Command, root: Path) -> None:
    (root / "outputs/2026-01-31/a/notes.txt").write_text("mine")
    done = command("runs", "delete", "outputs/2026-01-31/a", "--dry-run")
    assert "with notes.txt" in done.stdout


def test_run_that_holds_another_stays(command: Command, root: Path) -> None:
    made(root / "outputs/2026-01-31/a/inner", beta=2)
    words = ("runs", "delete", "outputs", "beta=1", "--yes")
    refused(command(*words), "contains other runs", "inner")
    assert len(left(root)) == 5
    assert command("runs", "delete", "outputs/2026-01-31/a", "--yes").status == 1
    assert len(left(root)) == 5
    assert command("runs", "delete", "outputs", "--yes").status == 0
    assert left(root) == []


def test_interrupted_deletion_leaves_no_run_and_is_finished_later(
    command: Command, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path, **options: object) -> None:
        (path / "config.yaml").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(deletion.shutil, "rmtree", interrupted)
        done = command("runs", "delete", "outputs/2026-01-31/a", "--yes")
    assert done.status == 130
    assert left(root) == ["0-beta=1", "1-beta=4", "b"]
    hidden = [p.name for p in Path("outputs/2026-01-31").iterdir() if p.name[0] == "."]
    assert len(hidden) == 1
    assert command("runs", "delete", "outputs/2026-01-31/b", "--yes").status == 0
    assert not [p for p in Path("outputs/2026-01-31").iterdir() if p.name[0] == "."]


@pytest.mark.parametrize(
    ("words", "message", "status"),
    [
        ([], "needs the runs to delete", 2),
        (["--dry-run"], "needs the runs to delete", 2),
        (["--force", "outputs"], "--force is not a flag", 2),
        (["outputs/none"], "does not exist", 1),
        (["status=failed"], "status is no column", 1),
    ],
)
def test_what_is_no_request_is_refused(
    command: Command, root: Path, words: list[str], message: str, status: int
) -> None:
    refused(command("runs", "delete", *words), message, status=status)
    assert len(left(root)) == 4


def test_no_such_runs_is_no_error(command: Command, root: Path) -> None:
    done = command("runs", "delete", "beta=9", "--yes")
    assert done.status == 0
    assert "no such runs" in done.stderr


def test_cwd_is_not_deleted(
    command: Command, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root / "outputs/2026-01-31/a/figures")
    refused(command("runs", "delete", "..", "--yes"), "contains the current directory")
