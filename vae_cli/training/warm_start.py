"""Starting from the weights of another run, as far as they fit."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from vae_cli.config.init_from import ALL
from vae_cli.config.train import TrainConfig
from vae_cli.errors import RunError
from vae_cli.models.vae import VAE
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.trained import load_trained
from vae_cli.text import shortened

SHOWN = 4
"""Weights that a message names."""

log = logging.getLogger(__name__)


def start_from(vae: VAE, config: TrainConfig) -> None:
    """Give a model the weights of the run that `init_from` names.

    Weights are matched by network, layer and name. What has another shape, or isn't
    in both models, keeps its random start, which is told.

    Raises:
        RunError: the run can't be opened, or none of its weights fits, or not all of
            the network that `freeze` keeps.
    """
    folder = RunFolder(Path(str(config.init_from.run)))
    source_config, spec = folder.load_config(), folder.load_spec()
    source = load_trained(folder, source_config, spec, "best")
    parts = config.init_from.parts
    wanted = dict(_named(vae, parts))
    given = dict(_named(source, parts))
    taken, left = [], []
    for name, variable in wanted.items():
        other = given.get(name)
        if other is not None and tuple(other.shape) == tuple(variable.shape):
            variable.assign(other)
            taken.append(name)
        else:
            left.append(f"{name} {list(variable.shape)}{_other_shape(other)}")
    if not taken:
        raise RunError(
            f"init_from={folder}: none of its weights fits this model.",
            f"not fitting: {', '.join(shortened(left, SHOWN))}",
            "use the sizes of that run (its config.yaml), or leave init_from out",
        )
    frozen = _networks(vae, config.freeze) if config.freeze else []
    kept = tuple(f"{network.name}/" for network in frozen)
    loose = [name for name in left if name.startswith(kept)]
    if loose:
        raise RunError(
            f"freeze={config.freeze} would keep weights at random that don't fit: "
            f"{', '.join(shortened(loose, SHOWN))}",
            f"use the sizes of init_from={folder} (its config.yaml), or leave out "
            f"freeze={config.freeze}",
        )
    log.info(
        "init_from=%s: %d of %d weights taken%s",
        folder,
        len(taken),
        len(wanted),
        f"; at random: {', '.join(shortened(left, SHOWN))}" if left else "",
    )


def freeze(vae: VAE, part: str | None) -> None:
    """Leave a network out of training; before the optimizer is built."""
    if part is None:
        return
    count = 0
    for network in _networks(vae, part):
        network.trainable = False
        count += len(network.weights)
    log.info("freeze=%s: its %d weights stay as they are", part, count)


def _networks(vae: VAE, part: str) -> list[keras.layers.Layer]:
    """Return what a part consists of: the encoder is all that makes q(z|x)."""
    own: keras.Model = getattr(vae, part)
    return vae.inference_networks if own is vae.encoder else [own]


def _named(vae: VAE, parts: str) -> Iterator[tuple[str, Any]]:
    """Yield the weights of a model, or of one of its networks, with their names."""
    chosen = vae.layers if parts == ALL else _networks(vae, parts)
    for layer in vae.layers:
        if any(layer is network for network in chosen):
            for weight in layer.weights:
                yield f"{layer.name}/{weight.path}", weight


def _other_shape(other: Any) -> str:
    return " (not in that run)" if other is None else f" (there {list(other.shape)})"
