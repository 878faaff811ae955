"""Compose a command's config with Hydra; say in our words what went wrong.

Hydra's own advice for an unknown key (add a `+`) leads to one that nothing reads.
"""

import re
from pathlib import Path
from typing import Any

from vae_cli.config.load import load, refused_key
from vae_cli.config.store import COMMANDS
from vae_cli.errors import ConfigError, UsageError, VaeCliError
from vae_cli.paths import configs_dir


def composed(command: str, arguments: list[str]) -> Any:
    """Compose and check a command's config without running it.

    Args:
        command: name of the primary config file.
        arguments: overrides, and --config-dir.

    Raises:
        ConfigError: an override is wrong.
        UsageError: a flag is wrong.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import CompactHydraException

    overrides, extra = _config_dir(arguments)
    with initialize_config_dir(str(configs_dir()), version_base="1.3"):
        try:
            values = compose(command, overrides=[*overrides, *extra])
        except CompactHydraException as error:
            raise translated(error, command) from error
    return checked(command, values)


def checked(command: str, values: Any) -> Any:
    """Turn what Hydra composed into the command's dataclass."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        plain = OmegaConf.to_container(values, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(str(error).splitlines()[0]) from error
    return load(COMMANDS[command], plain)  # type: ignore[arg-type]


def translated(error: Exception, command: str) -> VaeCliError:
    """Say in our words what Hydra could not compose."""
    from hydra.errors import MissingConfigException, OverrideParseException

    text = str(error).strip()
    if isinstance(error, OverrideParseException):
        first = text.splitlines()[0]
        return ConfigError(
            f"{error.override} is not a valid override: {first}",
            "write key=value; quote values with spaces or commas: 'key=\"a, b\"'",
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing_option(error.missing_cfg_file, list(error.options or []))
    unknown = re.match(r"Could not override '([^']+)'", text)
    if unknown:
        return ConfigError(
            refused_key(unknown[1], COMMANDS[command]),
            f"every key: vae-{command.replace('_', '-')} --help",
        )
    group = re.match(r"Could not override '([^']+)'\.\nNo match", text) or re.search(
        r"override '?([\w/]+)@?'?", text
    )
    if group and "No match in the defaults list" in text:
        return ConfigError(refused_key(group[1], COMMANDS[command]))
    return ConfigError(text.splitlines()[0], *text.splitlines()[1:3])


def _missing_option(file: str, options: list[str]) -> VaeCliError:
    group, _, name = file.rpartition("/")
    if not group:
        return UsageError(f"config {file} does not exist in {configs_dir()}.")
    return ConfigError(
        f"{group}={name} is not available.",
        f"choose one of: {', '.join(options)}",
        f"to add your own: vae copy {group}/{options[0] if options else name} "
        f"my_configs/{group}, then --config-dir my_configs",
    )


def _config_dir(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Split `--config-dir X` off the overrides."""
    overrides, extra, rest = [], [], iter(arguments)
    for word in rest:
        name, _, value = word.partition("=")
        if name in ("--config-dir", "-cd"):
            folder = Path(value or next(rest, "")).absolute()
            if not folder.is_dir():
                raise ConfigError(f"--config-dir {folder} does not exist.")
            extra.append(f"hydra.searchpath=[file://{folder}]")
        elif word.startswith("-"):
            raise UsageError(f"{word} is not an option here; give key=value overrides.")
        else:
            overrides.append(word)
    return overrides, extra
