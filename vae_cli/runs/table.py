"""The table of `vae runs`: what each run folder says of its run."""

import math
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from functools import cached_property
from typing import Any, NamedTuple

from vae_cli.config.keys import all_keys
from vae_cli.config.train import TrainConfig
from vae_cli.errors import ConfigError, PluginError, VaeCliError, closest
from vae_cli.runs.folder import STATES, RunFolder
from vae_cli.runs.metrics_file import read_rows
from vae_cli.text import printable

UNREADABLE, NEEDS_PLUGIN = "unreadable", "needs plugin"
"""States of runs whose config can't be read."""


class RunSummary:
    """What a run folder says of a run, read when it is asked for.

    Args:
        run: the folder, whose files may be missing or damaged.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.config: TrainConfig | None = None
        self.state, self.epoch = UNREADABLE, 0
        try:
            config, status = run.load_config(), run.status()
        except PluginError:
            self.state = NEEDS_PLUGIN
        except VaeCliError:
            pass
        else:
            self.config = config
            self.state, self.epoch = str(status["state"]), status["epoch"]

    @cached_property
    def best(self) -> dict[str, float]:
        """The row of `metrics.csv` with the smallest bound; empty without one."""
        if self.config is None:
            return {}
        bound = f"val_{self.config.objective.bound}"
        try:
            rows = read_rows(self.run.metrics_csv)
        except VaeCliError:
            return {}
        measured = [row for row in rows if math.isfinite(row.get(bound, math.nan))]
        return min(measured, key=lambda row: row[bound], default={})

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """`metrics.json`; empty before a run has finished."""
        try:
            return self.run.read_json(self.run.metrics_json)
        except VaeCliError:
            return {}

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        """What `vae-evaluate` found on test images; empty before."""
        try:
            return self.run.read_json(self.run.evaluation / "test.json")
        except VaeCliError:
            return {}

    @cached_property
    def _variants(self) -> dict[str, Any]:
        try:
            recorded = self.run.read_json(self.run.environment_file).get("variants")
        except VaeCliError:
            return {}
        return recorded if isinstance(recorded, dict) else {}

    def option(self, key: str) -> Any:
        """Return the value of a config key; of a group the option that was typed."""
        value: Any = self.config
        for part in key.split("."):
            value = getattr(value, part, None)
        if is_dataclass(value):
            variant = self._variants.get(key)
            return variant if isinstance(variant, str) else getattr(value, "name", None)
        return value

    @property
    def test_bound(self) -> Any:
        """-ELBO of the test images at the end of training, nats per image."""
        test = self.metrics.get("test")
        return test.get("neg_elbo") if isinstance(test, dict) else None

    @property
    def minutes(self) -> Any:
        """How long training took."""
        seconds: Any = self.metrics.get("train_seconds")
        return seconds / 60 if _is_number(seconds) else None


class Column(NamedTuple):
    """A column beside those of config keys: its title, value and format."""

    title: str
    value: Callable[[RunSummary], Any]
    form: str = ""


COLUMNS = {
    "state": Column("state", lambda run: run.state),
    "epochs": Column("epochs", lambda run: f"{run.epoch}/{run.option('epochs')}"),
    "latent_dim": Column("z", lambda run: run.option("latent_dim")),
    "binarize": Column("binarize", lambda run: run.option("dataset.binarize")),
    "best_epoch": Column("best epoch", lambda run: run.best.get("epoch"), ".0f"),
    "val_neg_elbo": Column(
        "val neg. ELBO", lambda run: run.best.get("val_neg_elbo"), ".2f"
    ),
    "test_neg_elbo": Column("test neg. ELBO", lambda run: run.test_bound, ".2f"),
    "nll": Column("test NLL", lambda run: run.evaluation.get("nll"), ".2f"),
    "bits_per_dim": Column(
        "bits per dim", lambda run: run.evaluation.get("bits_per_dim"), ".4f"
    ),
    "minutes": Column("minutes", lambda run: run.minutes, ".1f"),
    "run": Column("run", lambda run: str(run.run)),
}
"""Name -> column; every config key is a column, too."""
SHOWN = (
    "state", "epochs", "dataset", "architecture", "latent_dim", "beta", "likelihood",
    "binarize", "best_epoch", "val_neg_elbo", "test_neg_elbo", "run",
)  # fmt: skip
"""Bounds compare within a data set, a likelihood and a binarization."""
ALWAYS = ("state", "run")
"""Columns of runs whose config can't be read."""


def check_columns(names: Sequence[str]) -> None:
    """Refuse what is neither a column nor a config key.

    Raises:
        ConfigError: naming the first, with the nearest.
    """
    known = [*COLUMNS, *all_keys(TrainConfig)]
    for name in names:
        if name not in known:
            guess = closest(name, known)
            raise ConfigError(
                f"{name} is no column" + (f"; did you mean {guess}?" if guess else "."),
                f"columns: {', '.join(COLUMNS)}, and every key of vae-train --help",
            )


def check_filters(filters: Sequence[tuple[str, str]]) -> None:
    """Refuse filters by unknown columns or states.

    Raises:
        ConfigError: naming the first, with what there is.
    """
    check_columns([key for key, _ in filters])
    for key, value in filters:
        if key == "state" and value not in (*STATES, UNREADABLE, NEEDS_PLUGIN):
            guess = closest(value, (*STATES, UNREADABLE, NEEDS_PLUGIN))
            raise ConfigError(
                f"state={value} is not a state"
                + (f"; did you mean state={guess}?" if guess else "."),
                f"states: {', '.join((*STATES, UNREADABLE))}, '{NEEDS_PLUGIN}'",
            )


def value_of(summary: RunSummary, name: str) -> Any:
    """Return what a run has in a column: text, a number, a list or None."""
    if summary.config is None and name not in ALWAYS:
        return None
    return COLUMNS[name].value(summary) if name in COLUMNS else summary.option(name)


def matches(summary: RunSummary, name: str, wanted: str) -> bool:
    """Return whether a run has a value, as it is typed, in a column."""
    if summary.config is None and name not in ALWAYS:
        return False
    value = value_of(summary, name)
    if _is_number(value):
        try:
            return float(wanted) == value
        except ValueError:
            return False
    text = {None: "null", True: "true", False: "false"}.get(value, str(value))
    return wanted == text


def ordered(runs: list[RunSummary], name: str) -> list[RunSummary]:
    """Return runs by a column, smallest first, those without a value at the end."""

    def key(summary: RunSummary) -> tuple[int, float, str]:
        value = value_of(summary, name)
        if _is_number(value) and math.isfinite(value):
            return 0, float(value), ""
        return (2, 0.0, "") if value is None else (1, 0.0, str(value))

    return sorted(runs, key=key)


def runs_table(runs: Sequence[RunSummary], columns: Sequence[str] = SHOWN) -> str:
    """Return a header, and one line a run."""
    titles = [COLUMNS[c].title if c in COLUMNS else c for c in columns]
    lines = [titles, *([_cell(summary, c) for c in columns] for summary in runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(summary: RunSummary, name: str) -> str:
    value = value_of(summary, name)
    if summary.config is None and name not in ALWAYS:
        return ""
    if not _is_number(value):
        return "-" if value is None else printable(value)
    form = COLUMNS[name].form if name in COLUMNS else ""
    form = form or ("g" if isinstance(value, float) else "")
    return format(value, form if abs(value) < 1e6 else ".3g")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
