"""Which options a group has: shipped YAML files, a user's own, and registered classes.

Everything here reads YAML alone, without Hydra, so that help and completion are fast.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from vae_cli.config.commands import COMMANDS, PRESETS
from vae_cli.config.keys import groups_of
from vae_cli.errors import ConfigError, UsageError
from vae_cli.paths import configs_dir
from vae_cli.registry import OPTIONS

CONFIG_DIR = ("--config-dir", "-cd")


def options(group: str, own: Iterable[Path] = ()) -> list[str]:
    """Return the names of a group's options.

    Args:
        group: such as `likelihood`.
        own: folders of a user's own configs, as given by `--config-dir`.
    """
    files = [
        f.stem for folder in _folders(own) for f in (folder / group).glob("*.yaml")
    ]
    return sorted({*files, *OPTIONS.get(group, ())})


def option_file(group: str, name: str, own: Iterable[Path] = ()) -> Path | None:
    """Return the YAML file of an option; None where a registered class is all of it."""
    files = [folder / group / f"{name}.yaml" for folder in _folders(own)]
    return next((file for file in files if file.is_file()), None)


def option_values(group: str, name: str, own: Iterable[Path] = ()) -> dict[str, Any]:
    """Return the values that an option sets, `name` included.

    Those of its YAML file come first, then the defaults of its dataclass.
    """
    file = option_file(group, name, own)
    values = {"name": name, **(_read(file) if file else {})}
    schema = OPTIONS.get(group, {}).get(str(values["name"]))
    for spec in fields(schema) if schema else ():
        values.setdefault(spec.name, default_of(spec))
    return values


def default_of(spec: Field) -> Any:
    """Return the default of a field; `???` where a value must be given."""
    if spec.default is not MISSING:
        return spec.default
    return spec.default_factory() if spec.default_factory is not MISSING else "???"


def summary(group: str, name: str, own: Iterable[Path] = ()) -> str:
    """Return in one line what an option is.

    It is the first sentence of its file's opening comment, command lines left out; or
    else the first line of its docstring.
    """
    file = option_file(group, name, own)
    if file is None:
        return str(OPTIONS[group][name].__doc__).splitlines()[0]
    comment = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith("#"):
            break
        text = line.lstrip("# ").strip()
        if not text.startswith(("@package", "vae")):
            comment.append(text)
    text = " ".join(comment)
    end = re.search(r"(?<!et al)\.(?= |$)", text)
    return text[: end.end()] if end else text


def defaults(command: str) -> dict[str, Any]:
    """Return the values in a command's primary config file.

    Those of another primary file that its defaults list names come first.
    """
    own = _read(configs_dir() / f"{command}.yaml")
    values: dict[str, Any] = {"defaults": []}
    for entry in own.pop("defaults", ()):
        if isinstance(entry, str) and entry in COMMANDS:
            base = defaults(entry)
            values["defaults"] += base.pop("defaults")
            values |= base
        else:
            values["defaults"].append(entry)
    return values | own


def chosen_options(command: str, words: Sequence[str] = ()) -> dict[str, str]:
    """Return the option that each group of a command has.

    Args:
        command: name of the primary config file.
        words: the command line, with overrides such as `likelihood=gaussian`.

    Returns:
        group -> option, by the names that are typed.
    """
    groups = groups_of(COMMANDS[command])
    own = config_dirs(words)
    chosen = _choices(defaults(command))
    typed = dict(word.lstrip("+").split("=", 1) for word in words if "=" in word)
    for preset in PRESETS:
        file = option_file(preset, typed.get(preset, ""), own)
        chosen |= _choices(_read(file)) if file else {}
    chosen |= {group: typed[group] for group in groups if group in typed}
    return {g: chosen[g] for g in groups if isinstance(chosen.get(g), str)}


def base_names(chosen: Mapping[str, str], words: Sequence[str] = ()) -> dict[str, str]:
    """Return the registered name under each chosen option.

    A variant of one's own, such as `gated_dense`, has the base `dense`.
    """
    own = config_dirs(words)
    return {g: str(option_values(g, o, own)["name"]) for g, o in chosen.items()}


def variants(command: str, words: Sequence[str] = ()) -> dict[str, str]:
    """Return the chosen options that a YAML file names otherwise than their class.

    A config says which class an option is, not which file gave its values.
    """
    chosen = chosen_options(command, words)
    bases = base_names(chosen, words)
    return {
        group: option
        for group, option in chosen.items()
        if option != bases[group] and option_file(group, option, config_dirs(words))
    }


def config_dirs(words: Sequence[str]) -> list[Path]:
    """Return the folders that `--config-dir` names in a command line."""
    folders = []
    for word, following in pairwise([*words, ""]):
        flag, _, value = word.partition("=")
        if flag in CONFIG_DIR and (value or following):
            folders.append(Path(value or following))
    return folders


def checked_folder(flag: str, given: str) -> Path:
    """Return the folder that a flag names.

    Raises:
        ConfigError: it doesn't exist.
        UsageError: none was given.
    """
    if not given:
        raise UsageError(f"{flag} takes a folder.", f"{flag} my_configs")
    folder = Path(given).absolute()
    if not folder.is_dir():
        raise ConfigError(f"{flag} {folder} does not exist.")
    return folder


def _folders(own: Iterable[Path]) -> list[Path]:
    # Hydra searches the shipped folder first
    return [configs_dir(), *own]


def _choices(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what a file's defaults list chooses."""
    choices = {}
    for entry in values.get("defaults") or ():
        for group, option in entry.items() if isinstance(entry, Mapping) else ():
            choices[str(group).removeprefix("override ").lstrip("/")] = option
    return choices


def _read(file: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return values if isinstance(values, dict) else {}
