"""The real command line, one process a test, with a TensorFlow that can't be imported.

A command that touches TensorFlow dies with a traceback here; so does any that trains.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Finished, vae

POISONED = ("tensorflow", "keras")


@pytest.fixture(autouse=True)
def no_tensorflow(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put packages that raise before the real ones on every child's path."""
    folder = tmp_path_factory.mktemp("poison")
    for name in POISONED:
        (folder / f"{name}.py").write_text(f"raise RuntimeError('{name} imported')\n")
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)


def refused(done: Finished, cwd: Path, *parts: str, status: int = 1) -> None:
    """Check for one message, nothing on stdout and no file left behind."""
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr
    assert done.status == status
    assert done.stdout == ""
    assert list(cwd.iterdir()) == []


@pytest.mark.parametrize("name", POISONED)
def test_tensorflow_can_not_be_imported_here(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert f"RuntimeError: {name} imported" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "latentdim=3",
            "latentdim is not a key; did you mean latent_dim?\n"
            "  every key: vae-train --help\n",
        ),
        (
            "architecture=resnet",
            "architecture=resnet is not available.\n"
            "  choose one of: conv, dense, gated_dense, residual_conv\n"
            "  the same option with other defaults: vae copy architecture/conv "
            "my_configs/architecture, then --config-dir my_configs\n"
            "  a new architecture: write a class in a Python file, then pass --plugin "
            'FILE (see "Adding an option" in vae_cli/README.md)\n',
        ),
        (
            "kl_annealing=none kl_annealing.duration=3",
            "kl_annealing.duration needs kl_annealing=linear or kl_annealing=sigmoid; "
            "the chosen kl_annealing has no such key\n"
            "  every key: vae-train --help kl_annealing\n",
        ),
        (
            "latent_dim=abc epochs=2.5 beta=-1",
            "3 problems:\n"
            "- latent_dim=abc must be an integer or null, got text\n"
            "- beta=-1 must be at least 0\n"
            "- epochs=2.5 must be an integer, got a number\n",
        ),
    ],
    ids=lambda text: text.split("\n")[0] if " " not in text else "",
)
def test_wrong_override_is_refused_with_one_message(
    arguments: str, message: str, tmp_path: Path
) -> None:
    done = vae("train", *arguments.split(), cwd=tmp_path)
    refused(done, tmp_path)
    assert done.stderr == message


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("+tyop=1", ["tyop is not a key"]),
        ("kl_annealing=null", ["kl_annealing"]),
        ("dataset=npz", ["dataset.path is missing", "add dataset.path="]),
        ("beta=${nope}", ["nope"]),
    ],
)
def test_override_that_can_not_be_composed_is_refused(
    override: str, parts: list[str], tmp_path: Path
) -> None:
    refused(vae("train", override, cwd=tmp_path), tmp_path, *parts)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["train", "\x1b[2J=1"], 2),
        (["train", "--\x1b[2J"], 2),
        (["train", "name='\x1b[2J'", "beta=-1"], 1),
        (["train", "dataset=npz", "dataset.path='\x1b[2J'"], 1),
        (["train", "likelihood='\x1b[2J'"], 1),
        (["list", "\x1b[2J"], 1),
        (["copy", "\x1b[2J", "x"], 1),
        (["runs", "\x1b[2J"], 1),
        (["evaluate", "run='\x1b[2J'"], 1),
        (["launch", "--workers", "2", "\x1b[2J"], 2),
        (["\x1b[2J"], 2),
    ],
    ids=lambda value: repr(value),
)
def test_words_are_repeated_as_text_and_not_obeyed(
    arguments: list[str], status: int, tmp_path: Path
) -> None:
    done = vae(*arguments, cwd=tmp_path)
    refused(done, tmp_path, status=status)
    assert "\x1b" not in done.stderr
    assert "beta=-1" in done.stderr or "\\x1b" in done.stderr


@pytest.mark.parametrize("word", ["name=[a", "latent_dim"])
def test_word_that_is_no_override_is_wrong_usage(word: str, tmp_path: Path) -> None:
    done = vae("train", word, cwd=tmp_path)
    parts = (f"{word} is not a valid override", "write key=value")
    refused(done, tmp_path, *parts, status=2)


def test_added_key_that_exists_is_not_told_to_take_another_plus(tmp_path: Path) -> None:
    done = vae("train", "+epochs=3", cwd=tmp_path)
    refused(done, tmp_path, "epochs=3")
    assert "++" not in done.stderr


def test_several_values_without_multirun_are_told_of_it(tmp_path: Path) -> None:
    refused(vae("train", "latent_dim=2,3", cwd=tmp_path), tmp_path, "latent_dim", "-m")


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--epochs", "5"],
        ["train", "--cfg", "job", "--epochs=5"],
        ["train", "-m", "--epochs", "5"],
        ["validate", "train", "--epochs", "5"],
    ],
    ids=" ".join,
)
def test_key_written_as_a_flag_gets_how_overrides_are_written(
    words: list[str], tmp_path: Path
) -> None:
    done = vae(*words, cwd=tmp_path)
    refused(done, tmp_path, status=2)
    assert done.stderr.endswith("  overrides are written without dashes: epochs=5\n")


def test_unknown_flag_is_wrong_usage(tmp_path: Path) -> None:
    done = vae("train", "--nosuch", cwd=tmp_path)
    refused(done, tmp_path, "--nosuch", status=2)


@pytest.mark.parametrize(
    "arguments",
    [["-m", "latent_dim=2,-8", "beta=1,x"], ["latent_dim=2,-8", "beta=1,x", "-m"]],
    ids=["first", "last"],
)
def test_sweep_tells_the_problems_of_all_its_jobs_before_it_starts(
    arguments: list[str], tmp_path: Path
) -> None:
    done = vae("train", *arguments, cwd=tmp_path)
    refused(done, tmp_path)
    assert done.stderr == (
        "4 problems:\n"
        "- job 1: beta=x must be a number, got text\n"
        "- job 2: latent_dim=-8 must be at least 1\n"
        "- job 3: latent_dim=-8 must be at least 1\n"
        "- job 3: beta=x must be a number, got text\n"
    )


def test_sweep_into_one_run_folder_is_refused(tmp_path: Path) -> None:
    done = vae("train", "-m", "latent_dim=2,3", "run_dir=here", cwd=tmp_path)
    refused(done, tmp_path, "job 1: run_dir=here", "hydra.sweep.dir=")


def test_sweep_of_another_command_than_train_is_refused(tmp_path: Path) -> None:
    done = vae("generate", "-m", "run=a,b", cwd=tmp_path)
    refused(done, tmp_path, "-m sweeps are for vae-train alone", status=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["generate", "run=nowhere"],
            "run=nowhere does not exist.\n  vae runs lists the runs below outputs/\n",
        ),
        (
            ["plot-latent"],
            "run=latest found no run below outputs/.\n"
            "  train one: vae-train experiment=quickstart\n"
            "  or name a folder: run=<folder>, or output_root=<folder of runs>\n",
        ),
        (
            ["evaluate", "run=nowhere"],
            "run=nowhere does not exist.\n  vae runs lists the runs below outputs/\n",
        ),
        (
            ["evaluate", "run=nowhere,elsewhere"],
            "run=nowhere does not exist.\n  vae runs lists the runs below outputs/\n",
        ),
    ],
    ids=["named", "latest", "evaluated", "several"],
)
def test_missing_run_is_refused(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    done = vae(*arguments, cwd=tmp_path)
    refused(done, tmp_path)
    assert done.stderr == message


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("importance_samples=0", ["importance_samples=0 must be at least 1"]),
        ("split=foo", ["split=foo is not available; choose one of: train, validation"]),
        (
            "importance_sample=5",
            ["did you mean importance_samples?", "vae-evaluate --"],
        ),
        ("generated_images=5", ["generated_images=5 must be at least 100"]),
        ("beta=4", ["beta is not a key", "vae-evaluate --help"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_evaluate_refuses_a_wrong_override(
    arguments: str, parts: list[str], tmp_path: Path
) -> None:
    refused(vae("evaluate", *arguments.split(), cwd=tmp_path), tmp_path, *parts)


def test_evaluate_of_a_folder_without_finished_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sweep" / "0" / "checkpoints").mkdir(parents=True)
    done = vae("evaluate", "run=sweep", cwd=tmp_path)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr == (
        "run=sweep is not a run folder, and holds no finished runs.\n"
        "  vae runs lists the runs below outputs/\n"
    )


def test_resume_of_a_missing_run_is_refused(tmp_path: Path) -> None:
    done = vae("train", "resume=nowhere", cwd=tmp_path)
    refused(done, tmp_path, "nowhere does not exist")


def test_resume_with_another_override_is_wrong_usage(tmp_path: Path) -> None:
    done = vae("train", "resume=latest", "beta=3", "epochs=9", cwd=tmp_path)
    refused(done, tmp_path, status=2)
    assert done.stderr == (
        "resume= takes no other override than a larger epochs=, and dataset.path= of a "
        "file that has moved; got: beta=3\n"
        "  the run goes on with its own config.yaml; to change something, start a new "
        "run\n"
    )


def test_config_of_a_sweep_is_not_printed_and_nothing_runs(tmp_path: Path) -> None:
    done = vae("train", "-m", "latent_dim=2,3", "--cfg", "job", cwd=tmp_path)
    refused(done, tmp_path, "-m and --cfg don't go together", status=2)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--help"], "vae train "),
        (["train", "--help"], "latent_dim=2"),
        (["plot-latent", "-h"], "method=auto"),
        (["evaluate", "--help"], "importance_samples=500"),
        (["evaluate", "--cfg", "job"], "importance_samples: 500"),
        (["show", "evaluate"], "importance_samples: 500"),
        (["validate", "evaluate", "importance_samples=5"], "valid"),
        (["train", "--cfg", "job"], "latent_dim: null"),
        (["train", "--help", "optimizer"], "optimizer.weight_decay=0.004"),
        (["train", "--help", "epochs"], "epochs=30"),
        (["copy", "--help"], "vae copy architecture/conv my_configs/architecture"),
        (["completion", "bash"], "complete -F _vae_complete vae vae-train"),
        (["_candidates", "vae-train likelihood=g"], "likelihood=gaussian"),
        (["list"], "kl_annealing "),
        (["list", "architecture"], "gated_dense "),
        (["show", "train"], "latent_dim: null"),
        (["validate", "train", "beta=4"], "valid"),
    ],
    ids=" ".join,
)
def test_looking_around_answers_without_tensorflow(
    arguments: list[str], part: str, tmp_path: Path
) -> None:
    done = vae(*arguments, cwd=tmp_path)
    assert (done.status, done.stderr) == (0, "")
    assert part in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["train", "--help"],
        ["train", "--help", "optimizer"],
        ["list", "likelihood"],
        ["_candidates", "vae-train likelihood=g"],
    ],
    ids=" ".join,
)
def test_help_and_completion_start_without_hydra(
    arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "hydra.py").write_text("raise RuntimeError('hydra imported')\n")
    done = vae(*arguments, cwd=tmp_path)
    assert (done.status, done.stderr) == (0, "")


def test_table_of_runs_answers_without_tensorflow(tmp_path: Path) -> None:
    done = vae("runs", cwd=tmp_path)
    assert done == Finished(0, "", "no runs below outputs/\n")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["list"]], ids=" ".join
)
def test_reader_that_has_gone_gives_no_traceback(
    arguments: list[str], tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "vae_cli", *arguments],
            cwd=tmp_path,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writer)
    assert done.stderr == ""
