import os
from pathlib import Path

import pytest

from vae_cli.config.compose import composed
from vae_cli.errors import ConfigError, RunError
from vae_cli.runs.files import write_json
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.selection import common_folder, open_runs


def run_at(path: Path, finished: bool = True, moved: int = 100) -> Path:
    """A run folder whose weights are empty."""
    folder = RunFolder(path)
    folder.create()
    folder.save_config(composed("train", ["epochs=2"]))
    folder.write_status("finished" if finished else "interrupted", 2)
    if finished:
        write_json(folder.metrics_json, {"test": None})
    (folder.checkpoints / "best.weights.h5").touch()
    os.utime(folder.status_file, (moved, moved))
    return path


def opened(names: str, root: Path) -> list[Path]:
    return [folder.path for folder in open_runs(names, str(root))]


def test_one_name_is_one_run(tmp_path: Path) -> None:
    run = run_at(tmp_path / "run")
    assert opened(str(run), tmp_path) == [run]


def test_several_names_come_in_their_order(tmp_path: Path) -> None:
    a, b, c = (run_at(tmp_path / name) for name in "abc")
    assert opened(f"{c},{a}, {b},", tmp_path) == [c, a, b]


def test_latest_may_stand_among_several(tmp_path: Path) -> None:
    new, old = run_at(tmp_path / "new", moved=200), run_at(tmp_path / "old")
    assert opened(f"{old},latest", tmp_path) == [old, new]


def test_folder_of_runs_is_its_finished_runs_by_name(tmp_path: Path) -> None:
    runs = [run_at(tmp_path / "sweep" / n, moved=m) for n, m in (("b", 1), ("a", 2))]
    run_at(tmp_path / "sweep" / "c", finished=False)
    assert opened(str(tmp_path / "sweep"), tmp_path) == sorted(runs)


@pytest.mark.parametrize("damage", ["config", "weights"])
def test_run_that_can_not_be_opened_is_left_out_of_its_folder(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = (run_at(tmp_path / "sweep" / name) for name in "ab")
    if damage == "config":
        (bad / "config.yaml").write_text("latent_dim: 0x10\n")
    else:
        (bad / "checkpoints" / "best.weights.h5").unlink()
    assert opened(str(tmp_path / "sweep"), tmp_path) == [good]
    assert str(bad) in caplog.text


def test_unfinished_run_is_opened_by_its_name(tmp_path: Path) -> None:
    run = run_at(tmp_path / "run", finished=False)
    assert opened(str(run), tmp_path) == [run]


def test_run_named_twice_is_opened_once(tmp_path: Path) -> None:
    # counted twice it would shrink the deviation over seeds
    a, b = (run_at(tmp_path / "sweep" / name) for name in "ab")
    assert opened(f"{a},{tmp_path / 'sweep'},{b}", tmp_path) == [a, b]


def test_folder_with_a_comma_in_its_name_is_one_run(tmp_path: Path) -> None:
    # what a sweep over two keys calls its jobs
    run = run_at(tmp_path / "0-latent_dim=2,beta=4")
    assert opened(str(run), tmp_path) == [run]


@pytest.mark.parametrize("names", ["", ",", " , "])
def test_no_name_is_refused(names: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run= names no folder"):
        opened(names, tmp_path)


def test_missing_run_among_several_is_named(tmp_path: Path) -> None:
    run = run_at(tmp_path / "run")
    with pytest.raises(RunError) as refused:
        opened(f"{run},{tmp_path / 'nowhere'}", tmp_path)
    assert refused.value.args[0] == f"run={tmp_path / 'nowhere'} does not exist."


def test_folder_without_finished_runs_is_refused(tmp_path: Path) -> None:
    run_at(tmp_path / "sweep" / "a", finished=False)
    with pytest.raises(RunError) as refused:
        opened(str(tmp_path / "sweep"), tmp_path)
    assert refused.value.args[0] == (
        f"run={tmp_path / 'sweep'} is not a run folder, and holds no finished runs."
    )


def test_jobs_of_a_sweep_may_have_commas_in_their_names(tmp_path: Path) -> None:
    jobs = [run_at(tmp_path / f"{i}-beta=1,latent_dim={i}") for i in range(2)]
    other = run_at(tmp_path / "other")
    names = f"{jobs[0]},{other},{jobs[1]}"
    assert opened(names, tmp_path) == [jobs[0], other, jobs[1]]


def test_many_runs_may_be_named(tmp_path: Path) -> None:
    runs = [run_at(tmp_path / f"run-with-a-long-name-{i:03}") for i in range(60)]
    assert opened(",".join(map(str, runs)), tmp_path) == runs


def test_folder_of_all_runs_is_told_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert common_folder([Path("a/1"), Path("a/b/2")]) == Path("a")
    assert common_folder([Path("1"), Path("2")]) == Path()
    assert common_folder([tmp_path / "a" / "1"]) == tmp_path / "a"
