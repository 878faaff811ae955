"""The Python of outputs/README.md runs as it stands, and as its text says."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import TINY, train_here
from vae_cli.paths import configs_dir

PAGE = configs_dir().parent / "outputs" / "README.md"
DENSE = ("architecture=dense", "architecture.hidden_units=[16]")


@pytest.fixture(scope="module")
def program() -> str:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return block


def executed(program: str, folder: Path, *overrides: str) -> dict[str, Any]:
    train_here(folder / "outputs" / "my-run", *TINY, *DENSE, *overrides)
    names: dict[str, Any] = {}
    exec(program, names)
    return names


def test_python_of_the_readme_runs_as_it_stands(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = executed(program, tmp_path)
    assert names["z"].shape == (16, 2)
    assert names["pixels"].shape == names["images"].shape == (16, 12, 12, 1)


@pytest.mark.parametrize("conditioning", ["label", "observed"])
def test_second_input_is_the_one_that_the_readme_names(
    conditioning: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = [f"conditioning={conditioning}"]
    if conditioning == "observed":
        options += ["conditioning.hidden_units=[8]", "corruption=half"]
        options += ["corruption.loss_on=missing"]
    loading = program.partition("images = ")[0]
    names = executed(loading, tmp_path, *options)
    images = np.zeros((16, 12, 12, 1), np.float32)
    second = (
        np.eye(3, dtype=np.float32)[[0] * 16] if conditioning == "label" else images
    )
    inputs = [images, second] if conditioning == "label" else images
    mean = np.asarray(names["encoder"](inputs)["mean"])
    assert names["decoder"].inputs[1].name == conditioning
    assert names["decoder"]([mean, second]).shape == images.shape
