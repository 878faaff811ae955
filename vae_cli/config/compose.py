"""Compose a command's config without running it, and check what was composed."""

from pathlib import Path
from typing import Any

from vae_cli.config.load import load
from vae_cli.config.store import COMMANDS
from vae_cli.config.translate import in_our_words
from vae_cli.errors import ConfigError, UsageError
from vae_cli.paths import configs_dir

FROM_FILE = "dataset=npz"
"""The one data set that has a `dataset.path`."""


def quoted(arguments: list[str]) -> list[str]:
    """Quote folders that Hydra would read as sweeps (`,`) or keys (`=`).

    Where a run is resumed, `dataset.path=` is of the run's data set, which is a file.
    """
    return [*map(_quoted, arguments), *_for_moved_data(arguments)]


def _for_moved_data(words: list[str]) -> list[str]:
    """Return what lets `dataset.path=` stand beside `resume=`."""
    keys = {word.partition("=")[0] for word in words}
    moved = {"resume", "dataset.path"} <= keys and "dataset" not in keys
    return [FROM_FILE] if moved else []


def _quoted(word: str) -> str:
    key, _, value = word.partition("=")
    # bytes that are no UTF-8 come as surrogates, which Hydra doesn't read unquoted
    special = {",", "="} & set(value) or not value.isprintable()
    plain = special and not value.startswith(("'", '"', "[", "$"))
    return (
        f"{key}='{value}'"
        if plain and key in ("run", "resume", "run_dir", "dataset.path")
        else word
    )


def composed(command: str, arguments: list[str]) -> Any:
    """Compose and check a command's config without running it.

    Args:
        command: name of the primary config file.
        arguments: overrides, and --config-dir.

    Raises:
        ConfigError: an override is wrong.
        UsageError: a flag is wrong, or something is no override.
    """
    from hydra import compose, initialize_config_dir

    overrides, extra = _parsed(arguments)
    overrides += _for_moved_data(overrides)
    with (
        in_our_words(command, overrides),
        initialize_config_dir(str(configs_dir()), version_base="1.3"),
    ):
        values = compose(command, overrides=[*overrides, *extra])
    return checked(command, values)


def checked(command: str, values: Any) -> Any:
    """Turn what Hydra composed into the command's dataclass.

    Raises:
        ConfigError: unknown keys, wrong types, values out of range; all at once.
    """
    from omegaconf import OmegaConf

    with in_our_words(command, []):
        plain = OmegaConf.to_container(values, resolve=True)
    return load(COMMANDS[command], plain)  # type: ignore[arg-type]


def overrides_of(arguments: list[str]) -> list[str]:
    """Return the overrides among a command's arguments.

    Raises:
        ConfigError: a folder of configs doesn't exist.
        UsageError: a flag is wrong.
    """
    return _parsed(arguments)[0]


def _parsed(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Split `--config-dir X` off the overrides."""
    overrides, extra, rest = [], [], iter(arguments)
    for word in rest:
        name, _, value = word.partition("=")
        if name in ("--config-dir", "-cd"):
            given = value or next(rest, "")
            if not given:
                raise UsageError("--config-dir takes a folder.", f"{name} my_configs")
            folder = Path(given).absolute()
            if not folder.is_dir():
                raise ConfigError(f"--config-dir {folder} does not exist.")
            extra.append(f"hydra.searchpath=[file://{folder}]")
        elif word.startswith("-"):
            raise UsageError(f"{word} is not an option here; give key=value overrides.")
        else:
            overrides.append(_quoted(word))
    return overrides, extra
