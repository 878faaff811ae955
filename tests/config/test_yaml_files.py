import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers import sized
from vae_cli.config.catalog import defaults
from vae_cli.config.commands import COMMANDS, PRESETS
from vae_cli.config.compose import composed
from vae_cli.paths import configs_dir
from vae_cli.registry import OPTIONS as GROUPS

FILES = sorted(configs_dir().rglob("*.yaml"))
OPTIONS = [
    (group, file) for group in GROUPS for file in configs_dir().glob(f"{group}/*.yaml")
]
PRESET_FILES = [
    file for group in PRESETS for file in configs_dir().glob(f"{group}/*.yaml")
]
NEEDED = {
    "dataset=npz": ["dataset.path=images.npz"],
    "dataset=npy": ["dataset.path=images.npy"],
    "dataset=hdf5": ["dataset.path=images.h5"],
    "dataset=folder": ["dataset.path=pictures"],
    "dataset=huggingface": ["dataset.path=ylecun/mnist"],
    "dataset=tfds": ["dataset.path=mnist"],
    "conditioning=observed": ["corruption=box"],
    "hierarchy=ladder": ["architecture=residual_conv"],
    "experiment=digits": ["dataset.path=digits.npz"],
    "experiment=emoji": ["dataset.path=emoji"],
    "experiment=faces": ["dataset.path=faces"],
}
"""What an option leaves open for the user to fill in."""


def short(value: object) -> str:
    """A file's path below configs/, as a test id."""
    if isinstance(value, Path):
        return str(value.relative_to(configs_dir()).with_suffix(""))
    return ""


def comment(file: Path) -> str:
    """The comment that a file opens with."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return "\n".join(line for line in lines if not line.startswith("@package"))


def plain(*overrides: str) -> dict[str, Any]:
    """What `vae-train` with these overrides would run with."""
    return dataclasses.asdict(composed("train", list(overrides)))


def test_configs_are_yaml_files_and_pages_about_them() -> None:
    others = {path for path in configs_dir().rglob("*") if path.is_file()} - {*FILES}
    assert {path.name for path in others} == {"README.md"}


@pytest.mark.parametrize("file", FILES, ids=short)
def test_file_opens_with_a_comment(file: Path) -> None:
    assert len(comment(file).split()) >= 2


@pytest.mark.parametrize("file", FILES, ids=short)
def test_file_names_no_code(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "_target_" not in text
    assert "!!python" not in text


@pytest.mark.parametrize("file", FILES, ids=short)
def test_file_name_stays_text_on_the_command_line(file: Path) -> None:
    assert yaml.safe_load(file.stem) == file.stem


@pytest.mark.parametrize("command", COMMANDS)
def test_primary_file_shows_its_own_command(command: str) -> None:
    first = comment(configs_dir() / f"{command}.yaml").splitlines()[0]
    name, *overrides = first.split()
    assert name == f"vae-{command.replace('_', '-')}"
    composed(command, overrides)


@pytest.mark.parametrize("command", COMMANDS)
def test_primary_file_and_its_dataclass_have_the_same_keys(command: str) -> None:
    values = defaults(command)
    groups = {
        group
        for entry in values["defaults"]
        if isinstance(entry, dict)
        for group in entry
        if group in GROUPS
    }
    keys = set(values) - {"defaults", "hydra"}
    assert keys | groups == {f.name for f in dataclasses.fields(COMMANDS[command])}


def test_folders_are_the_groups_and_presets() -> None:
    folders = {path.name for path in configs_dir().iterdir() if path.is_dir()}
    assert folders == {*GROUPS, *PRESETS}


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_that_code_knows_has_its_file(group: str) -> None:
    names = {file.stem for file in configs_dir().glob(f"{group}/*.yaml")}
    assert names >= set(GROUPS[group])


@pytest.mark.parametrize(("group", "file"), OPTIONS, ids=short)
def test_option_and_its_dataclass_have_the_same_keys(group: str, file: Path) -> None:
    values = yaml.safe_load(file.read_text())
    schema = GROUPS[group][values["name"]]
    assert set(values) == {f.name for f in dataclasses.fields(schema)}


@pytest.mark.parametrize(("group", "file"), OPTIONS, ids=short)
def test_option_composes_with_train_into_its_dataclass(group: str, file: Path) -> None:
    choice = f"{group}={file.stem}"
    part = getattr(composed("train", [choice, *NEEDED.get(choice, [])]), group)
    assert type(part) is GROUPS[group][part.name]
    written = yaml.safe_load(file.read_text())
    kept = {key: value for key, value in written.items() if value != "???"}
    assert dataclasses.asdict(part).items() >= kept.items()


@pytest.mark.parametrize("file", PRESET_FILES, ids=short)
def test_preset_overrides_the_whole_config(file: Path) -> None:
    assert file.read_text().startswith("# @package _global_\n")


@pytest.mark.parametrize("file", PRESET_FILES, ids=short)
def test_preset_opens_with_its_own_command(file: Path) -> None:
    command = f"vae-train (-m )?{file.parent.name}={file.stem}( |$)"
    assert any(re.match(command, line) for line in comment(file).splitlines())


@pytest.mark.parametrize("file", PRESET_FILES, ids=short)
def test_preset_changes_the_resolved_config(file: Path) -> None:
    chosen = f"{file.parent.name}={file.stem}"
    assert plain(chosen, *NEEDED.get(chosen, [])) != plain()


def test_guide_is_what_is_chosen_for_mnist_by_another_name() -> None:
    chosen = dataclasses.asdict(sized())
    assert plain("experiment=keras_guide") == {**chosen, "name": "keras_guide"}


def test_command_line_wins_over_an_experiment() -> None:
    config = composed("train", ["experiment=beta_vae", "beta=7", "latent_dim=3"])
    assert (config.beta, config.latent_dim, config.epochs) == (7.0, 3, 10)


def test_debug_wins_over_an_experiment() -> None:
    both = composed("train", ["experiment=dense", "debug=fast"])
    assert (both.epochs, both.latent_dim) == (1, 20)
