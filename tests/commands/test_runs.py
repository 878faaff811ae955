"""`vae runs`: filters, order, columns and formats, on run folders made here."""

import csv
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

from tests.conftest import Finished, refused
from vae_cli.config.compose import composed
from vae_cli.runs.files import write_json
from vae_cli.runs.folder import RunFolder

Command = Callable[..., Finished]
MADE = {
    "a": (110.5, "seed=3", "latent_dim=2"),
    "b": (99.25, "seed=1", "latent_dim=16", "deterministic=true"),
    "c": (104.0, "seed=2", "latent_dim=16", "kl_annealing=linear"),
    "d": (-700.0, "likelihood=gaussian", "optimizer.learning_rate=0.0003"),
}
"""Name of a run -> its best bound, and what was typed."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, (bound, *words) in MADE.items():
        folder = RunFolder(tmp_path / name)
        folder.create()
        folder.save_config(composed("train", list(words)))
        folder.write_status("finished", 30)
        write_json(
            folder.metrics_json,
            {
                "best_neg_elbo": bound,
                "train_seconds": 90.0,
                "test": {"neg_elbo": bound + 1},
            },
        )
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "status.json").write_text("{")
    return tmp_path


def names(done: Finished) -> list[str]:
    """The runs of a table, in its order."""
    assert done.status == 0, done.stderr
    return [line.rpartition("/")[2] for line in done.stdout.splitlines()[1:]]


def test_all_runs_are_listed_the_unreadable_too(command: Command, root: Path) -> None:
    done = command("runs", str(root))
    assert sorted(names(done)) == ["a", "b", "c", "d", "e"]
    assert "unreadable" in done.stdout


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (["latent_dim=16"], "bc"),
        (["latent_dim=16", "seed=1"], "b"),
        (["likelihood=gaussian"], "d"),
        (["optimizer.learning_rate=3e-4"], "d"),
        (["deterministic=true"], "b"),
        (["kl_annealing=linear"], "c"),
        (["name=null"], "abcd"),
        (["state=unreadable"], "e"),
        (["seed=many"], ""),
    ],
)
def test_runs_are_chosen_by_what_they_have(
    command: Command, root: Path, words: list[str], chosen: str
) -> None:
    done = command("runs", str(root), *words)
    if not chosen:
        assert done.status == 0
        assert f"no runs below {root}/ seed=many" in done.stderr
        return
    assert sorted(names(done)) == list(chosen)


def test_runs_are_sorted_those_without_a_value_last(
    command: Command, root: Path
) -> None:
    assert names(command("runs", str(root), "--sort", "test_neg_elbo")) == [*"dbcae"]
    assert names(command("runs", str(root), "--sort=seed"))[-1] == "e"


def test_best_run_of_each_kind_of_bound_is_shown(command: Command, root: Path) -> None:
    assert sorted(names(command("runs", str(root), "--best"))) == ["b", "d"]


def test_any_key_is_a_column(command: Command, root: Path) -> None:
    columns = "--columns=seed,minutes,optimizer.learning_rate,kl_annealing,run"
    done = command("runs", str(root), columns, "likelihood=gaussian")
    header, line = done.stdout.splitlines()
    assert header.split()[:2] == ["seed", "minutes"]
    assert line.split()[:4] == ["0", "1.5", "0.0003", "auto"]


def test_programs_get_every_digit(command: Command, root: Path) -> None:
    words = ("runs", str(root), "--sort", "seed", "--columns", "run,test_neg_elbo,nll")
    rows = json.loads(command(*words, "--json").stdout)
    found = {Path(row["run"]).name: row["test_neg_elbo"] for row in rows}
    assert found == {**{k: v[0] + 1 for k, v in MADE.items()}, "e": None}
    assert {row["nll"] for row in rows} == {None}
    again = list(csv.DictReader(StringIO(command(*words, "--csv").stdout)))
    assert [row["run"] for row in again] == [row["run"] for row in rows]
    assert float(again[0]["test_neg_elbo"]) == rows[0]["test_neg_elbo"]
    assert json.loads(command("runs", str(root), "seed=9", "--json").stdout) == []


@pytest.mark.parametrize(
    ("words", "message", "status"),
    [
        (["--columns", "sede"], "did you mean seed?", 1),
        (["latentdim=2"], "latentdim is no column", 1),
        (["--sort"], "--sort needs a column", 2),
        (["--worst"], "--worst is not a flag", 2),
        (["more"], "takes one folder", 2),
    ],
)
def test_what_is_no_column_or_flag_is_refused(
    command: Command, root: Path, words: list[str], message: str, status: int
) -> None:
    refused(command("runs", str(root), *words), message, status=status)
