"""The keys of a run's config that differ from the defaults, and the command line."""

import re
import shlex
from dataclasses import MISSING, Field
from typing import Any, NamedTuple

from vae_cli.config.compose import override
from vae_cli.config.keys import groups_of, option_keys, plain_keys
from vae_cli.config.train import NOT_TRAINING, TrainConfig
from vae_cli.registry import OPTIONS

REQUIRED = "(none)"
PLAIN = re.compile(r"[A-Za-z_./][\w./-]*")
"""Text that needs no quotes in Hydra and shells."""


class Change(NamedTuple):
    """A key whose value is not its default.

    Attributes:
        key: dotted, or a group.
        value: of the run.
        default: the default; `REQUIRED` if there is none.
        about: what the key means.
    """

    key: str
    value: Any
    default: Any
    about: str

    def word(self) -> str:
        """Return the override, quoted for a shell."""
        if isinstance(self.value, str) and PLAIN.fullmatch(self.value):
            return f"{self.key}={self.value}"
        return shlex.quote(override(self.key, self.value)[0])


def changes(config: TrainConfig) -> list[Change]:
    """Return the differences from `vae-train` without options, groups first."""
    usual = TrainConfig()
    found = []
    for group in groups_of(TrainConfig):
        if group in NOT_TRAINING:
            continue
        option, default = getattr(config, group), getattr(usual, group)
        if option.name != default.name:
            about = str(OPTIONS[group][option.name].__doc__).splitlines()[0]
            found.append(Change(group, option.name, default.name, about))
        for key, (spec, _) in option_keys(group, option.name).items():
            found += _changed(key, spec, getattr(option, spec.name))
    for key, (spec, _) in plain_keys(TrainConfig).items():
        if key.partition(".")[0] in NOT_TRAINING:
            continue
        value: Any = config
        for part in key.split("."):
            value = getattr(value, part)
        found += _changed(key, spec, value)
    return found


def command_line(config: TrainConfig) -> str:
    """Return the command that trains a run with this config."""
    return " ".join(["vae-train", *(change.word() for change in changes(config))])


def _changed(key: str, spec: Field, value: Any) -> list[Change]:
    default = spec.default
    if spec.default_factory is not MISSING:
        default = spec.default_factory()
    if value == default:
        return []
    shown = REQUIRED if default is MISSING else default
    return [Change(key, value, shown, spec.metadata.get("doc", ""))]
