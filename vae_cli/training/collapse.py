"""Posterior collapse: noticed in training, with its remedies."""

import logging
import math
from typing import Any

import keras

from vae_cli.config.train import TrainConfig
from vae_cli.training.checkpoints import Progress
from vae_cli.training.metrics import kl_of_level

log = logging.getLogger(__name__)

COLLAPSED_FRACTION = 0.1
"""Fewer active units than this fraction of the latent dimensions is a collapse."""
OFF = 0.1
"""Nats below which a level of a hierarchy is inactive."""
COLLAPSED_CODES = 0.02
"""A perplexity below this fraction of the codes is a collapse."""
MIN_STEPS = 100
"""Before so many steps, a posterior without active units has not trained yet."""
ENOUGH_STEPS = 1500
"""A run of fewer steps may not have trained for long enough."""


class CollapseWarning(keras.callbacks.Callback):
    """Warns once when the posterior ignores the images.

    Args:
        progress: remembers that the warning was given.
        config: names the remedies that aren't in force yet.
    """

    def __init__(self, progress: Progress, config: TrainConfig) -> None:
        super().__init__()
        self._progress = progress
        self._config = config

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Compare active units with the latent dimensions, after some training."""
        if "active_units" not in logs:
            self._check_codes(epoch, logs)
            return
        active = int(logs.get("val_active_units", logs["active_units"]))
        latent_dim = self._config.latent_dim
        steps = self._progress.step
        if epoch == 0 or steps < MIN_STEPS or self._progress.collapse_warned:
            return
        sizes = self.model.vae.level_sizes
        if len(sizes) > 1:
            self._check_levels(epoch, logs, len(sizes))
            return
        if active < max(1.0, COLLAPSED_FRACTION * latent_dim):
            self._progress.collapse_warned = True
            log.warning(
                "posterior collapse: %d of %d latent units active after epoch %d; the "
                "decoder ignores the others. Remedies, one at a time:\n  %s",
                active,
                latent_dim,
                epoch + 1,
                "\n  ".join(self._remedies(steps / (epoch + 1))),
            )

    def _check_levels(self, epoch: int, logs: dict[str, Any], levels: int) -> None:
        """Warn once of inactive levels, each by its number.

        Not by active units: a level of a large grid may do its work in few of them.
        """
        kl = [
            logs.get(f"val_{name}", logs[name])
            for name in map(kl_of_level, range(levels))
        ]
        off = [str(level) for level, nats in enumerate(kl) if nats < OFF]
        if not off:
            return
        self._progress.collapse_warned = True
        log.warning(
            "posterior collapse: %s of %d (0 is the top) inactive after epoch %d, with "
            "a KL below %g nats; the decoder ignores %s. Remedies, one at a time:\n"
            "  %s",
            f"level{'s' if len(off) > 1 else ''} {', '.join(off)}",
            levels,
            epoch + 1,
            OFF,
            "them" if len(off) > 1 else "it",
            "\n  ".join(self._remedies(self._progress.step / (epoch + 1), levels)),
        )

    def _check_codes(self, epoch: int, logs: dict[str, Any]) -> None:
        """Compare the perplexity of discrete codes with their number."""
        perplexity = logs.get("val_perplexity", logs["perplexity"])
        count = self._config.latent.num_codes
        steps, warned = self._progress.step, self._progress.collapse_warned
        if epoch == 0 or steps < MIN_STEPS or warned:
            return
        if perplexity < max(min(2.0, 0.75 * count), COLLAPSED_CODES * count):
            self._progress.collapse_warned = True
            log.warning(
                "codebook collapse: the perplexity of %s codes is %.1f after epoch %d; "
                "few of them are used. Remedies, one at a time:\n  %s",
                f"{count:,}",
                perplexity,
                epoch + 1,
                "\n  ".join(self._config.latent.collapse_remedies()),
            )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Say that a run without active units was too short to learn anything."""
        progress = self._progress
        active = (logs or {}).get("val_active_units", (logs or {}).get("active_units"))
        if active == 0 and 0 < progress.step < MIN_STEPS:
            log.warning(
                "no latent unit is active after %d steps, which are few: train longer, "
                "such as epochs=%d",
                progress.step,
                math.ceil(ENOUGH_STEPS * progress.epoch / progress.step),
            )

    def _remedies(self, steps_per_epoch: float, levels: int = 1) -> list[str]:
        config = self._config
        remedies = []
        steps = round(config.epochs * steps_per_epoch)
        if steps < ENOUGH_STEPS:
            epochs = math.ceil(ENOUGH_STEPS / steps_per_epoch)
            remedies.append(f"epochs={epochs}  ({steps:,} steps in all are few)")
        if not config.kl_annealing.anneals:
            remedies.append(
                "kl_annealing=linear kl_annealing.duration=10  (a smaller weight of "
                "the KL at first)"
            )
        if levels > 1 and config.objective.takes_free_bits:
            bits = 2 * config.free_bits if config.free_bits_per == "level" else 0
            remedies.append(
                f"free_bits={max(0.5, bits):g} free_bits_per=level  (KL per level that "
                "is not penalised, nats)"
            )
        elif config.takes_free_bits:
            remedies.append(
                f"free_bits={max(0.1, 2 * config.free_bits):g}  (KL per dimension "
                "that is not penalised, nats)"
            )
        if config.beta:
            remedies.append(f"beta={config.beta / 4:g}  (a smaller weight of the KL)")
        remedies.append(
            f"optimizer.learning_rate={config.optimizer.learning_rate / 3:.1g}  "
            "(smaller first steps)"
        )
        return remedies
