"""0 done, 1 failed or refused, 2 wrong usage, 130 interrupted: for every command."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Finished

Command = Callable[..., Finished]

DONE = (
    "list", "list likelihood", "show train beta=4", "validate train beta=4", "runs",
    "runs .", "copy likelihood/gaussian mine", "train --help", "list --help",
    "--version", "generate --version",
)  # fmt: skip
REFUSED = (
    # a group, an option, a key, a value, a file or a run that is missing or refused
    "list nope", "copy likelihood/nope mine", "copy likelihood/gaussian file/mine",
    "runs nowhere", "runs file", "show train nope=1", "show train beta=-1",
    "validate train beta=x", "validate train likelihood=nope", "train nope=1",
    "train beta=-1", "train beta=x", "train likelihood=nope", "train latent_dim=2,3",
    "train +epochs=3", "train dataset=npz", "train dataset=npz dataset.path=nowhere",
    "train resume=nowhere", "train resume=latest", "train -m beta=1,x",
    "validate train --config-dir nowhere",
    "generate run=nowhere", "generate", "evaluate run=,", "evaluate run=nowhere,file",
    "plot-latent", "reconstruct", "anomaly run=nowhere",
    "launch --workers 2 train resume=nowhere",
)  # fmt: skip
WRONG_USAGE = (
    # words that make no request, or never stand together
    "nope", "copy", "copy likelihood/gaussian", "runs a b", "show", "show nope",
    "validate", "validate nope", "validate train --nope", "validate train --config-dir",
    "train --nope", "train --config-name nope", "train beta",
    "train resume=latest beta=3",
    "generate -m run=a,b", "launch", "launch train", "launch --workers x train a=b",
    "launch --workers 2 train -m beta=1,2",
    "launch --workers 2 train distribution=mirrored",
)  # fmt: skip


@pytest.mark.parametrize(
    ("words", "status"),
    [
        *((words, 0) for words in DONE),
        *((words, 1) for words in REFUSED),
        *((words, 2) for words in WRONG_USAGE),
    ],
)
def test_every_command_ends_with_the_documented_status(
    words: str,
    status: int,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    done = command(*words.split())
    assert done.status == status, done.stderr
    assert bool(done.stdout) == (status == 0 and words != "runs" and words != "runs .")
    assert "Traceback" not in done.stderr
