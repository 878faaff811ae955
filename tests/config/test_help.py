import itertools
import shlex
from typing import Any

import pytest
import yaml

from vae_cli.config.catalog import chosen_options, defaults, option_values, options
from vae_cli.config.commands import COMMANDS, PRESETS
from vae_cli.config.compose import composed
from vae_cli.config.examples import EXAMPLES
from vae_cli.config.help import command_help
from vae_cli.config.keys import groups_of, option_keys, plain_keys
from vae_cli.errors import ConfigError
from vae_cli.registry import OPTIONS as GROUPS

OPTIONS = [(group, name) for group in GROUPS for name in GROUPS[group]]
TYPED = [(name, typed) for name in COMMANDS for typed, _ in EXAMPLES[name]]


def words(command: str, *arguments: str) -> str:
    """The help as one line, so that wrapped text is found."""
    return " ".join(command_help(command, arguments).split())


def lines_of(command: str, key: str, *arguments: str) -> list[str]:
    """The help lines that a key opens, what it means left out."""
    return [
        line.split()[0]
        for line in command_help(command, arguments).splitlines()
        if line[:2] == "  " and line[:5].strip()
        if line.split()[0].split("=")[0] == key
    ]


def default_of(command: str, key: str) -> Any:
    """The value of a plain key in a command's primary config file."""
    value: Any = defaults(command)
    for part in key.split("."):
        value = value[part]
    return value


@pytest.mark.parametrize("command", COMMANDS)
def test_help_opens_with_examples(command: str) -> None:
    text = command_help(command)
    shown = text[text.index("\nExamples\n") : text.index("\nKeys ")]
    name = f"vae-{command.replace('_', '-')}"
    assert shown.count(f"\n  {name}") == len(EXAMPLES[command]) >= 3


@pytest.mark.parametrize(("command", "typed"), TYPED)
def test_brackets_of_an_example_are_quoted_for_zsh(command: str, typed: str) -> None:
    assert "[" not in typed or "'" in typed[: typed.index("[")]


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
    text = words("train")
    shown = text[text.index(f" {group}=") :]
    others = [o for o in options(group) if o != chosen_options("train").get(group)]
    assert ", ".join(others) in shown


def test_help_shows_the_active_option_with_its_values_and_the_others_by_name() -> None:
    text = words("train")
    assert "optimizer=adam or adamax, adamw optimizer.learning_rate=0.001 peak" in text
    assert " optimizer.weight_decay" not in text
    assert lines_of("train", "architecture.filters") == ["architecture.filters"]


def test_an_override_beside_help_chooses_what_is_active() -> None:
    text = words("train", "--help", "optimizer=adamw", "experiment=gated_vae")
    assert "optimizer=adamw or adam, adamax" in text
    assert "optimizer.weight_decay=0.004" in text
    assert "architecture=gated_dense or conv" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_no_key_twice(command: str) -> None:
    text = command_help(command)
    text = text[text.index("\nKeys ") : text.index("\nFlags: ")]
    keys = [
        line.split()[0].split("=")[0]
        for line in text.splitlines()
        if line[:2] == "  " and line.strip() and not line.startswith(" " * 10)
    ]
    assert len(keys) == len(set(keys)) >= 3


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_every_key_with_its_meaning_and_default(command: str) -> None:
    text = words(command)
    for key, (spec, _) in plain_keys(COMMANDS[command]).items():
        (shown,) = lines_of(command, key)
        assert spec.metadata["doc"] in text
        default = default_of(command, key)
        if default is None:
            assert shown == key
        else:
            assert yaml.safe_load(shown.split("=", 1)[1]) == default


@pytest.mark.parametrize(("group", "name"), OPTIONS)
def test_help_of_a_group_shows_every_key_of_every_option(group: str, name: str) -> None:
    text = words("train", "--help", group)
    assert f" {group}={name} " in text
    values = option_values(group, name)
    for key, (spec, _) in option_keys(group, name).items():
        assert spec.metadata["doc"] in text
        value = values.get(spec.name)
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        wanted = key if value is None else f"{key}={shown.replace(', ', ',')}"
        assert wanted in lines_of("train", key, "--help", group)


@pytest.mark.parametrize("group", [*GROUPS, *PRESETS])
def test_help_of_a_group_has_every_option(group: str) -> None:
    text = words("train", "--help", group)
    assert all(f" {group}={option} " in text for option in options(group))


def test_help_of_a_group_marks_what_is_active_and_says_types() -> None:
    text = words("train", "--help", "likelihood")
    assert "likelihood=bernoulli * Independent Bernoulli pixels." in text
    assert text.endswith("* likelihood=bernoulli is active")
    assert "of [0, 1]; the initial one if learned (number at least 0.001)" in text
    assert "learn the standard deviation with the weights (true or false)" in text


def test_help_of_a_group_says_what_all_options_share_once() -> None:
    text = words("train", "--help", "optimizer")
    assert text.count("optimizer.learning_rate=0.001") == 1
    assert text.index("Every option has") < text.index("optimizer.learning_rate=")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("epochs", "epochs=30 passes over the training images (integer at least 1 and"),
        ("precision", "(float32 | mixed_bfloat16 | mixed_float16)"),
        ("early_stopping.patience", "(integer at least 1; or null)"),
        ("optimizer.weight_decay", "optimizer=adamw optimizer.weight_decay=0.004 per"),
        ("optimizer.epsilon", "optimizer=adam optimizer=adamax optimizer=adamw opt"),
        ("architecture.hidden_units=", "(list of integers, each at least 1"),
    ],
)
def test_help_of_a_key_shows_its_type_and_default(key: str, text: str) -> None:
    assert text in words("train", "--help", key)


def test_help_of_what_does_not_exist_is_refused_with_the_closest_key() -> None:
    with pytest.raises(ConfigError, match=r"did you mean optimizer\.learning_rate\?"):
        command_help("train", ["--help", "lr"])


@pytest.mark.parametrize(
    ("command", "key", "choices"),
    [
        ("train", "architecture.normalization", "(none, batch, layer)"),
        ("generate", "checkpoint", "(best, last)"),
        ("generate", "mode", "(prior, manifold, traversal, levels, interpolation)"),
        ("plot_latent", "split", "(train, validation, test)"),
        ("evaluate", "split", "(train, validation, test)"),
        ("evaluate", "checkpoint", "(best, last)"),
    ],
)
def test_help_lists_the_choices_of_a_key(command: str, key: str, choices: str) -> None:
    text = words(command)
    keys = text[text.index(" Keys ") :]
    assert choices in keys[keys.index(f" {key}") :][:160]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_terminal_of_80_columns(command: str) -> None:
    asked = [(), *(("--help", group) for group in groups_of(COMMANDS[command]))]
    for arguments in asked:
        text = command_help(command, arguments)
        assert max(len(line) for line in text.splitlines()) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_flags_and_exit_status(command: str) -> None:
    text = command_help(command)
    flags = text[text.index("\nFlags: ") :]
    assert all(flag in flags for flag in ("--help", "--cfg job", "--config-dir"))
    assert text.splitlines()[-1] == (
        "Exit status: 0 done, 1 failed or refused, 2 wrong usage, 130 interrupted."
    )
