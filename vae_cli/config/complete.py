"""What the Tab key offers: flags, keys and values for a command line so far."""

import contextlib
import os
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from pathlib import Path

from vae_cli.config.catalog import (
    CONFIG_DIR,
    base_names,
    chosen_options,
    config_dirs,
    options,
)
from vae_cli.config.commands import COMMANDS, PRESETS, TRAINING
from vae_cli.config.keys import groups_of, option_keys, plain_keys
from vae_cli.errors import VaeCliError
from vae_cli.plugins import VARIABLE, load_plugins
from vae_cli.registry import OPTIONS

FLAGS = ("--help", "--version", "--cfg", "--config-dir", "--plugin")
SHELLS = ("bash", "zsh", "fish")
RUN_KEYS = ("run", "resume")
FILES: dict[str, tuple[str, ...]] = {
    "dataset.path": (".npz", ".npy", ".h5", ".hdf5", ".parquet"),
    "dataset.labels": (".csv", ".txt", ".npy"),
    "dataset.data_dir": (),
    "images": (),
    "run_dir": (),
    "output_root": (),
}
"""Key -> suffixes of the files that it names; folders are offered, too."""
MAX_RUNS = 50


def candidates(line: str, names: Iterable[str] = ()) -> list[str]:
    """Return the words that may stand where a command line ends.

    Args:
        line: from the command's name up to the cursor.
        names: commands and tools of `vae`.

    Returns:
        whole words; those that end in `=`, `/` or `.` are to be continued.
    """
    words = line.split()
    if line[-1:].isspace():
        words.append("")
    if len(words) < 2:
        return []
    program, *rest, current = words
    named = [after for word, after in pairwise(rest) if word == "--plugin"]
    if named or os.environ.get(VARIABLE):
        with contextlib.suppress(VaeCliError):  # the command itself says what is wrong
            load_plugins(named)
    name = Path(program).name
    if name == "vae":
        if not rest:
            return _starting(current, [*names, "--help", "--version"])
        name, *rest = rest
    matching = _of(name.removeprefix("vae-"), rest, current)
    return sorted(dict.fromkeys(_starting(current, matching)))


def _of(name: str, rest: Sequence[str], current: str) -> Iterable[str]:
    """Return the candidates after a command or tool and some words."""
    before = rest[-1] if rest else ""
    commands = [command.replace("_", "-") for command in COMMANDS]
    groups = [*OPTIONS, *PRESETS]
    if before in CONFIG_DIR:
        return _paths(current)
    if before == "--plugin":
        return _paths(current, (".py",))
    if name == "completion":
        return SHELLS
    if name == "runs":
        return [*(() if rest else ("diff", "delete")), *_paths(current)]
    if name == "cache":
        return () if rest else ("clear", "path", "--help")
    if name == "list":
        return [*groups, "--config-dir", "--help"]
    if name == "copy":
        own = config_dirs(rest)
        return [
            *(f"{group}/{o}" for group in groups for o in options(group, own)),
            *(_paths(current) if rest else ()),
        ]
    if name == "launch":
        if "train" not in rest:
            return ("--workers", "train")
        return _override("train", rest, current)
    if name in ("show", "validate"):
        if not rest:
            return commands
        return _override(rest[0].replace("-", "_"), rest[1:], current)
    return _override(name.replace("-", "_"), rest, current)


def _override(command: str, words: Sequence[str], current: str) -> Iterable[str]:
    """Return the flags, keys and values of a command."""
    if command not in COMMANDS:
        return ()
    schema = COMMANDS[command]
    groups = [*groups_of(schema), *(PRESETS if command in TRAINING else ())]
    keys = dict(plain_keys(schema))
    chosen = chosen_options(command, words)
    bases = base_names(chosen, words)
    for group, base in bases.items():
        keys |= option_keys(group, base) if base in OPTIONS[group] else {}
    if words and words[-1] in ("--help", "-h"):
        return [*groups, *keys]
    if words and words[-1] == "--cfg":
        return ("job", "hydra", "all")
    if current.startswith("-"):
        return (*FLAGS, "-m") if command == "train" else FLAGS
    key, equals, value = current.partition("=")
    if not equals:
        names = [f"{name}=" for name in chain(groups, keys)]
        return [n for n in names if current or "." not in n]
    prefix = f"{key}="
    if {"-m", "--multirun"} & set(words):  # the last of several values
        prefix += value[: value.rfind(",") + 1]
        value = value[value.rfind(",") + 1 :]
    return [prefix + text for text in _values(key, value, groups, keys, words)]


def _values(
    key: str,
    value: str,
    groups: Sequence[str],
    keys: dict,
    words: Sequence[str],
) -> Iterable[str]:
    """Return the values that a key takes."""
    if key in groups:
        return options(key, config_dirs(words))
    if key in RUN_KEYS:
        return ["latest", *_runs(words), *_paths(value)]
    if key in FILES:
        return _paths(value, FILES[key])
    if key not in keys:
        return ()
    spec, hint = keys[key]
    if spec.metadata["choices"]:
        return spec.metadata["choices"]
    return ("true", "false") if hint is bool else ()


def _starting(current: str, matching: Iterable[str]) -> list[str]:
    return [word for word in matching if word.startswith(current)]


def _runs(words: Sequence[str]) -> list[str]:
    """Return the newest run folders, those of sweeps included."""
    roots = [w.partition("=")[2] for w in words if w.startswith("output_root=")]
    root = Path(roots[-1] if roots else "outputs")
    runs = [
        str(config.parent)
        for depth in ("*/*", "*/*/*")
        for config in root.glob(f"{depth}/config.yaml")
    ]
    return sorted(runs)[-MAX_RUNS:]


def _paths(value: str, suffixes: tuple[str, ...] = ()) -> list[str]:
    """Return the folders, and the files of a kind, that a path may go on to."""
    folder, _, start = value.rpartition("/")
    head = f"{folder}/" if "/" in value else ""
    try:
        entries = sorted(Path(head or ".").iterdir())
    except OSError:
        return []
    shown = [e for e in entries if start.startswith(".") or not e.name.startswith(".")]
    return [
        head + entry.name + ("/" if entry.is_dir() else "")
        for entry in shown
        if entry.is_dir() or entry.suffix in suffixes
    ]
