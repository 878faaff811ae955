"""`vae list`, `show`, `validate`, `copy`: look around, without TensorFlow."""

import dataclasses
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vae_cli.config.catalog import (
    CONFIG_DIR,
    checked_folder,
    option_file,
    options,
    summary,
)
from vae_cli.config.commands import COMMANDS, PRESETS
from vae_cli.config.compose import composed
from vae_cli.config.suggest import refuse_unknown_flags
from vae_cli.errors import ConfigError, UsageError, closest
from vae_cli.registry import OPTIONS
from vae_cli.runs.report import writing


def list_command(arguments: list[str]) -> int:
    """Print the config groups, or the options of one with what they are."""
    names, own = _parsed(arguments, "list")
    groups = [*OPTIONS, *PRESETS]
    for group in names:
        if group not in groups:
            raise ConfigError(
                f"{group} is not a config group.",
                _guess(group, groups, "vae list "),
                f"choose one of: {', '.join(groups)}",
            )
    for group in groups if not names else ():
        print(f"{group:<24}{', '.join(options(group, own))}")
    for group in names:
        for option in options(group, own):
            print(f"{option:<24}{summary(group, option, own)}")
    return 0


def show_command(arguments: list[str]) -> int:
    """Print the config that a command would run with, as YAML."""
    import yaml

    print(yaml.safe_dump(_composed(arguments, "show"), sort_keys=False), end="")
    return 0


def validate_command(arguments: list[str]) -> int:
    """Check a command's overrides and say so; nothing runs, no folder is made."""
    _composed(arguments, "validate")
    print("valid")
    return 0


def copy_command(arguments: list[str]) -> int:
    """Copy a shipped option, to be changed and used through --config-dir."""
    words, own = _parsed(arguments, "copy")
    if len(words) != 2:
        raise UsageError(
            "vae copy takes an option and a folder.",
            "vae copy architecture/conv my_configs/architecture",
        )
    option, target = words[0].removesuffix(".yaml"), Path(words[1])
    source = _file_of(option, own)
    destination = target / source.name
    if destination.exists():
        raise ConfigError(
            f"{destination} exists already and is left as it is.",
            "choose another folder, or delete it first",
        )
    with writing(destination):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, destination)
    group = option.split("/")[0]
    print(destination)
    hint = f"rename it, change it, then: vae-train --config-dir {target.parent}"
    if target.name != group:
        hint = f"to be found it must lie in a folder called {group}/; then: vae-train"
        hint += " --config-dir <the folder above>"
    print(f"{hint} {group}=<its name>", file=sys.stderr)
    return 0


def _file_of(option: str, own: Sequence[Path]) -> Path:
    """Return the file of an option that is named `group/name`."""
    files = {
        f"{group}/{name}": option_file(group, name, own)
        for group in (*OPTIONS, *PRESETS)
        for name in options(group, own)
    }
    if option not in files:
        raise ConfigError(
            f"{option} is not an option.",
            _guess(option, list(files), "vae copy "),
            "vae list shows them all",
        )
    file = files[option]
    if file is None:
        raise ConfigError(
            f"{option} is a class without a YAML file: there is nothing to copy.",
            f"its keys: vae-train --help {option.split('/')[0]}",
        )
    return file


def _parsed(arguments: list[str], tool: str) -> tuple[list[str], list[Path]]:
    """Split `--config-dir DIR` off a tool's arguments.

    Raises:
        ConfigError: a folder of configs doesn't exist.
        UsageError: there is no such flag.
    """
    words, own, rest = [], [], iter(arguments)
    for word in rest:
        flag, _, value = word.partition("=")
        if flag in CONFIG_DIR:
            own += [checked_folder(flag, value or next(rest, ""))]
        elif word.startswith("-"):
            raise UsageError(
                f"{word} is not a flag of vae {tool}.", f"vae {tool} --help"
            )
        else:
            words.append(word)
    return words, own


def _composed(arguments: list[str], tool: str) -> dict[str, Any]:
    command = arguments[0].replace("-", "_") if arguments else ""
    if command not in COMMANDS:
        names = [name.replace("_", "-") for name in COMMANDS]
        raise UsageError(
            f"vae {tool} takes a command: {', '.join(names)}.",
            f"vae {tool} train latent_dim=8",
        )
    refuse_unknown_flags(command, arguments[1:])
    return dataclasses.asdict(composed(command, arguments[1:]))


def _guess(name: str, known: list[str], prefix: str) -> str:
    guess = closest(name, known)
    return f"did you mean {prefix}{guess}?" if guess else "nothing is called like that"
