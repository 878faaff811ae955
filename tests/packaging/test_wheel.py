import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.packaging]


def pip(*arguments: str) -> None:
    """Run pip; its output is the message when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    isolation = (
        ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    )
    pip("wheel", "--no-deps", *isolation, "--wheel-dir", str(folder), str(ROOT))
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the package and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


def python(installed: Path, cwd: Path, *arguments: str) -> str:
    """Run Python on the installed package, from an empty folder; returns stdout."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_carries_every_config_inside_the_package(names: set[str]) -> None:
    files = {
        f"vae_cli/{file.relative_to(ROOT)}" for file in ROOT.glob("configs/**/*.yaml")
    }
    assert files
    assert {name for name in names if name.endswith(".yaml")} == files


def test_wheel_carries_every_module(names: set[str]) -> None:
    files = {str(file.relative_to(ROOT)) for file in ROOT.glob("vae_cli/**/*.py")}
    assert {name for name in names if name.endswith(".py")} == files


@pytest.mark.parametrize("file", ["mnist.npz", "README.md"])
def test_wheel_carries_the_data_and_its_source(file: str, names: set[str]) -> None:
    assert f"vae_cli/data/files/{file}" in names


def test_wheel_takes_no_other_top_level_name(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"vae_cli"}


def test_wheel_carries_the_licence(names: set[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_installed_package_is_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    printed = python(
        installed, tmp_path, "-c", "import vae_cli; print(vae_cli.__file__)"
    )
    assert Path(printed.strip()) == installed / "vae_cli" / "__init__.py"


def test_installed_package_lists_its_options(installed: Path, tmp_path: Path) -> None:
    lines = python(installed, tmp_path, "-m", "vae_cli", "list").splitlines()
    assert "architecture            conv, dense, gated_dense, residual_conv" in lines


def test_installed_package_composes_its_config(installed: Path, tmp_path: Path) -> None:
    text = python(
        installed, tmp_path, "-m", "vae_cli", "show", "train", "kl_annealing=linear"
    )
    shown = yaml.safe_load(text)
    assert (shown["epochs"], shown["kl_annealing"]["duration"]) == (30, 10.0)


def test_configs_of_another_project_beside_it_are_not_taken(
    installed: Path, tmp_path: Path
) -> None:
    other = installed / "configs"
    other.mkdir()
    (other / "train.yaml").write_text("# not ours\nlatent_dim: 99\n")
    code = "from vae_cli.paths import configs_dir; print(configs_dir())"
    printed = python(installed, tmp_path, "-c", code)
    assert Path(printed.strip()) == installed / "vae_cli" / "configs"
