"""`vae runs diff`: what two runs don't have in common."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Finished, refused
from vae_cli.config.compose import composed
from vae_cli.runs.files import write_json
from vae_cli.runs.folder import RunFolder

Command = Callable[..., Finished]


def made(path: Path, *words: str, sha: str = "a" * 64, keras: str = "3.15") -> Path:
    folder = RunFolder(path)
    folder.create()
    folder.save_config(composed("train", [*words, f"run_dir='{path}'"]))
    folder.write_status("finished", 3)
    packages = {"keras": keras, "numpy": "2.0"}
    environment = {"time": str(path), "packages": packages, "git": None}
    write_json(folder.environment_file, environment)
    write_json(folder.data_file, {"fingerprint": {"x_train_sha256": sha}})
    return path


def test_only_what_differs_is_shown(command: Command, tmp_path: Path) -> None:
    a = made(tmp_path / "a", "beta=4", "seed=1")
    b = made(tmp_path / "b", "likelihood=gaussian", "seed=1", sha="b" * 64, keras="4")
    found = json.loads(command("runs", "diff", str(a), str(b), "--json").stdout)
    assert (found["a"], found["b"]) == (str(a), str(b))
    assert found["config"]["beta"] == {"a": 4.0, "b": 1.0}
    assert found["config"]["likelihood"] == {"a": "bernoulli", "b": "gaussian"}
    assert found["config"]["likelihood.learn_std"] == {"b": True}  # a key of it alone
    assert all(key.startswith(("beta", "likelihood")) for key in found["config"])
    assert found["data"] == {
        "fingerprint.x_train_sha256": {"a": "a" * 64, "b": "b" * 64}
    }
    assert found["environment"] == {"packages.keras": {"a": "3.15", "b": "4"}}
    assert found["results"] == {}


def test_table_is_for_reading(command: Command, tmp_path: Path) -> None:
    a = made(tmp_path / "a", "epochs=7", "freeze=encoder", "init_from.run=x")
    b = made(tmp_path / "b", "epochs=7", sha="b" * 64)
    lines = command("runs", "diff", str(a), str(b)).stdout.splitlines()
    assert lines[0].split() == ["a", str(a)]
    rows = [line.split() for line in lines]
    assert ["freeze", "encoder", "null"] in rows
    assert ["fingerprint.x_train_sha256", "aaaaaaaaaaaa...", "bbbbbbbbbbbb..."] in rows
    assert "environment: the same" in lines


def test_integers_and_booleans_are_told_apart(command: Command, tmp_path: Path) -> None:
    a = made(tmp_path / "a", "seed=1", "deterministic=true")
    b = made(tmp_path / "b", "seed=0")
    rows = [
        line.split()
        for line in command("runs", "diff", str(a), str(b)).stdout.splitlines()
    ]
    assert ["seed", "1", "0"] in rows
    assert ["deterministic", "true", "false"] in rows


def test_equal_runs_are_the_same(command: Command, tmp_path: Path) -> None:
    a, b = made(tmp_path / "a"), made(tmp_path / "b")
    text = command("runs", "diff", str(a), str(b)).stdout
    for kind in ("config", "data", "environment", "results"):
        assert f"{kind}: the same" in text


def test_latest_is_a_name(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "outputs" / "new")
    a = made(tmp_path / "a", "beta=2")
    (tmp_path / "outputs" / "new" / "status.json").touch()
    done = command("runs", "diff", "latest", str(a), "--json")
    assert json.loads(done.stdout)["a"] == "outputs/new"


@pytest.mark.parametrize(
    ("words", "message", "status"),
    [
        (["one"], "takes two runs, got 1", 2),
        (["one", "two"], "one does not exist", 1),
        (["one", "two", "--csv"], "--csv is not a flag", 2),
    ],
)
def test_what_can_not_be_compared_is_refused(
    command: Command, words: list[str], message: str, status: int
) -> None:
    refused(command("runs", "diff", *words), message, status=status)
