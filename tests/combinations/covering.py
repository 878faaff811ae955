"""A set of configs in which every two options that go together meet at least once.

Three defects in four sit where two features meet; every pair of options fits into some
fifty runs, all combinations would take thousands.
"""

import copy
import itertools
import random
from collections import Counter
from functools import cache
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from vae_cli.config.load import load
from vae_cli.config.train import TrainConfig
from vae_cli.errors import ConfigError
from vae_cli.paths import configs_dir
from vae_cli.registry import OPTIONS as GROUPS

Choice = dict[str, str]
"""Axis -> the value chosen, a name in AXES[axis]."""

AXES: dict[str, dict[str, tuple[str, ...]]] = {
    "architecture": {
        "dense": ("architecture=gated_dense", "architecture.hidden_units=[8]"),
        "conv": ("architecture=conv", "architecture.filters=[2,3]"),
        "residual_conv": (
            "architecture=residual_conv",
            "architecture.filters=[2,3]",
            "architecture.blocks=1",
            "architecture.dense_units=6",
        ),
    },
    "normalization": {
        name: (f"architecture.normalization={name}",)
        for name in ("none", "batch", "layer")
    },
    "dropout": {rate: (f"architecture.dropout={rate}",) for rate in ("0.0", "0.2")},
    "likelihood": {
        name: (f"likelihood={name}",)
        for name in ("bernoulli", "gaussian", "continuous_bernoulli")
    }
    | {
        "mixture of logistics": (
            "likelihood=discretized_logistic",
            "likelihood.mixture=2",
        ),
    },
    "prior": {
        "standard": (),
        "mog": ("prior=mog", "prior.components=3"),
        "vamp": ("prior=vamp", "prior.components=3"),
        "vamp from data": (
            "prior=vamp",
            "prior.components=3",
            "prior.initialization=data",
        ),
    },
    "hierarchy": {
        "none": (),
        "two_level": ("hierarchy=two_level", "hierarchy.hidden_units=[6]"),
        # how many dimensions it has follows from its levels
        "ladder": ("hierarchy=ladder", "latent_dim=null"),
    },
    "conditioning": {
        "none": (),
        "label": ("conditioning=label",),
        "label, learned prior": (
            "conditioning=label",
            "conditioning.learned_prior=true",
        ),
        "observed": ("conditioning=observed", "conditioning.hidden_units=[6]"),
    },
    "corruption": {
        "none": (),
        # the others differ from these in where pixels change, not in what meets them
        **{
            name: (f"corruption={name}",)
            for name in ("gaussian_noise", "random_mask", "quadrants")
        },
        "half, any side": ("corruption=half", "corruption.side=random"),
    },
    "pixels": {
        "default": (),
        "observed": ("corruption.loss_on=observed",),
        "missing": ("corruption.loss_on=missing",),
    },
    "objective": {
        "elbo": (),
        "iwae": ("objective=iwae", "objective.importance_samples=2"),
        "iwae, doubly": (
            "objective=iwae",
            "objective.importance_samples=2",
            "objective.doubly_reparameterized=true",
        ),
        "perceptual": ("objective=perceptual",),
        "vae_gan": ("objective=vae_gan",),
    },
    "annealing": {name: (f"kl_annealing={name}",) for name in ("none", "cyclical")},
    "optimizer": {name: (f"optimizer={name}",) for name in ("adam", "adamax", "adamw")},
    "average": {"none": (), "0.9": ("optimizer.ema_decay=0.9",)},
    "clipping": {"none": (), "1": ("optimizer.clip_norm=1.0",)},
    "schedule": {
        "constant": (),
        "cosine": ("learning_rate_schedule=cosine",),
        "step": ("learning_rate_schedule=step",),
    },
    "pixel values": {
        name: (f"dataset.binarize={name}",)
        for name in ("none", "threshold", "static", "dynamic")
    }
    | {"with noise": ("dataset.dequantize=uniform",)},
    "augmentation": {"none": (), "both": ("dataset.augment=[flip,shift]",)},
    "free bits": {
        "none": (),
        "0.1": ("free_bits=0.1",),
        "1 a level": ("free_bits=1.0", "free_bits_per=level"),
    },
    "precision": {
        name: (f"precision={name}",)
        for name in ("float32", "mixed_bfloat16", "mixed_float16")
    },
    "xla": {"auto": (), "true": ("jit=true",)},
    "replicas": {
        "one": (),
        "two": ("distribution=mirrored", "distribution.devices=[CPU:0,CPU:1]"),
    },
    "validation": {"20": (), "none": ("dataset.validation_size=0",)},
    # records of MLflow and W&B are sent by another process, from the run folder
    "tracker": {"tensorboard": (), "none": ("tracker=none",)},
    "classes": {"all": (), "two of three": ("dataset.classes=[0,1]",)},
    "memory": {"held": (), "streamed": ("dataset.memory_mb=1",)},
}

STEPS = 50
"""Changes that are tried before a pair is taken to be impossible."""
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


def covering(seed: int = 0, tries: int = 3) -> tuple[list[Choice], set[frozenset]]:
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
        candidates = [c for _ in range(tries) if (c := _completed(pair, rng))]
        if not candidates:  # drawn anew, many times, before it is given up
            candidates = [c for _ in range(8) if (c := _completed(pair, rng))][:1]
        if not candidates:
            pairs.remove(pair)
            impossible.add(pair)
            continue
        best = max(candidates, key=lambda c: len(_pairs(c) & pairs))
        found.append(best)
        pairs -= _pairs(best)
        impossible -= _pairs(best)  # that were drawn too seldom
    return _cheaper(found), impossible


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


def _completed(pair: frozenset, rng: random.Random) -> Choice | None:
    """Return a valid choice with a pair: drawn, then changed towards fewer problems."""
    fixed = dict(pair)
    choice = {axis: fixed.get(axis) or rng.choice(list(AXES[axis])) for axis in AXES}
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
    values = copy.deepcopy(_default())
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
