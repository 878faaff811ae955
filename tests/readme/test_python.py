"""The Python of the pages runs as it stands, and as their text says."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import TINY, train_here, vae
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


def block(page: str, start: str) -> str:
    """The Python block of a page that begins with a line."""
    blocks = re.findall(r"```python\n(.*?)```", Path(page).read_text(), re.DOTALL)
    return next(text for text in blocks if text.startswith(start))


@pytest.mark.slow
def test_interface_of_the_readme_works(tmp_path: Path) -> None:
    code = block("README.md", "import vae_cli as vae")
    few = '"dataset.max_images_per_split=200", "dataset.validation_size=200"'
    code = code.replace('"experiment=quickstart"', f'"experiment=quickstart", {few}')
    code += "assert posterior.mean.shape == (100, 10)\nprint(report.neg_elbo)\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0


@pytest.mark.slow
def test_plugin_of_the_readme_trains(tmp_path: Path) -> None:
    code = block("vae_cli/README.md", "# my_likelihood.py")
    (tmp_path / "my_likelihood.py").write_text(code)
    words = ("--plugin", "my_likelihood.py", "likelihood=laplace", *TINY)
    done = vae("train", *words, "architecture=dense", "run_dir=run", cwd=tmp_path)
    assert done.status == 0, done.stderr
