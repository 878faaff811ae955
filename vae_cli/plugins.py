"""Plugins: options of the user's own, from a file, a module or an installed package.

What the user names, on the command line or in VAE_PLUGINS, is imported; what a run
folder names is not.
"""

import hashlib
import importlib
import importlib.util
import os
import shlex
import sys
import traceback
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import vae_cli.config.train  # noqa: F401  # shipped options are registered first
from vae_cli import registry
from vae_cli.errors import ConfigError, UsageError
from vae_cli.runtime import KERAS, stderr_kept_back

FLAG = "--plugin"
VARIABLE = "VAE_PLUGINS"
"""Environment variable: files and modules, separated as in PATH; children have it."""
ENTRY_POINTS = "vae_cli.plugins"
"""Entry point group of installed packages."""

_loaded: dict[str, ModuleType] = {}


def take_plugins(words: Sequence[str]) -> list[str]:
    """Take `--plugin X` out of a command line, and load all plugins there are.

    Args:
        words: a command line without the command's name.

    Returns:
        the other words.

    Raises:
        ConfigError: a plugin can't be imported, or its options clash with others.
        UsageError: a flag without a value.
    """
    named, rest, left = [], [], iter(words)
    for word in left:
        flag, _, value = word.partition("=")
        if flag != FLAG:
            rest.append(word)
            continue
        value = value or next(left, "")
        if not value:
            raise UsageError(f"{FLAG} takes a file or a module.", f"{FLAG} my_prior.py")
        named.append(value)
    load_plugins(named)
    return rest


def load_plugins(named: Iterable[str] = ()) -> None:
    """Import plugins: those named, those in VAE_PLUGINS, those of installed packages.

    Raises:
        ConfigError: one can't be imported, or its options clash with others.
    """
    inherited = [x for x in os.environ.get(VARIABLE, "").split(os.pathsep) if x]
    for key, value in KERAS.items():
        os.environ.setdefault(key, value)
    names = list(dict.fromkeys(map(_absolute, [*inherited, *named])))
    for name in names:
        _load(name)
    if names:
        os.environ[VARIABLE] = os.pathsep.join(names)
    for module in _installed():
        _load(module)


@cache
def _installed() -> list[str]:
    """Return the modules of installed packages; looked up once, it takes a while."""
    points = entry_points(group=ENTRY_POINTS)
    return [point.value.partition(":")[0] for point in points]


def plugin_words() -> str:
    """Return what to type for the plugins that were named; empty without any."""
    names = [x for x in os.environ.get(VARIABLE, "").split(os.pathsep) if x]
    return "".join(f"{FLAG} {shlex.quote(name)} " for name in names)


def used_plugins(config: Any) -> list[dict[str, str]]:
    """Return which options of a config come from plugins, and from which.

    Returns:
        for each, `option`, `plugin` and the `sha256` of its file, if there is one.
    """
    entries = []
    for group in registry.OPTIONS:
        options = getattr(config, group, None)
        plugin = registry.origin_of(type(options))
        if plugin and options is not None:
            option = f"{group}={options.name}"
            entry = {"option": option, "plugin": plugin, "sha256": _digest(plugin)}
            entries.append(entry)
    return entries


def changed_plugins(config: Any, entries: Any) -> list[str]:
    """Return the plugins of a config whose files have changed.

    Args:
        config: of a run.
        entries: `plugins` of its `environment.json`, unchecked.
    """
    recorded = entries if isinstance(entries, list) else []
    before = {e.get("option"): e.get("sha256") for e in recorded if isinstance(e, dict)}
    return [
        now["plugin"]
        for now in used_plugins(config)
        if before.get(now["option"]) not in (None, "", now["sha256"])
    ]


def _digest(plugin: str) -> str:
    module = _loaded.get(plugin)
    file = Path(str(getattr(module, "__file__", plugin)))
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def missing_plugin(entries: Any) -> tuple[str, str] | None:
    """Return the first option that isn't registered, and its plugin.

    Args:
        entries: `plugins` of a run's `environment.json`, unchecked.
    """
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        option, plugin = str(entry.get("option")), str(entry.get("plugin"))
        group, _, name = option.partition("=")
        if name not in registry.OPTIONS.get(group, {}):
            return option[:200], plugin[:1000]
    return None


def _absolute(name: str) -> str:
    if os.pathsep in name:
        raise ConfigError(
            f"plugin {name}: {VARIABLE} can't hold a name with {os.pathsep!r}.",
            "rename the file",
        )
    return str(Path(name).resolve()) if _is_file(name) else name


def _is_file(name: str) -> bool:
    return name.endswith(".py") or os.sep in name


def _load(name: str) -> None:
    """Import a plugin, once."""
    if name in _loaded:
        return
    registry.begin_plugin(name)
    try:
        with stderr_kept_back():  # of TensorFlow, if this is what imports it
            own = _from_file if _is_file(name) else importlib.import_module
            _loaded[name] = own(name)
    except ConfigError as error:
        raise ConfigError(f"plugin {name}: {error.args[0]}", *error.args[1:]) from error
    except (Exception, SystemExit) as error:
        places = traceback.extract_tb(error.__traceback__)
        within = [place for place in places if place.filename == name]
        line = f", line {within[-1].lineno}" if within else ""
        what = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"plugin {name} can't be imported{line}: {what}",
            "a plugin is a Python file, or the name of a module that can be imported",
        ) from error
    finally:
        registry.end_plugin()


def _from_file(name: str) -> ModuleType:
    # the same file has the same name in every process, so that classes can be pickled
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    module_name = f"vae_plugin_{Path(name).stem}_{digest}"
    spec = importlib.util.spec_from_file_location(module_name, name)
    if spec is None or spec.loader is None or not Path(name).is_file():
        raise FileNotFoundError("there is no such file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module
