"""The record of a sweep, `sweep.yaml`: written, read, and compared on resume."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from vae_cli.commands.sweep.rehearsal import Rehearsal, is_override
from vae_cli.config.compose import override, overrides_of
from vae_cli.config.train import TrainConfig
from vae_cli.errors import ConfigError, RunError, UsageError
from vae_cli.runs.differences import config_values
from vae_cli.runs.find import open_run
from vae_cli.runs.sweep_folder import SweepFolder

KEPT = re.compile(
    r"hydra/sweeper=(basic|optuna)|hydra/launcher=(basic|joblib|submitit_local)"
    r"|hydra\.sweeper\.(n_trials|n_jobs|sampler|startup_trials|seed|study_name"
    r"|max_batch_size|params\.[\w.]+)=.*"
)
"""Hydra overrides that a record may hold; none of them can run code."""
RESUME = "sweep.resume"
LATEST = ("init_from=latest", "init_from.run=latest")


def resumed(words: Sequence[str]) -> Path | None:
    """Return the folder that `sweep.resume=` names; None without that key.

    Raises:
        UsageError: `hydra.sweep.dir=` names another folder.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(overrides_of(list(words)))
    named = {override.get_key_element(): override for override in parsed}
    if RESUME not in named or named[RESUME].value() is None:
        return None
    if "hydra.sweep.dir" in named:
        raise UsageError(
            "sweep.resume= continues in its own folder; leave out hydra.sweep.dir=."
        )
    return Path(str(named[RESUME].value()))


def completed(words: Sequence[str], record: dict[str, Any]) -> list[str]:
    """Return the words of the record, with typed ones added or replaced.

    Raises:
        RunError: a word of the record is not an override.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_overrides(record["words"])
    except HydraException as error:
        raise RunError(
            "sweep.yaml is damaged: it has words that are no overrides.",
            str(error).splitlines()[0],
            "start a new sweep; vae-evaluate run=<folder> still compares its jobs",
        ) from error
    typed = {_key(word): word for word in words if is_override(word)}
    flags = [word for word in words if not is_override(word)]
    before = {_key(word): word for word in record["words"] if _is_kept(word)}
    # the order of keys is part of the names of jobs, so it must not change
    ordered = [typed.get(key, word) for key, word in before.items()]
    added = [word for key, word in typed.items() if key not in before]
    return [*flags, *ordered, *added]


def settled(words: Sequence[str]) -> list[str]:
    """Return the words of a new sweep, of which a record can be kept.

    `init_from=latest` becomes the folder that it stands for now: a job would take it
    for the job before it.

    Raises:
        RunError: there is no latest run.
        UsageError: all parameters of a search are in one word.
    """
    typed = {_key(word): word.partition("=")[2] for word in words if is_override(word)}
    if typed.get("hydra.sweeper.params", "null") != "null":
        raise UsageError(
            "hydra.sweeper.params= has all parameters in one word, which a resumed "
            "sweep can't complete.",
            "type each: 'hydra.sweeper.params.latent_dim=choice(2,8)'",
        )
    source = [word for word in words if word in LATEST]
    if not source:
        return list(words)
    root = typed.get("output_root", TrainConfig.output_root)
    path = open_run("latest", root, key="init_from").path.absolute()
    (settled_word,) = override("init_from.run", str(path))
    return [settled_word if word in source else word for word in words]


def record_of(
    words: Sequence[str], rehearsal: Rehearsal, before: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the record of a sweep.

    Args:
        words: the overrides and flags of the sweep.
        rehearsal: the checked jobs of these words.
        before: the record of the sweep that is resumed, if any.
    """
    now = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
    return {
        "started": (before or {}).get("started", now),
        "minimises": f"best_{rehearsal.jobs[0][1].objective.bound}",
        "varied": rehearsal.varied,
        "words": [w for w in words if _is_kept(w) and not w.startswith("sweep.")],
        "config": _common(rehearsal),
    }


def check_record(
    folder: SweepFolder, record: dict[str, Any], rehearsal: Rehearsal
) -> None:
    """Refuse to resume a sweep whose config has changed.

    Raises:
        ConfigError: naming the keys that differ.
    """
    advice = (
        f"to resume it unchanged: vae-train -m sweep.resume={folder}",
        "for another config, start a new sweep",
    )
    if sorted(record.get("varied") or ()) != sorted(rehearsal.varied):
        raise ConfigError(
            f"the sweep {folder} varies {_listed(record.get('varied'))}, and this one "
            f"{_listed(rehearsal.varied)}.",
            *advice,
        )
    before, now = record["config"], _common(rehearsal)
    changed = [
        f"{key}: {before[key]} before, {value} now"
        for key, value in now.items()
        if key in before and before[key] != value
    ]
    if changed:
        raise ConfigError(
            f"the config of the sweep {folder} has changed:", *changed, *advice
        )


def _common(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return the values that all jobs share, by dotted key, as YAML loads them."""
    configs = [config_values(config) for _, config in rehearsal.jobs]
    common = {
        key: value
        for key, value in configs[0].items()
        if all(key in other and other[key] == value for other in configs)
    }
    return dict(yaml.safe_load(yaml.safe_dump(common, sort_keys=False)))


def _is_kept(word: str) -> bool:
    own = not word.lstrip("+~").startswith("hydra")
    return is_override(word) and (own or bool(KEPT.fullmatch(word)))


def _key(word: str) -> str:
    return word.partition("=")[0]


def _listed(keys: Any) -> str:
    return ", ".join(map(str, keys)) if isinstance(keys, list) and keys else "nothing"
