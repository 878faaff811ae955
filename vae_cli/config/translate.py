"""Say in our words what Hydra could not compose.

Hydra's own advice for an unknown key (add a `+`) leads to one that nothing reads.
"""

import contextlib
import re
from collections.abc import Iterator

from vae_cli.config.catalog import config_dirs, options
from vae_cli.config.commands import COMMANDS, PRESETS
from vae_cli.config.keys import groups_of
from vae_cli.config.suggest import active_names, refused_key, unknown_option
from vae_cli.errors import ConfigError, UsageError, VaeCliError
from vae_cli.paths import configs_dir
from vae_cli.registry import OPTIONS

PLUGINS = {
    "hydra/launcher/submitit_local": "'vae-cli[launchers]'",
    "hydra/launcher/submitit_slurm": "'vae-cli[launchers]'",
    "hydra/launcher/joblib": "'vae-cli[launchers]'",
    "hydra/launcher/ray": "hydra-ray-launcher",
    "hydra/launcher/ray_aws": "hydra-ray-launcher",
    "hydra/launcher/rq": "hydra-rq-launcher",
    "hydra/sweeper/ax": "hydra-ax-sweeper",
    "hydra/sweeper/nevergrad": "hydra-nevergrad-sweeper",
}
"""Launcher or sweeper of Hydra -> what to install for it."""


@contextlib.contextmanager
def translated_errors(command: str, words: list[str]) -> Iterator[None]:
    """Translate what Hydra and OmegaConf raise inside the block.

    Args:
        command: name of the primary config file.
        words: the command line, for errors that don't name the override.

    Raises:
        ConfigError: an override is refused.
        UsageError: something is no override.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise _translated(error, command, words) from error
    except (ValueError, TypeError) as error:
        if not _from_hydra(error):
            raise
        raise (
            _wrong_choice(words) or _too_long(words) or ConfigError(str(error))
        ) from error


def _translated(error: Exception, command: str, words: list[str]) -> VaeCliError:
    from hydra.errors import MissingConfigException, OverrideParseException

    text = str(error).strip()
    first = text.splitlines()[0] if text else type(error).__name__
    if isinstance(error, OverrideParseException):
        return UsageError(
            f"{error.override} is not a valid override: {first}",
            "write key=value; quote a value with commas, = or accents: 'key=\"a, b\"'",
        )
    if isinstance(error, MissingConfigException):
        file = re.search(r"Could not (?:find|load) '([^']+)'", text)
        if file:
            return _missing_option(file[1], words)
    unknown = re.match(r"Could not override '([^']+)'", text)
    if unknown:
        group = unknown[1].partition(".")[0]
        about = f" {group}" if group in groups_of(COMMANDS[command]) else ""
        return ConfigError(
            refused_key(unknown[1], COMMANDS[command], active_names(command, words)),
            f"every key: vae-{command.replace('_', '-')} --help{about}",
        )
    twice = re.search(r"remove \+ prefix: '([^']+)'", text) or re.search(
        r"Multiple values for .* use 'override ([^']+)'", text
    )
    if twice:
        override = twice[1].replace(": ", "=")
        key = override.partition("=")[0]
        return ConfigError(f"{key} is already a key; write {override}, without +.")
    many = re.match(r"Ambiguous value for argument '([^']+)'", text)
    if many:
        key, _, values = many[1].partition("=")
        advice = [f"if {key} takes a list: '{key}=[{values}]'"]
        if command == "train":
            advice.insert(0, f"to train one run for each: vae-train -m {many[1]}")
        return ConfigError(f"{many[1]} has several values.", *advice)
    key = getattr(error, "full_key", None)
    return ConfigError(f"{key}: {first}" if key else first)


def _missing_option(file: str, words: list[str]) -> VaeCliError:
    group, _, name = file.rpartition("/")
    if not group:
        return ConfigError(f"config {file} does not exist in {configs_dir()}.")
    if file in PLUGINS:
        return ConfigError(
            f"{group}={name} is not installed.",
            f"install it: pip install {PLUGINS[file]}",
        )
    if group in (*OPTIONS, *PRESETS):
        return unknown_option(group, name, words)
    return ConfigError(f"{group}={name} is not available.")


def _wrong_choice(words: list[str]) -> VaeCliError | None:
    """Find the group override whose value is no option's name."""
    own = config_dirs(words)
    for word in words:
        group, equals, value = word.partition("=")
        ours = equals and group in (*OPTIONS, *PRESETS)
        if ours and value not in options(group, own):
            return unknown_option(group, value, words)
    return None


def _too_long(words: list[str]) -> VaeCliError | None:
    """Find the number that has more digits than Python reads."""
    for word in words:
        key, _, value = word.partition("=")
        if re.search(r"\d{4300}", value):
            return ConfigError(f"{key}={value[:20]}... has {len(value):,} digits.")
    return None


def _from_hydra(error: Exception) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "") if trace else ""
    return str(module).split(".")[0] in ("hydra", "omegaconf")
