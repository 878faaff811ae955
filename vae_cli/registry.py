"""Options and what they build: one way in, for shipped ones and for yours.

    @register("likelihood", "laplace")
    @dataclass
    class LaplaceConfig(LikelihoodConfig):
        scale: float = option("scale of a pixel", above=0, default=0.1)

    @builds(LaplaceConfig)
    class Laplace(Likelihood): ...

A registered option is composed, checked, listed and completed like a shipped one, with
a YAML file or without. Nothing here imports TensorFlow.
"""

import dataclasses
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from vae_cli.errors import ConfigError

T = TypeVar("T")

OPTIONS: dict[str, dict[str, type]] = {}
"""Group -> name -> dataclass of its options; `vae_cli.config.train` fills it."""

IMPLEMENTED_IN = {
    "dataset": (
        "vae_cli.data.sources",
        "vae_cli.data.factors",
        "vae_cli.data.npz",
        "vae_cli.data.npy",
        "vae_cli.data.hdf5",
        "vae_cli.data.folder",
        "vae_cli.data.huggingface",
        "vae_cli.data.tfds",
    ),
    "architecture": ("vae_cli.models.architectures",),
    "likelihood": (
        "vae_cli.models.likelihood",
        "vae_cli.models.discretized_logistic",
    ),
    "posterior": ("vae_cli.models.posterior",),
    "prior": ("vae_cli.models.prior", "vae_cli.models.flow_prior"),
    "hierarchy": ("vae_cli.models.hierarchy", "vae_cli.models.ladder_builder"),
    "latent": ("vae_cli.models.latent",),
    "conditioning": ("vae_cli.models.conditioning",),
    "corruption": ("vae_cli.data.corruption", "vae_cli.data.masks"),
    "objective": (
        "vae_cli.models.objective.base",
        "vae_cli.models.objective.iwae",
        "vae_cli.models.objective.feature",
        "vae_cli.models.objective.beta_tc",
        "vae_cli.models.objective.factor",
        "vae_cli.models.objective.dip",
        "vae_cli.models.objective.mmd",
        "vae_cli.models.objective.capacity",
        "vae_cli.models.objective.geco",
    ),
    "kl_annealing": ("vae_cli.training.kl_annealing",),
    "optimizer": ("vae_cli.training.optimizer",),
    "learning_rate_schedule": ("vae_cli.training.learning_rate_schedule",),
    "distribution": ("vae_cli.training.strategies",),
    "tracker": ("vae_cli.training.trackers.mlflow", "vae_cli.training.trackers.wandb"),
}
"""Group -> modules that build its shipped options; imported when one is built."""

BUILT = {
    "architecture": "vae_cli.models.architectures.base:Architecture",
    "likelihood": "vae_cli.models.likelihood:Likelihood",
    "prior": "vae_cli.models.prior:Prior",
    "objective": "vae_cli.models.objective:Elbo",
    "corruption": "vae_cli.data.corruption:Corruption",
    "tracker": "vae_cli.training.trackers:Tracker",
}
"""Group -> base class of what is built, where a user's class can build an option."""

NO_RULE: dict[str, Any] = {
    "doc": "",
    "by_size": False,
    **dict.fromkeys(("at_least", "above", "at_most", "below", "choices")),
}
"""Metadata of a field: its help text and the values it takes."""

_builders: dict[type, Callable[..., Any]] = {}
_origins: dict[type, str] = {}
_loading: list[str] = []
"""The plugin that is being imported, if any."""


def register(group: str, name: str) -> Callable[[type[T]], type[T]]:
    """Make a dataclass an option of a config group.

    Args:
        group: such as `likelihood`.
        name: what is typed: `likelihood=<name>`.

    Raises:
        ConfigError: there is no such group, the class is not a dataclass of options,
            or another class has the name.
    """

    def add(options: type[T]) -> type[T]:
        having = _checked(group, name, options)
        for spec in dataclasses.fields(options):  # type: ignore[arg-type]
            if "doc" not in spec.metadata:  # a plain field takes any value
                spec.metadata = MappingProxyType(NO_RULE)
        having[name] = options
        if _loading:
            _origins[options] = _loading[-1]
        return options

    return add


def _checked(group: str, name: str, options: type) -> dict[str, type]:
    """Return the options of a group, which another one may join."""
    if group not in IMPLEMENTED_IN:
        raise ConfigError(
            f"{group} is not a config group.",
            f"choose one of: {', '.join(IMPLEMENTED_IN)}",
        )
    if "__dataclass_params__" not in vars(options):  # its base's don't count
        raise ConfigError(
            f"{options.__name__} must be a dataclass: write @dataclass below "
            f'@register("{group}", "{name}").'
        )
    having = OPTIONS.setdefault(group, {})
    first = next(iter(having.values()), None)
    if first is not None and not issubclass(options, first.__mro__[-3]):
        base = first.__mro__[-3].__name__
        raise ConfigError(
            f"{options.__name__} must derive from vae_cli.{base} to be an option of "
            f"{group}."
        )
    # a notebook's cell or a reloaded module defines its class again
    again = name in having and having[name].__module__ == options.__module__
    if name in having and not (again and not _loading):
        raise ConfigError(
            f"{group}={name} is registered already, by "
            f"{origin_of(having[name]) or 'vae_cli'}.",
            "choose another name",
        )
    return having


def builds(options: type) -> Callable[[T], T]:
    """Register the class or the function that builds an option from its config.

    Raises:
        ConfigError: the options are not registered.
    """

    def add(builder: Any) -> Any:
        if not group_of(options):
            raise ConfigError(
                f"@builds({options.__name__}): it is not an option.",
                "write @register(<group>, <name>) and @dataclass above it, first",
            )
        _builders[options] = builder
        return builder

    return add


def build(config: Any, *arguments: Any, **keywords: Any) -> Any:
    """Build what an option stands for.

    Args:
        config: an option: the instance of a registered dataclass.
        *arguments: what builders of the group take besides.
        **keywords: likewise.

    Raises:
        ConfigError: nothing builds it.
    """
    group = group_of(type(config))
    for module in IMPLEMENTED_IN.get(group, ()):
        importlib.import_module(module)
    for ancestor in type(config).__mro__:
        if ancestor in _builders:
            _check_base(group, _builders[ancestor])
            return _builders[ancestor](config, *arguments, **keywords)
    raise ConfigError(
        f"{group}={config.name} has options and nothing that builds it.",
        f"write @builds({type(config).__name__}) above its class",
    )


def _check_base(group: str, builder: Any) -> None:
    """Refuse a class that doesn't derive from the base of its group."""
    if group in BUILT and isinstance(builder, type):
        module, _, name = BUILT[group].partition(":")
        if not issubclass(builder, getattr(importlib.import_module(module), name)):
            raise ConfigError(
                f"{builder.__name__}, which builds an option of {group}, must derive "
                f"from vae_cli.{name}."
            )


def begin_plugin(name: str) -> None:
    """Record that options registered from now on belong to a plugin."""
    _loading.append(name)


def end_plugin() -> None:
    """Record that a plugin is imported."""
    _loading.pop()


def origin_of(options: type) -> str:
    """Return the plugin that an option comes from; empty for a shipped one.

    It is what was named, or else the file or the module that defines the class.
    """
    module = options.__module__
    if options in _origins or module.partition(".")[0] == "vae_cli":
        return _origins.get(options, "")
    file = getattr(sys.modules.get(module), "__file__", None)
    return str(Path(file).absolute()) if file else module


def option_named(group: str, name: str) -> Any:
    """Return an option of a group with its defaults.

    Raises:
        ConfigError: there is no such option.
    """
    if name not in OPTIONS[group]:
        raise ConfigError(
            f"{group}={name} is not available.",
            f"choose one of: {', '.join(OPTIONS[group])}",
        )
    return OPTIONS[group][name]()


def group_of(options: type) -> str:
    """Return the group that an option belongs to; empty if to none."""
    for group, having in OPTIONS.items():
        if options in having.values():
            return group
    return ""


def name_of(options: type) -> str:
    """Return the name that an option is registered by; empty if by none."""
    for having in OPTIONS.values():
        for name, one in having.items():
            if one is options:
                return name
    return ""
