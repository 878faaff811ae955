"""The search space: Hydra's sweep syntax as Optuna's distributions."""

from collections.abc import Sequence
from typing import Any

from vae_cli.errors import ConfigError


class SearchSpace:
    """The overrides of a search.

    Args:
        words: `key=value`, or `key=` and a sweep of Hydra: `choice(a,b)` or `a,b`,
            `range(2,10,2)`, `interval(0.5,4)`, `int(interval(2,64))`;
            `tag(log, ...)` makes an interval logarithmic. The last word of a key
            counts.

    Attributes:
        fixed: the words with a single value.

    Raises:
        ConfigError: no key has several values.
    """

    def __init__(self, words: Sequence[str]) -> None:
        from hydra.core.override_parser.overrides_parser import OverridesParser

        parsed = OverridesParser.create().parse_overrides(list(words))
        last = {override.get_key_element(): override for override in parsed}
        self._searched = {k: o for k, o in last.items() if o.is_sweep_override()}
        self.fixed = [
            f"{key}={override.get_value_element_as_str()}"
            for key, override in last.items()
            if key not in self._searched
        ]
        if not self._searched:
            raise ConfigError(
                "hydra/sweeper=optuna has nothing to search: all keys have one value.",
                "give a range: beta='interval(0.5,4)' latent_dim='int(interval(2,64))'",
                "or use the recipe: vae-train -m experiment=tune",
            )

    def distributions(self) -> dict[str, Any]:
        """Return Optuna's distribution of each key.

        Raises:
            ConfigError: Optuna refuses an interval.
        """
        return {key: _distribution(o) for key, o in self._searched.items()}

    def ends(self) -> list[dict[str, Any]]:
        """Return jobs to check before the search: both ends of ranges, every choice.

        They differ from the first job in one key each.
        """
        values = {key: _ends(override) for key, override in self._searched.items()}
        first = {key: choices[0] for key, choices in values.items()}
        others = [
            {**first, key: value}
            for key, choices in values.items()
            for value in choices[1:]
        ]
        return [first, *others]


def _ends(override: Any) -> list[Any]:
    if not override.is_discrete_sweep():
        interval = override.value()
        return [interval.start, interval.end]
    values = list(override.sweep_string_iterator())
    return [values[0], values[-1]] if override.is_range_sweep() else values


def _distribution(override: Any) -> Any:
    """Return Optuna's distribution of one sweep override."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    sweep = override.value()
    log = "log" in (sweep.tags or ())
    if override.is_range_sweep() and not (sweep.shuffle or log):
        values = [float(value) for value in sweep.range()]
        low, high, step = min(values), max(values), abs(sweep.step)
        if isinstance(sweep.range(), range):
            return IntDistribution(int(low), int(high), step=step)
        return FloatDistribution(low, high, step=step)
    if override.is_interval_sweep():
        whole = isinstance(sweep.start, int) and isinstance(sweep.end, int)
        kind = IntDistribution if whole else FloatDistribution
        try:
            return kind(sweep.start, sweep.end, log=log)
        except ValueError as error:
            raise ConfigError(f"{override.input_line}: {error}") from error
    return CategoricalDistribution(list(override.sweep_string_iterator()))
