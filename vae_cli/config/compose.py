"""Compose a command's config without running it, and check what was composed."""

import contextlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from numbers import Real
from pathlib import PurePath
from typing import Any

from vae_cli.config.catalog import (
    CONFIG_DIR,
    checked_folder,
    default_of,
    defaults,
    option_file,
)
from vae_cli.config.commands import COMMANDS
from vae_cli.config.load import load
from vae_cli.config.sweep import OPTUNA
from vae_cli.config.translate import translated_errors
from vae_cli.errors import ConfigError, UsageError, closest
from vae_cli.paths import configs_dir
from vae_cli.plugins import load_plugins
from vae_cli.registry import OPTIONS

FROM_FILE = "dataset=npz"
"""A data set that has a `dataset.path`, which is all that is read of it."""
OF_RUN = {"train": "resume", "inspect": "run"}
"""Command with a group of data sets -> the key of a run, which has its own."""
SHORT = {
    "train": {"init_from": "init_from.run"},
    "inspect": {"init_from": "init_from.run"},
    "generate": {"prior": "prior.name"},
    "evaluate": {"prior": "prior.name"},
}
"""Command -> key of a section -> the key that its own name stands for."""
QUOTED = (
    "run", "init_from.run", "resume", "sweep.resume", "run_dir", "output_root",
    "dataset.path", "dataset.labels", "dataset.data_dir", "images", "output",
    "save_npz", "images_dir", "gif", "label",
)  # fmt: skip
"""Keys of a file, a folder or a class, whose names may hold anything."""
PLAIN = re.compile(r"[A-Za-z0-9_/\\+.$%*@?|: -]*")
"""What Hydra reads as it is; all else has a meaning there, or none."""


def quoted(command: str, arguments: list[str]) -> list[str]:
    """Quote names that Hydra would read as sweeps (`,`) or keys (`=`), or not at all.

    Where a run is resumed, `dataset.path=` is of the run's data set, which is a file.
    """
    words = [_quoted(word, command) for word in arguments]
    return [*words, *_for_moved_data(command, arguments)]


def _for_moved_data(command: str, words: list[str]) -> list[str]:
    """Return what lets `dataset.path=` stand beside a run of one's own data."""
    keys = {word.partition("=")[0] for word in words}
    run = OF_RUN.get(command)
    moved = {run, "dataset.path"} <= keys and "dataset" not in keys
    return [FROM_FILE] if moved else []


def _quoted(word: str, command: str = "train") -> str:
    key, equals, value = word.partition("=")
    short = SHORT.get(command, {})
    if equals and key in short:
        key = short[key]
        word = f"{key}={value}"
    if key not in QUOTED or PLAIN.fullmatch(value):
        return word
    return word if value.startswith(("'", '"', "[", "$")) else override(key, value)[0]


def compose(*overrides: str, **settings: Any) -> Any:
    """Compose the config of a training run without running it.

    Args:
        *overrides: as on the command line, such as `"experiment=quickstart"`.
        **settings: keys and their values, such as `beta=4, architecture="dense",
            optimizer={"learning_rate": 1e-4}`.

    Returns:
        a `TrainConfig`.

    Raises:
        ConfigError: listing every unknown key, wrong type and value out of range.
        UsageError: something is not an override.
    """
    load_plugins()
    return composed("train", as_overrides(overrides, settings))


def as_overrides(overrides: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
    """Return overrides and settings as they are typed on a command line."""
    for word in overrides:
        if not isinstance(word, str):
            raise UsageError(f"{word!r} is not an override; give key=value.")
        if re.match(r"[\w.]+=[^\s'\"]+\s+[\w.]+=", word):
            raise UsageError(
                f"{word!r} holds several overrides.", "give each as its own argument"
            )
    words = [override(key, value) for key, value in settings.items()]
    return [*overrides, *itertools.chain.from_iterable(words)]


def override(key: str, value: Any) -> list[str]:
    """Return what is typed on a command line to give a key a value.

    Args:
        key: dotted, or a config group.
        value: None, a boolean, a number, text, a path, a list of such, or a dict of
            keys below this one.

    Raises:
        ConfigError: there is no way to write the value.
    """
    if isinstance(value, Mapping):
        return [
            word for name, v in value.items() for word in override(f"{key}.{name}", v)
        ]
    return [f"{key}={_typed(key, value)}"]


def _typed(key: str, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Real):
        return str(value)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(_typed(key, v) for v in value)}]"
    if isinstance(value, (str, PurePath)):
        # Hydra takes a backslash for itself, except before a quote
        text = re.sub(r"(\\+)(?='|$)", r"\1\1", str(value))
        return "'" + text.replace("'", r"\'") + "'"
    raise ConfigError(
        f"{key}={value!r} must be text, a number, a boolean, None, a list or a dict, "
        f"got {type(value).__name__}"
    )


def store_defaults() -> None:
    """Give Hydra the defaults of registered options that have no YAML file."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins

    for group, options in OPTIONS.items():
        for name in options:
            if option_file(group, name) is None:
                values = {"name": name}
                for spec in fields(options[name]):
                    if spec.name != "name":
                        values[spec.name] = default_of(spec)
                ConfigStore.instance().store(name, values, group)
    Plugins.instance()  # an installed plugin stores its own first
    ConfigStore.instance().store("optuna", OPTUNA, "hydra/sweeper")


def composed(command: str, arguments: list[str]) -> Any:
    """Compose and check a command's config without running it.

    Args:
        command: name of the primary config file.
        arguments: overrides, and --config-dir.

    Raises:
        ConfigError: an override is wrong.
        UsageError: a flag is wrong, or something is no override.
    """
    overrides, extra = _parsed(arguments, command)
    overrides += _for_moved_data(command, overrides)
    with _initialized(command, arguments) as hydra:
        values = hydra.compose(command, overrides=[*overrides, *extra])
    return checked(command, values)


def hydra_settings(words: Sequence[str], job: Sequence[str]) -> dict[str, Any]:
    """Return the Hydra settings `sweep` and `sweeper` of a `vae-train` sweep.

    Args:
        words: the overrides and flags of the sweep, as typed.
        job: the overrides of one of its jobs.
    """
    from omegaconf import OmegaConf

    overrides, extra = _parsed(list(words))
    own = [word for word in overrides if word.lstrip("+~").startswith("hydra")]
    with _initialized("train", list(words)) as hydra:
        values = hydra.compose(
            "train", overrides=[*job, *own, *extra], return_hydra_config=True
        )
        # resolved here: they may interpolate training keys
        return {
            part: OmegaConf.to_container(values.hydra[part], resolve=True)
            for part in ("sweep", "sweeper")
        }


@contextlib.contextmanager
def _initialized(command: str, arguments: Sequence[str]) -> Iterator[Any]:
    """Yield the module `hydra`, ready to compose; its errors are translated."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    store_defaults()
    # the caller's own Hydra, if this is called within an application of it
    outer, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None
    try:
        with (
            translated_errors(command, list(arguments)),
            hydra.initialize_config_dir(str(configs_dir()), version_base="1.3"),
        ):
            yield hydra
    finally:
        GlobalHydra.instance().hydra = outer


def command_options(command: str, keys: Sequence[str] = (), /, **settings: Any) -> Any:
    """Return a command's config with its defaults, checked as on the command line.

    Args:
        command: name of the primary config file.
        keys: those that may be set; all if none are named.
        **settings: keys and their values, NumPy's own numbers included; None for
            `corruption` and such groups.

    Raises:
        ConfigError: unknown keys, wrong types, values out of range; all at once.
    """
    unknown = [key for key in settings if keys and key not in keys]
    if unknown:
        guess = closest(unknown[0], keys)
        raise ConfigError(
            f"{unknown[0]} is no argument here"
            + (f"; did you mean {guess}?" if guess else "."),
            f"choose among: {', '.join(keys)}",
        )
    values = defaults(command)
    for key in ("defaults", "hydra"):
        values.pop(key, None)
    short = SHORT.get(command, {})
    for key, value in settings.items():
        values[key] = value.tolist() if hasattr(value, "tolist") else value
        if key in short and not isinstance(value, Mapping):
            values[key] = {short[key].removeprefix(f"{key}."): value}
    return load(COMMANDS[command], values)


def checked(command: str, values: Any) -> Any:
    """Turn what Hydra composed into the command's dataclass.

    Raises:
        ConfigError: unknown keys, wrong types, values out of range; all at once.
    """
    from omegaconf import OmegaConf

    with translated_errors(command, []):
        plain = OmegaConf.to_container(values, resolve=True)
    return load(COMMANDS[command], plain)  # type: ignore[arg-type]


def overrides_of(arguments: list[str]) -> list[str]:
    """Return the overrides among a command's arguments.

    Raises:
        ConfigError: a folder of configs doesn't exist.
        UsageError: a flag is wrong.
    """
    return _parsed(arguments)[0]


def _parsed(
    arguments: list[str], command: str = "train"
) -> tuple[list[str], list[str]]:
    """Split `--config-dir X` off the overrides."""
    overrides, extra, rest = [], [], iter(arguments)
    for word in rest:
        name, _, value = word.partition("=")
        if name in CONFIG_DIR:
            folder = checked_folder(name, value or next(rest, ""))
            extra.append(f"hydra.searchpath=[file://{folder}]")
        elif word.startswith("-"):
            raise UsageError(f"{word} is not a flag here; give key=value overrides.")
        else:
            overrides.append(_quoted(word, command))
    return overrides, extra
