"""What to say about a key, a group or a flag that a command doesn't have."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from vae_cli.config.catalog import base_names, chosen_options, config_dirs, options
from vae_cli.config.commands import COMMANDS, PRESETS
from vae_cli.config.keys import all_keys, groups_of, option_keys
from vae_cli.config.synonyms import SYNONYMS
from vae_cli.errors import ConfigError, UsageError, closest
from vae_cli.registry import OPTIONS

FLAGS = (
    "--plugin", "--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--resolve",
    "--package", "-p", "--run", "-r", "--multirun", "-m", "--config-path", "-cp",
    "--config-name", "-cn", "--config-dir", "-cd", "--experimental-rerun", "--info",
    "-i",
)  # fmt: skip


def refused_key(key: str, schema: type, chosen: Mapping[str, str] | None = None) -> str:
    """Return the message for a key that the chosen options don't have.

    Args:
        key: dotted, as typed.
        schema: the command's dataclass.
        chosen: group -> name of its active option; the keys of active options are
            suggested first.
    """
    chosen = chosen or {}
    group, dot, name = key.partition(".")
    if dot and group in groups_of(schema):
        if having := _having(key, group):
            choices = " or ".join(f"{group}={option}" for option in having)
            return f"{key} needs {choices}; the chosen {group} has no such key"
        known = [k for k in all_keys(schema) if k.startswith(f"{group}.")]
        option = chosen.get(group, "")
        own = [*option_keys(group, option)] if option in OPTIONS[group] else known
        matches = _near(name, own) or _synonyms(name, known) or _near(name, known)
        if not matches and not own:
            return f"{key} is not a key; {group}={option} has no keys"
        if not matches:
            return f"{key} is not a key; choose one of: {', '.join(own)}"
        return _did_you_mean(key, matches, chosen)
    known = all_keys(schema)
    matches = (
        [k for k in known if key != k and k.rpartition(".")[2] == key]
        or _synonyms(name or key, known)
        or [k for k in [closest(key, known)] if k]
        or _near(name or key, known)
        or [k for k in known if dot and k.startswith(f"{group}.")]
    )
    return _did_you_mean(key, matches, chosen)


def unknown_option(group: str, name: str, own: Sequence[str] = ()) -> ConfigError:
    """Return the error for a value that names no option of a group.

    Args:
        group: such as `optimizer`.
        name: what came.
        own: the command line, for its `--config-dir`.
    """
    known = options(group, config_dirs(own))
    guess = closest(name, known)
    advice = [f"did you mean {group}={guess}?"] if guess else []
    advice.append(f"choose one of: {', '.join(known)}")
    base = guess or known[0]
    copied = f"vae copy {group}/{base} my_configs/{group}, then --config-dir my_configs"
    if group in PRESETS:
        advice.append(f"to write your own: {copied}")
    else:
        advice += [
            f"the same option with other defaults: {copied}",
            f"a new {group}: write a class in a Python file, then pass --plugin FILE "
            '(see "Adding an option" in vae_cli/README.md)',
        ]
    return ConfigError(f"{group}={name} is not available.", *advice)


def refuse_unknown_flags(command: str, words: Sequence[str]) -> None:
    """Check the flags of a command line.

    Raises:
        UsageError: a word begins with a dash and is no flag, such as `--epochs 5`.
    """
    for word, following in pairwise([*words, ""]):
        flag, _, value = word.partition("=")
        if word.startswith("-") and flag not in FLAGS:
            if not value and not following.startswith("-") and "=" not in following:
                value = following
            raise UsageError(
                f"{word} is not a flag of vae-{command.replace('_', '-')}.",
                _as_override(command, flag.lstrip("-").replace("-", "_"), value),
            )


def _as_override(command: str, name: str, value: str) -> str:
    """Return how a flag of another toolkit is written here."""
    known = all_keys(COMMANDS[command])
    near = [name] if name in known else []
    near = near or [k for k in known if k.rpartition(".")[2] == name]
    near = near or _synonyms(name, known) or [k for k in [closest(name, known)] if k]
    if len(name) == 1 and not near:
        near = [k for k in known if k.startswith(name)][:1]
    if near:
        return f"overrides are written without dashes: {near[0]}={value or '...'}"
    return (
        "overrides are written without dashes: key=value; every key: "
        f"vae-{command.replace('_', '-')} --help"
    )


def active_names(command: str, words: Sequence[str]) -> dict[str, str]:
    """Return the registered name of each group's option in a command line."""
    return base_names(chosen_options(command, words), words)


def _did_you_mean(key: str, matches: Iterable[str], chosen: Mapping[str, str]) -> str:
    """Return the message that names keys, those of active options before others."""
    matches = list(dict.fromkeys(matches))
    active = [k for k in matches if not chosen or _is_active(k, chosen)]
    if active:
        named = active
    else:
        named = [
            f"{k} (with {' or '.join(f'{g}={o}' for o in _having(k, g))})"
            for k in matches
            for g in [k.partition(".")[0]]
        ]
    if not named:
        return f"{key} is not a key"
    *others, last = named[:3]
    text = f"{', '.join(others)} or {last}" if others else last
    return f"{key} is not a key; did you mean {text}?"


def _is_active(key: str, chosen: Mapping[str, str]) -> bool:
    group, dot, _ = key.partition(".")
    if not dot or group not in chosen:
        return True
    return chosen[group] in _having(key, group)


def _having(key: str, group: str) -> list[str]:
    """Return the options of a group that have a key."""
    return [name for name in OPTIONS.get(group, ()) if key in option_keys(group, name)]


def _synonyms(name: str, known: Sequence[str]) -> list[str]:
    """Return our keys for what another toolkit calls something."""
    plain = name.lower().replace("-", "_")
    return [key for key in SYNONYMS.get(plain, ()) if key in known]


def _near(name: str, known: Sequence[str]) -> list[str]:
    """Return the keys whose last part is most like a name."""
    last = [key.rpartition(".")[2] for key in known]
    near = difflib.get_close_matches(name.rpartition(".")[2], last, n=1, cutoff=0.6)
    return [k for k, part in zip(known, last, strict=True) if part in near]
