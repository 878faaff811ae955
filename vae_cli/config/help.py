"""`--help`: examples, groups and keys, written from the dataclasses and YAML files.

`vae-train --help` shows every group's active option with its keys, `--help optimizer`
all options of one group, and `--help epochs` one key.
"""

import textwrap
import typing
from collections.abc import Iterable, Sequence
from dataclasses import Field
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Any

from vae_cli.config.catalog import (
    chosen_options,
    config_dirs,
    defaults,
    option_values,
    options,
    summary,
)
from vae_cli.config.commands import COMMANDS, PRESETS, TRAINING
from vae_cli.config.examples import EXAMPLES
from vae_cli.config.keys import all_keys, groups_of, option_keys, plain_keys
from vae_cli.config.suggest import active_names, refused_key
from vae_cli.errors import ConfigError
from vae_cli.registry import OPTIONS

WIDTH = 80
"""Of a terminal, in characters."""
COLUMN = 32
"""Where the meaning of a key begins."""

EXAMPLE_COLUMN = 40

Key = tuple[str, Field, Any, Any]
"""(dotted key, field, type, default)."""


def command_help(command: str, words: Sequence[str] = ()) -> str:
    """Return the help text of a command.

    Args:
        command: name of the primary config file.
        words: the command line. A group or a key in it asks for more about that one;
            overrides such as `likelihood=gaussian` choose what is active.

    Raises:
        ConfigError: there is no such group or key.
    """
    topic = _topic(words)
    if topic:
        return "\n".join(_about(command, topic, words)) + "\n"
    return "\n".join(_overview(command, words)) + "\n"


def _topic(words: Sequence[str]) -> str:
    """Return the group or key that follows `--help`."""
    for word, following in pairwise([*words, ""]):
        if word in ("--help", "-h") and "=" not in following.rstrip("="):
            return "" if following.startswith("-") else following
    return ""


def _overview(command: str, words: Sequence[str]) -> list[str]:
    name, schema = f"vae-{command.replace('_', '-')}", COMMANDS[command]
    lines = [str(schema.__doc__).splitlines()[0], "", "Examples"]
    for typed, what in EXAMPLES[command]:
        lines += _columns(typed, what, EXAMPLE_COLUMN)
    values, groups = defaults(command), groups_of(schema)
    lines += ["", "Keys (key=value; a value in brackets is quoted: 'key=[1,2]')"]
    for key, (spec, hint) in plain_keys(schema).items():
        lines += _entry((key, spec, hint, _lookup(values, key)))
    if groups:
        title = f"Groups (group=option; {name} --help <group> shows all its keys)"
        lines += ["", title]
    own, chosen = config_dirs(words), chosen_options(command, words)
    for group in groups:
        option = chosen.get(group, "")
        others = ", ".join(o for o in options(group, own) if o != option)
        left, right = (f"{group}={option}", "or ") if option else (group, "one of ")
        lines += _columns(left, right + others, COLUMN - 2)
        for entry in _keys(group, option, own):
            lines += [f"  {line}" for line in _entry(entry, COLUMN - 2)]
    if command in TRAINING:
        lines += ["", "Recipes (each sets several groups and keys)"]
        for preset in PRESETS:
            names = ", ".join(options(preset, own))
            lines += _columns(f"{preset}=", names, COLUMN - 2)
    flags = "-m (sweep), " if command == "train" else ""
    return [
        *lines,
        "",
        *textwrap.wrap(
            f"Flags: {flags}--help <group or key>, --cfg job (print the config, run "
            "nothing), --config-dir DIR (your own YAML files), --plugin FILE (your own "
            "classes), --version, --hydra-help.",
            WIDTH,
        ),
        "Exit status: 0 done, 1 failed or refused, 2 wrong usage, 130 interrupted.",
    ]


def _about(command: str, topic: str, words: Sequence[str]) -> list[str]:
    """Return the help of one group or key."""
    schema = COMMANDS[command]
    key = topic.rstrip("=.")
    if key in groups_of(schema) or (key in PRESETS and command in TRAINING):
        return _about_group(command, key, words)
    plain = plain_keys(schema)
    if key in plain:
        return _entry((key, *plain[key], _lookup(defaults(command), key)), typed=True)
    if key not in all_keys(schema):
        raise ConfigError(
            refused_key(key, schema, active_names(command, words)),
            f"every key: vae-{command.replace('_', '-')} --help",
        )
    group, own = key.partition(".")[0], config_dirs(words)
    having: dict[tuple[str, ...], list[str]] = {}
    for option in options(group, own):
        for entry in _keys(group, option, own):
            if entry[0] == key:
                lines = tuple(_entry(entry, typed=True))
                having.setdefault(lines, []).append(f"{group}={option}")
    return [line for e, names in having.items() for line in (" ".join(names), *e)]


def _about_group(command: str, group: str, words: Sequence[str]) -> list[str]:
    """Return every option of a group with its keys; shared ones are named once."""
    own = config_dirs(words)
    names = options(group, own)
    active = chosen_options(command, words).get(group, "")
    fields_of = {f.name: f for f in _fields(COMMANDS[command])}
    what = f": {fields_of[group].metadata['doc']}" if group in fields_of else ""
    keys = {name: _keys(group, name, own) for name in names}
    shared = [e for e in keys[names[0]] if all(e in keys[name] for name in names)]
    lines = textwrap.wrap(f"{group}=<option>{what}", WIDTH)
    for name in names:
        text = summary(group, name, own)
        lines += ["", *_columns(f"{group}={name}{' *' * (name == active)}", text, 30)]
        for entry in keys[name]:
            if entry not in shared:
                lines += [f"  {line}" for line in _entry(entry, COLUMN - 2, True)]
    if shared:
        lines += ["", "Every option has"]
        for entry in shared:
            lines += _entry(entry, typed=True)
    return [*lines, *(["", f"* {group}={active} is active"] if active else [])]


def _fields(schema: Any) -> Iterable[Field]:
    return schema.__dataclass_fields__.values()


def _keys(group: str, option: str, own: Sequence[Path]) -> list[Key]:
    """Return the keys of an option with the defaults that its file gives them."""
    values = option_values(group, option, own)
    name = str(values["name"])
    if name not in OPTIONS.get(group, ()):
        return []
    return [
        (key, spec, hint, values.get(spec.name))
        for key, (spec, hint) in option_keys(group, name).items()
    ]


def _entry(entry: Key, column: int = COLUMN, typed: bool = False) -> list[str]:
    """Return the lines of one key."""
    key, spec, hint, default = entry
    doc = spec.metadata["doc"]
    choices = spec.metadata["choices"] or ()
    if typed:
        doc += f" ({_type(spec, hint)})"
    elif choices and not set(choices) <= set(
        doc.replace(":", " ").replace(",", " ").split()
    ):
        doc += f" ({', '.join(choices)})"
    return _columns(key if default is None else f"{key}={_text(default)}", doc, column)


def _type(spec: Field, hint: Any) -> str:
    """Return in words which values a key takes."""
    rule = spec.metadata
    kinds = typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if rule["choices"]:
        text = " | ".join(rule["choices"])
        text += "".join(f" | {_kind(k)}" for k in kinds if typing.get_origin(k) is list)
    else:
        text = " or ".join(_kind(k) for k in kinds if k is not type(None))
        limits = [
            f"{words} {rule[name]:.12g}"
            for name, words in (
                ("at_least", "at least"),
                ("above", "above"),
                ("at_most", "at most"),
                ("below", "below"),
            )
            if rule[name] is not None
        ]
        text = " ".join([text, " and ".join(limits)]).strip()
    optional = type(None) in kinds or rule["by_size"]
    return f"{text}; or null" if optional else text


def _kind(hint: Any) -> str:
    if typing.get_origin(hint) is list:
        kind = typing.get_args(hint)[0]
        return "list of text" if kind is str else f"list of {_kind(kind)}s, each"
    return {int: "integer", float: "number", bool: "true or false"}.get(hint, "text")


def _columns(left: str, right: str, column: int) -> list[str]:
    """Return two columns; the right one begins a line below where the left is long."""
    wrapped = textwrap.wrap(right, WIDTH - column - 4, break_on_hyphens=False)
    pad = " " * (column + 2)
    if len(left) > column - 2:
        return [f"  {left}", *(pad + line for line in wrapped)]
    first = f"  {left:<{column}}{wrapped[0] if wrapped else ''}".rstrip()
    return [first, *(pad + line for line in wrapped[1:])]


def _lookup(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _text(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
