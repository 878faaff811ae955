"""Turn composed YAML into checked dataclasses; report every problem at once."""

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeVar

from vae_cli.config.keys import hints, is_section
from vae_cli.config.suggest import refused_key
from vae_cli.errors import ConfigProblems, closest
from vae_cli.registry import OPTIONS

T = TypeVar("T")
MIN_FLOAT, MAX_FLOAT = 1e-37, 1e37
"""Beyond them float32, which networks compute in, has 0 and infinity."""
MAX_INTEGER = 2**63 - 1
"""The largest integer that NumPy, TensorFlow and the formats share."""


def load(schema: type[T], values: Mapping[str, Any], source: str = "") -> T:
    """Check `values` against a config dataclass and build it.

    Args:
        schema: the command's dataclass.
        values: plain nested mapping, as composed from YAML and overrides.
        source: where the values come from, for the message (a file name).

    Raises:
        ConfigError: listing every unknown key, wrong type and value out of range.
    """
    problems: list[str] = []
    config = _build(schema, values, "", problems)
    if problems:
        said = [_said(problem, schema, values) for problem in problems]
        raise ConfigProblems(said, source)
    return config


class _Unknown(str):
    """A key that no dataclass has, in place of a problem."""


def _said(problem: str, schema: type, values: Mapping[str, Any]) -> str:
    if not isinstance(problem, _Unknown):
        return problem
    groups = {k: v for k, v in values.items() if isinstance(v, Mapping)}
    chosen = {k: str(v["name"]) for k, v in groups.items() if "name" in v}
    return refused_key(problem, schema, chosen)


def _build(schema: type[T], values: Mapping[str, Any], at: str, out: list[str]) -> Any:
    """Build one dataclass; append problems to `out`."""
    known = {f.name: f for f in fields(schema)}  # type: ignore[arg-type]
    types_of = hints(schema)  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            out.append(_Unknown(at + str(key)))
    built, before = {}, len(out)
    for name, spec in known.items():
        key = at + name
        if name in values:
            built[name] = _value(types_of[name], spec, values[name], key, out)
        elif not _has_default(spec):
            out.append(f"{key} is missing: {spec.metadata['doc']}")
    if len(out) > before:
        return None
    config = schema(**built)
    check = getattr(config, "problems", None)
    out.extend(check() if check else [])
    return config


def _value(hint: Any, spec: Field, value: Any, key: str, out: list[str]) -> Any:
    """Check one field's value; append problems to `out`."""
    whole = hint
    union = isinstance(hint, types.UnionType)
    optional = type(None) in typing.get_args(hint) or spec.metadata["by_size"]
    if value is None and optional:
        return None
    if union:
        hint = _kind_of(value, hint)
    if is_dataclass(hint):
        return (_section if is_section(hint) else _group)(key, hint, value, out)
    if isinstance(value, bool) and "true" in (spec.metadata["choices"] or ()):
        value = str(value).lower()  # YAML's own word for it
    expected = _expected(whole) + (" or null" if optional else "")
    if value == "???":
        out.append(f"{key} is missing: {spec.metadata['doc']}; add {key}=...")
        return None
    if typing.get_origin(hint) is list:
        element = typing.get_args(hint)[0]
        if not isinstance(value, (list, tuple)):
            out.append(f"{key}={value} must be {expected}, such as '{key}=[...]'")
            return None
        typed = [_scalar(element, v) for v in value]
        bad = any(v is None for v in typed)
    else:
        typed = _scalar(hint, value)
        bad = typed is None
    if bad:
        out.append(f"{key}={value} must be {expected}, got {_kind(value)}")
        return None
    for item in typed if isinstance(typed, list) else [typed]:
        problem = _range_problem(spec, item, key)
        if problem:
            out.append(problem)
            break
    return typed


def _kind_of(value: Any, union: Any) -> Any:
    """Return the type of a union that a value is meant to be of: a list's for lists."""
    hints = [t for t in typing.get_args(union) if t is not type(None)]
    lists = [t for t in hints if typing.get_origin(t) is list]
    if isinstance(value, (list, tuple)) and lists:
        return lists[0]
    return next(t for t in hints if t not in lists or len(hints) == 1)


def _section(key: str, hint: Any, value: Any, out: list[str]) -> Any:
    """Build the one dataclass of a section."""
    if isinstance(value, Mapping):
        return _build(hint, value, f"{key}.", out)
    names = ", ".join(f"{key}.{f.name}" for f in fields(hint))
    out.append(f"{key}={value} is not an option; choose one of: {names}")
    return None


def _group(group: str, hint: Any, value: Any, out: list[str]) -> Any:
    """Build the dataclass that a group's `name` selects."""
    options = OPTIONS[group]
    if not isinstance(value, Mapping):
        out.append(
            f"{group}={value} is not an option; choose one of: {', '.join(options)}"
        )
        return None
    name = value.get("name")
    if not isinstance(name, str) or name not in options:
        out.append(
            f"{group}.name={name} is not available; choose one of: {', '.join(options)}"
        )
        return None
    return _build(options[name], value, f"{group}.", out)


def _scalar(hint: type, value: Any) -> Any:
    """Return `value` as `hint`, or None where it isn't one."""
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < 1e300 else math.inf
    if isinstance(value, bool) and hint is not bool:
        return None
    if hint is str and isinstance(value, (int, float)):
        return str(value)
    return value if isinstance(value, hint) else None


def _range_problem(spec: Field, value: Any, key: str) -> str | None:
    """Return the message for a value outside its field's range, or None."""
    rule = spec.metadata
    shown = _number(value)
    if rule["choices"] and isinstance(value, str) and value not in rule["choices"]:
        guess = closest(str(value), rule["choices"])
        hint = f"; did you mean {key}={guess}?" if guess else ""
        return (
            f"{key}={value} is not available; "
            f"choose one of: {', '.join(rule['choices'])}{hint}"
        )
    if isinstance(value, float) and not math.isfinite(value):
        return f"{key}={shown} must be a finite number"
    if isinstance(value, float) and value and not MIN_FLOAT < abs(value) < MAX_FLOAT:
        return f"{key}={shown} is outside the float32 range, {MIN_FLOAT} to {MAX_FLOAT}"
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return f"{key}={shown[:20]}... must be at most {MAX_INTEGER}"
    bounds = (
        ("at_least", "at least", lambda a, b: a >= b),
        ("above", "above", lambda a, b: a > b),
        ("at_most", "at most", lambda a, b: a <= b),
        ("below", "below", lambda a, b: a < b),
    )
    for name, words, holds in bounds:
        if rule[name] is not None and not holds(value, rule[name]):
            return f"{key}={shown} must be {words} {_number(rule[name])}"
    return None


def _number(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _has_default(spec: Field) -> bool:
    return not (spec.default is MISSING and spec.default_factory is MISSING)


def _expected(hint: Any) -> str:
    if isinstance(hint, types.UnionType):
        kinds = [t for t in typing.get_args(hint) if t is not type(None)]
        return " or ".join(map(_expected, kinds))
    if typing.get_origin(hint) is list:
        return f"a list of {_NAMES[typing.get_args(hint)[0]]}s"
    if hint is str:
        return "text"
    return f"{'an' if hint is int else 'a'} {_NAMES[hint]}"


def _kind(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        kinds = sorted({_kind(item) for item in value})
        return f"a list of {' and '.join(kinds)}" if kinds else "an empty list"
    name = _NAMES.get(type(value), type(value).__name__)
    return (
        name
        if name in ("text", "null")
        else f"{'an' if name[0] in 'i' else 'a'} {name}"
    )


_NAMES: dict[type, str] = {
    int: "integer",
    float: "number",
    bool: "boolean (true or false)",
    str: "text",
    type(None): "null",
}
