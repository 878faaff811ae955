"""Whether a config can be trained on images; imports no TensorFlow."""

import logging
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vae_cli.config.catalog import option_values
from vae_cli.config.sweep import SweepConfig
from vae_cli.config.train import TrainConfig
from vae_cli.errors import ConfigError, DataError
from vae_cli.training.memory import check_training

if TYPE_CHECKING:
    from vae_cli.data.splits import ImageData

log = logging.getLogger(__name__)


def check_no_sweep(config: TrainConfig, overrides: Sequence[str]) -> None:
    """Refuse options of sweeps without `-m`.

    Args:
        config: of the run.
        overrides: as typed.

    Raises:
        ConfigError: an option of sweeps is set, or the recipe is a search.
    """
    own = [word for word in overrides if word.startswith("sweep.")]
    if config.sweep != SweepConfig():
        raise ConfigError(
            f"{' '.join(own) or 'sweep.'} is an option of sweeps, and this is one run.",
            f"for a sweep: vae-train -m {shlex.join(overrides)}",
        )
    typed = dict(word.partition("=")[::2] for word in overrides)
    recipe = option_values("experiment", typed.get("experiment", ""))
    if any("/hydra/sweeper" in str(entry) for entry in recipe.get("defaults") or ()):
        raise ConfigError(
            f"experiment={typed['experiment']} is a search over many runs.",
            f"vae-train -m {shlex.join(overrides)}",
        )


def check_images(config: TrainConfig, data: "ImageData") -> None:
    """Refuse images that a model can't be trained on, before it is built.

    Raises:
        ConfigError: model or batch take more memory than there is.
        DataError: the images lack what the config needs.
    """
    check_training(config, data.spec.image_shape, len(data.train))
    if config.conditioning.on_labels:
        data.check_labelled()
        _warn_of_missing_classes(data)
    problem = config.likelihood.problem_with(data.spec.pixels)
    if problem:
        raise DataError(f"{problem[0]}.", problem[1])
    if data.spec.binary and not config.objective.takes_binary_images:
        raise DataError(
            f"objective={config.objective.name} needs images with levels between black "
            "and white: every pixel of these is 0 or 1, and its discriminator would "
            "trivially separate them from pixel means.",
            "use objective=elbo, iwae or perceptual",
        )


def _warn_of_missing_classes(data: "ImageData") -> None:
    """Warn of classes that a conditional model learns nothing about."""
    having = set(data.spec.labels or ())
    splits = {"validation": data.validation, "test": data.test}
    for name, split in splits.items():
        if split is None or split.labels is None:
            continue
        missing = sorted({int(label) for label in split.labels} - having)
        if missing:
            log.warning(
                "no training image is of class %s, and some %s images are: the model "
                "learns nothing about it",
                ", ".join(data.spec.class_name(label) for label in missing),
                name,
            )
