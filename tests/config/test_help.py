import itertools
import re
import shlex
import typing
from dataclasses import fields

import pytest
import yaml

from vae_cli.config.commands import COMMANDS, PRESETS
from vae_cli.config.compose import composed
from vae_cli.config.help import EXAMPLES, command_help, options, summary
from vae_cli.config.load import is_group, is_section
from vae_cli.paths import configs_dir
from vae_cli.registry import OPTIONS as GROUPS

OPTIONS = [(group, name) for group in GROUPS for name in GROUPS[group]]
TYPED = [(name, typed) for name in COMMANDS for typed, _ in EXAMPLES[name]]


def words(command: str) -> str:
    """The help as one line, so that wrapped text is found."""
    return " ".join(command_help(command).split())


def line_of(command: str, key: str) -> str:
    """The help line that a key opens."""
    return next(
        line
        for line in command_help(command).splitlines()
        if line.startswith("  ") and line.split()[0].split("=")[0] == key
    )


def plain_keys(command: str) -> dict[str, tuple[str, object]]:
    """The keys of a command that are no groups: what they mean, and their defaults."""
    hints = typing.get_type_hints(COMMANDS[command])
    values = yaml.safe_load((configs_dir() / f"{command}.yaml").read_text())
    found = {}
    for spec in fields(COMMANDS[command]):
        inner = [spec]
        if is_section(hints[spec.name]):
            inner = [*fields(hints[spec.name])]
        if is_group(hints[spec.name]):
            continue
        for field in inner:
            nested = field is not spec
            key = f"{spec.name}.{field.name}" if nested else spec.name
            value = values[spec.name]
            value = value[field.name] if nested else value
            found[key] = (field.metadata["doc"], value)
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_help_opens_with_examples(command: str) -> None:
    text = command_help(command)
    shown = text[text.index("\nExamples\n") : text.index("\nKeys ")]
    name = f"vae-{command.replace('_', '-')}"
    assert shown.count(f"\n  {name}") == len(EXAMPLES[command]) >= 3


@pytest.mark.parametrize(("command", "typed"), TYPED)
def test_every_example_is_a_valid_command(command: str, typed: str) -> None:
    name, *arguments = shlex.split(typed)
    assert name == f"vae-{command.replace('_', '-')}"
    overrides = [w for w in arguments if w not in ("-m", "--cfg", "job")]
    if "-m" not in arguments:
        composed(command, overrides)
        return
    swept = [
        [f"{key}={value}" for value in values.split(",")]
        for key, values in (word.split("=") for word in overrides)
    ]
    for job in itertools.product(*swept):
        composed(command, list(job))


@pytest.mark.parametrize("group", [*GROUPS, *PRESETS])
def test_train_help_lists_every_option_of_every_group(group: str) -> None:
    files = sorted(file.stem for file in (configs_dir() / group).glob("*.yaml"))
    assert line_of("train", group).split("=", 1)[1].split() == (
        ", ".join(files).split()
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_every_key_and_its_meaning(command: str) -> None:
    text = words(command)
    for key, (doc, _) in plain_keys(command).items():
        assert line_of(command, key)
        assert doc in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_the_default_of_every_key(command: str) -> None:
    for key, (_, default) in plain_keys(command).items():
        shown = line_of(command, key).split("  ")[1]
        if default is None:
            assert shown == key
        else:
            assert yaml.safe_load(shown.split("=", 1)[1]) == default


@pytest.mark.parametrize(("group", "name"), OPTIONS)
def test_train_help_tells_every_key_of_an_option_and_its_meaning(
    group: str, name: str
) -> None:
    text = words("train")
    for spec in fields(GROUPS[group][name]):
        if spec.name != "name":
            assert line_of("train", f"{group}.{spec.name}")
            assert spec.metadata["doc"] in text


@pytest.mark.parametrize(
    ("command", "key", "choices"),
    [
        ("train", "architecture.normalization", "(none, batch, layer)"),
        ("train", "kl_annealing.unit", "(epochs, steps)"),
        ("generate", "checkpoint", "(best, last)"),
        ("generate", "mode", "(prior, manifold, traversal, interpolation)"),
        ("plot_latent", "split", "(train, validation, test)"),
        ("evaluate", "split", "(train, validation, test)"),
        ("evaluate", "checkpoint", "(best, last)"),
    ],
)
def test_help_lists_the_choices_of_a_key(command: str, key: str, choices: str) -> None:
    text = words(command)
    keys = text[text.index(" Keys ") :]
    assert choices in keys[keys.index(f" {key}") :][:160]


def test_help_says_which_options_have_a_key() -> None:
    assert " dataset.path npz: the .npz file" in words("train")
    assert " architecture.filters conv: filters of each encoder" in words("train")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_terminal(command: str) -> None:
    text = command_help(command)
    keys = text[text.index("\nKeys ") :]
    assert max(len(line) for line in keys.splitlines()) <= 88


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_flags_and_exit_status(command: str) -> None:
    *_, flags, status = command_help(command).splitlines()
    assert all(flag in flags for flag in ("-m", "--cfg job", "--config-dir"))
    assert status == (
        "Exit status: 0 done, 1 failed or refused, 2 wrong usage, 130 interrupted."
    )


def test_options_are_the_files_of_a_group() -> None:
    assert options("architecture") == ["conv", "dense", "gated_dense", "residual_conv"]


def test_summary_is_the_opening_comment_in_one_line() -> None:
    file = configs_dir() / "likelihood" / "bernoulli.yaml"
    assert summary(file) == (
        "Pixels are coin flips. A likelihood for binary pixels "
        "(dataset.binarize=...); on grey ones it is a cross-entropy, and is labelled "
        "so."
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_summary_of_a_preset_leaves_its_package_line_out(preset: str) -> None:
    for file in (configs_dir() / preset).glob("*.yaml"):
        assert re.match(f"vae-train (-m )?{preset}={file.stem} ", summary(file))
