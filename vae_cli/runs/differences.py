"""Differences between two runs: config, data, environment, results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vae_cli.config.train import NOT_TRAINING, TrainConfig
from vae_cli.errors import VaeCliError
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.report import Section
from vae_cli.runs.table import COLUMNS, RunSummary
from vae_cli.text import printable

RESULTS = ("state", "epochs", "best_epoch", "val_neg_elbo", "test_neg_elbo", "nll")
ENVIRONMENT = ("packages", "python", "platform", "devices", "git", "plugins")
"""Keys of `environment.json` to compare; the others differ between any two runs."""
WIDEST = 36
"""Characters of a value in a table."""
DIGEST = 12
"""Digits of a SHA-256 in a table."""

Differences = dict[str, dict[str, Any]]
"""Dotted key -> values of `a` and `b`; a side that lacks the key is left out."""


def flattened(values: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Return nested values by dotted keys, as typed: the key of `name` is its group."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = at.removesuffix(".") if key == "name" and at else f"{at}{key}"
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{at}{key}.")
        else:
            flat[name] = value
    return flat


def config_values(config: TrainConfig) -> dict[str, Any]:
    """Return what was trained, by dotted keys, without `NOT_TRAINING`."""
    values = asdict(config).items()
    return flattened({k: value for k, value in values if k not in NOT_TRAINING})


def different(a: Mapping[str, Any], b: Mapping[str, Any]) -> Differences:
    """Return the keys whose values differ, grouped by their first part."""
    found: Differences = {}
    groups = [*dict.fromkeys(key.partition(".")[0] for key in (*a, *b))]
    keys = dict.fromkeys((*a, *b))
    for key in sorted(keys, key=lambda key: groups.index(key.partition(".")[0])):
        having = {name: x[key] for name, x in (("a", a), ("b", b)) if key in x}
        if len(having) < 2 or having["a"] != having["b"]:
            found[key] = having
    return found


def compare_runs(a: RunFolder, b: RunFolder) -> dict[str, Differences]:
    """Return what differs between two runs: `config`, `data`, `environment`, `results`.

    Other files than the config count as empty if they are missing or unreadable.

    Raises:
        RunError: the config of one can't be read.
    """
    configs = [config_values(run.load_config()) for run in (a, b)]
    data = [_read(run, "data.json") for run in (a, b)]
    environments = [
        {key: values[key] for key in ENVIRONMENT if key in values}
        for values in (_read(run, "environment.json") for run in (a, b))
    ]
    summaries = [RunSummary(run) for run in (a, b)]
    results = [{key: COLUMNS[key].value(each) for key in RESULTS} for each in summaries]
    return {
        "config": different(*configs),
        "data": different(*map(flattened, data)),
        "environment": different(*map(flattened, environments)),
        "results": different(*results),
    }


def comparison_text(names: Sequence[str], found: Mapping[str, Differences]) -> str:
    """Return a comparison for a terminal: a table of each kind, `-` for nothing.

    Args:
        names: of the two runs.
        found: of `compare_runs`.
    """
    lines = [f"a  {printable(names[0])}", f"b  {printable(names[1])}", ""]
    for kind, keys in found.items():
        if not keys:
            lines += [f"{kind}: the same", ""]
            continue
        rows: list[tuple[Any, ...]] = [
            (key, *(_short(shown(values, name)) for name in "ab"))
            for key, values in keys.items()
        ]
        lines += Section(kind, rows, ("", "a", "b")).text()
    return "\n".join(lines).rstrip()


def shown(values: Mapping[str, Any], name: str) -> str:
    """Return the value of `a` or `b` as typed; `-` if it is missing."""
    if name not in values:
        return "-"
    value = values[name]
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{','.join(map(str, value))}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def _short(text: str) -> str:
    if len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return f"{text[:DIGEST]}..."
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."


def _read(run: RunFolder, name: str) -> dict[str, Any]:
    try:
        return run.read_json(run.path / name)
    except VaeCliError:
        return {}
