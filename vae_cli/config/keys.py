"""Which keys a command takes: what the dataclasses of its config declare."""

import typing
from dataclasses import Field, fields, is_dataclass
from functools import cache
from typing import Any

from vae_cli.config.option import Options
from vae_cli.registry import OPTIONS


@cache
def hints(schema: Any) -> dict[str, Any]:
    """Return the types of a dataclass's fields."""
    return typing.get_type_hints(schema)


def is_group(hint: Any) -> bool:
    """Return whether a field's type is a config group's, which may be optional."""
    return any(
        isinstance(t, type) and issubclass(t, Options)
        for t in (hint, *typing.get_args(hint))
    )


def is_section(hint: Any) -> bool:
    """Return whether a field's type is a few keys of one dataclass, without options."""
    return is_dataclass(hint) and not is_group(hint)


def groups_of(schema: type) -> list[str]:
    """Return the config groups of a command."""
    return [f.name for f in fields(schema) if is_group(hints(schema)[f.name])]


def plain_keys(schema: type) -> dict[str, tuple[Field, Any]]:
    """Return the keys of a command outside its groups.

    Returns:
        dotted key -> (field, type).
    """
    keys: dict[str, tuple[Field, Any]] = {}
    for spec in fields(schema):
        hint = hints(schema)[spec.name]
        if is_section(hint):
            inner = {f"{spec.name}.{f.name}": f for f in fields(hint)}
            keys |= {k: (f, hints(hint)[f.name]) for k, f in inner.items()}
        elif not is_group(hint):
            keys[spec.name] = (spec, hint)
    return keys


def option_keys(group: str, name: str) -> dict[str, tuple[Field, Any]]:
    """Return the keys of a group's option, `name` left out.

    Returns:
        dotted key -> (field, type).
    """
    options = OPTIONS[group][name]
    return {
        f"{group}.{spec.name}": (spec, hints(options)[spec.name])
        for spec in fields(options)
        if spec.name != "name"
    }


def all_keys(schema: type) -> list[str]:
    """Return every key a command takes, those of all options of its groups included."""
    groups = groups_of(schema)
    inner = [k for g in groups for name in OPTIONS[g] for k in option_keys(g, name)]
    return list(dict.fromkeys([*plain_keys(schema), *groups, *inner]))
