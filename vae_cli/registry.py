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
from collections.abc import Callable
from typing import Any, TypeVar

from vae_cli.errors import ConfigError

T = TypeVar("T")

OPTIONS: dict[str, dict[str, type]] = {}
"""Group -> name -> dataclass of its options; `vae_cli.config.train` fills it."""

IMPLEMENTED_IN = {
    "dataset": ("vae_cli.data.sources",),
    "architecture": ("vae_cli.models.architectures",),
    "likelihood": ("vae_cli.models.likelihood",),
    "prior": ("vae_cli.models.prior",),
    "hierarchy": ("vae_cli.models.hierarchy",),
    "conditioning": ("vae_cli.models.conditioning",),
    "corruption": ("vae_cli.data.corruption", "vae_cli.data.masks"),
    "objective": ("vae_cli.models.objective", "vae_cli.models.feature_objective"),
    "kl_annealing": ("vae_cli.training.kl_annealing",),
    "optimizer": ("vae_cli.training.optimizer",),
    "learning_rate_schedule": ("vae_cli.training.learning_rate_schedule",),
    "distribution": ("vae_cli.training.strategies",),
}
"""Group -> modules that build its shipped options; imported when one is built."""

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
        ConfigError: there is no such group, or another class has the name.
    """

    def add(options: type[T]) -> type[T]:
        if group not in IMPLEMENTED_IN:
            raise ConfigError(
                f"{group} is not a config group.",
                f"choose one of: {', '.join(IMPLEMENTED_IN)}",
            )
        if not dataclasses.is_dataclass(options):
            raise ConfigError(
                f"{options.__name__} must be a dataclass: write @dataclass below "
                f'@register("{group}", "{name}").'
            )
        having = OPTIONS.setdefault(group, {})
        # a notebook's cell or a reloaded module defines its class again
        if name in having and having[name].__module__ != options.__module__:
            raise ConfigError(
                f"{group}={name} is registered already, by {having[name].__module__}.",
                "choose another name",
            )
        having[name] = options
        if _loading:
            _origins[options] = _loading[-1]
        return options

    return add


def builds(options: type) -> Callable[[T], T]:
    """Say what builds an option: a class or a function that takes it first."""

    def add(builder: Any) -> Any:
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
            return _builders[ancestor](config, *arguments, **keywords)
    raise ConfigError(
        f"{group}={config.name} has options and nothing that builds it.",
        f"write @builds({type(config).__name__}) above its class",
    )


def begin_plugin(name: str) -> None:
    """Record that options registered from now on belong to a plugin."""
    _loading.append(name)


def end_plugin() -> None:
    """Note that a plugin is imported."""
    _loading.pop()


def origin_of(options: type) -> str:
    """Return the plugin that registered an option; empty for a shipped one."""
    return _origins.get(options, "")


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
