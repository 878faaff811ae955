"""A set of configs in which every two options that go together meet at least once.

    python -m tests.combinations.covering

draws it anew, where AXES or the rules of configs have changed, and writes it to
`choices.json` in this folder. Three defects in four sit where two features meet; every
pair of options fits into some fifty runs, all combinations would take thousands.
"""

import itertools
import json
import random
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from tests.combinations.axes import AXES
from vae_cli.config.load import load
from vae_cli.config.train import TrainConfig
from vae_cli.errors import ConfigError
from vae_cli.paths import configs_dir
from vae_cli.registry import OPTIONS as GROUPS

Choice = dict[str, str]
"""Axis -> the value chosen, a name in AXES[axis]."""

COVERING = Path(__file__).with_name("choices.json")
"""Choices that were drawn, and the pairs that no valid config has."""
DRAWS = 40
"""Choices that are drawn before a pair is taken to be impossible."""
STEPS = 25
"""Changes that are tried before a drawn choice is given up."""
BASE = (
    "dataset=npz",
    "dataset.path=images.npz",
    "dataset.validation_size=20",
    "epochs=1",
    "batch_size=300",
    "latent_dim=4",
)


def overrides(choice: Choice) -> list[str]:
    """Return the command line of a choice."""
    words = [w for axis, value in choice.items() for w in AXES[axis][value]]
    return [*BASE, *words]


def covering(seed: int = 2, tries: int = 6) -> tuple[list[Choice], set[frozenset]]:
    """Return choices that cover all pairs, and pairs that no valid config has."""
    rng = random.Random(seed)
    pairs = {
        frozenset(((a, x), (b, y)))
        for a, b in itertools.combinations(AXES, 2)
        for x in AXES[a]
        for y in AXES[b]
    }
    found: list[Choice] = []
    impossible: set[frozenset] = set()
    while pairs:
        pair = min(pairs, key=lambda p: sorted(p))
        drawn = (_completed(pair, found, rng) for _ in range(DRAWS))
        candidates = list(itertools.islice(filter(None, drawn), tries))
        if not candidates:
            pairs.remove(pair)
            impossible.add(pair)
            continue
        improved = [_improved(choice, pair, pairs, rng) for choice in candidates]
        best = max(improved, key=lambda choice: len(_pairs(choice) & pairs))
        found.append(best)
        pairs -= _pairs(best)
    found = _cheaper(found)
    return found, impossible.difference(*map(_pairs, found))  # drawn too seldom


def _improved(
    choice: Choice, pair: frozenset, wanted: set[frozenset], rng: random.Random
) -> Choice:
    """Return a choice with a pair, changed while that adds pairs that are wanted."""

    def gain(axis: str, value: str) -> int:
        return sum(
            frozenset(((axis, value), other)) in wanted
            for other in choice.items()
            if other[0] != axis
        )

    axes = sorted(AXES.keys() - dict(pair).keys())
    changed = True
    while changed:
        changed = False
        rng.shuffle(axes)
        for axis in axes:
            own = gain(axis, choice[axis])
            gains = {value: gain(axis, value) for value in AXES[axis]}
            for value in sorted(gains, key=lambda value: -gains[value]):
                other = {**choice, axis: value}
                if gains[value] > own and not problems(other):
                    choice, changed = other, True
                    break
    return choice


CHEAP = {
    "replicas": "one",
    "xla": "auto",
    "precision": "float32",
    "architecture": "dense",
    "objective": "elbo",
}
"""Axis -> the value that takes the least time."""


def _cheaper(choices: list[Choice]) -> list[Choice]:
    """Return choices that cover the same pairs in less time."""
    counts = Counter(pair for choice in choices for pair in _pairs(choice))
    kept = []
    for choice in choices:
        if all(counts[pair] > 1 for pair in _pairs(choice)):
            counts.subtract(_pairs(choice))
            continue
        for axis, value in CHEAP.items():
            other = {**choice, axis: value}
            lost = _pairs(choice) - _pairs(other)
            if all(counts[pair] > 1 for pair in lost) and not problems(other):
                counts.subtract(lost)
                counts.update(_pairs(other) - _pairs(choice))
                choice = other
        kept.append(choice)
    return kept


def _pairs(choice: Choice) -> set[frozenset]:
    return {frozenset(two) for two in itertools.combinations(choice.items(), 2)}


def _completed(
    pair: frozenset, found: list[Choice], rng: random.Random
) -> Choice | None:
    """Return a valid choice with a pair: drawn, then changed towards fewer problems."""
    fixed = dict(pair)
    if found and rng.random() < 0.5:  # a valid one has fewer problems to begin with
        choice = {**rng.choice(found), **fixed}
    else:
        choice = {a: fixed.get(a) or rng.choice(list(AXES[a])) for a in AXES}
    left = problems(choice)
    for _ in range(STEPS):
        if not left:
            return choice
        axis = rng.choice([axis for axis in AXES if axis not in fixed])
        other = {**choice, axis: rng.choice(list(AXES[axis]))}
        found = problems(other)
        if found <= left:
            choice, left = other, found
    return None


def problems(choice: Choice) -> int:
    """Return how many problems a choice's config has."""
    values = {
        key: dict(value) if isinstance(value, dict) else value
        for key, value in _default().items()
    }
    for word in overrides(choice):
        key, _, text = word.partition("=")
        if key in GROUPS:
            values[key] = dict(_option(key, text))
    for word in overrides(choice):
        key, _, text = word.partition("=")
        if key in GROUPS:
            continue
        *group, name = key.split(".")
        place = values[group[0]] if group else values
        place[name] = _parsed(text)
    try:
        load(TrainConfig, values)
    except ConfigError as error:
        return len(error.args)
    return 0


@cache
def _parsed(text: str) -> Any:
    return yaml.safe_load(text)


@cache
def _option(group: str, name: str) -> tuple[tuple[str, Any], ...]:
    return tuple(_composed(f"{group}={name}")[group].items())


@cache
def _default() -> dict[str, Any]:
    return _composed()


def _composed(*words: str) -> dict[str, Any]:
    """Return what Hydra composes, unchecked."""
    with initialize_config_dir(str(configs_dir()), version_base="1.3"):
        values = OmegaConf.to_container(compose("train", list(words)), resolve=True)
    return dict(values)


def write() -> None:
    """Draw a covering and write it."""
    choices, impossible = covering()
    pairs = sorted(sorted(pair) for pair in impossible)
    lines = ",\n".join(f"  {json.dumps(choice)}" for choice in choices)
    clash = ",\n".join(f"  {json.dumps(pair)}" for pair in pairs)
    text = f'{{"choices": [\n{lines}\n],\n"impossible": [\n{clash}\n]}}\n'
    COVERING.write_text(text)


def read() -> tuple[list[Choice], set[frozenset]]:
    """Return the covering that was written: choices, and pairs that go not together."""
    content = json.loads(COVERING.read_text())
    pairs = {frozenset(map(tuple, pair)) for pair in content["impossible"]}
    return content["choices"], pairs


if __name__ == "__main__":
    write()
