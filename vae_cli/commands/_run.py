"""What commands share that use a run: opening it, options, names of files."""

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import yaml

from vae_cli.config.run import RunConfig
from vae_cli.entry import load
from vae_cli.paths import configs_dir
from vae_cli.run import Run

UNUSUAL = re.compile(r"[^\w.,+=-]+")
"""What names of files are better without."""
BARE = (
    "checkpoint", "method", "spacing", "interpolation", "num_images", "score",
)  # fmt: skip
"""Keys whose value alone says enough."""


def suffix(command: str, config: Any, keys: Sequence[str]) -> str:
    """Return the settings that aren't the command's defaults, for a file's name.

    Args:
        command: name of the primary config file.
        config: the command's config.
        keys: that decide what is drawn.

    Returns:
        such as `-1000-seed3-last`; nothing where all keys have their defaults.
    """
    file = configs_dir() / f"{command}.yaml"
    return difference(yaml.safe_load(file.read_text(encoding="utf-8")), config, keys)


def difference(defaults: dict[str, Any], config: Any, keys: Sequence[str]) -> str:
    """Return the keys and values of a config that are not its defaults."""
    parts = []
    for key in keys:
        value = getattr(config, key)
        if value == defaults.get(key):
            continue
        if value is True:
            parts.append(f"-{key}")
            continue
        values = value if isinstance(value, list) else [value]
        text = "-".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
        text = UNUSUAL.sub("-", text)
        parts.append(
            f"-{text}" if key in BARE else f"-{key.removeprefix('num_')}{text}"
        )
    return "".join(parts)


def opened(config: RunConfig) -> Run:
    """Return the run that a command's config names."""
    return load(
        config.run,
        output_root=config.output_root,
        checkpoint=config.checkpoint,
        data_path=config.dataset.path,
    )


def options(config: Any, keys: Sequence[str]) -> dict[str, Any]:
    """Return some keys of a command's config as arguments of a method of `Run`."""
    return {key: getattr(config, key) for key in keys}


def option_suffix(group: str, config: Any) -> str:
    """Return the keys of a group's option that are not those of its shipped file."""
    file = configs_dir() / group / f"{config.name}.yaml"
    if not file.is_file():
        return ""
    defaults = yaml.safe_load(file.read_text(encoding="utf-8"))
    keys = [f.name for f in fields(config) if f.name in defaults]
    return difference(defaults, config, keys)
