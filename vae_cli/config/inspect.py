"""Options of `vae-inspect`: those of training, and a few of its own."""

from dataclasses import dataclass

from vae_cli.config.option import option
from vae_cli.config.train import TrainConfig

MAX_PICTURES = 1000
"""Largest number of images in a contact sheet."""


@dataclass
class InspectConfig(TrainConfig):
    """`vae-inspect`: what `vae-train` would do with the same overrides."""

    run: str | None = option(
        "inspect the images and the model of this run folder (or latest) instead; only "
        "dataset.path, output_root and the keys below can be combined with it",
        default=None,
    )
    num_images: int = option(
        "images in the contact sheet, drawn by `dataset.seed`",
        at_least=1,
        at_most=MAX_PICTURES,
        default=64,
    )
    measure: bool = option(
        "time an epoch by a few training steps, whose results are discarded",
        default=True,
    )
    output: str | None = option(
        "folder of the report; inspection/ if null, in the run's folder with run=",
        default=None,
    )

    def problems(self) -> list[str]:
        """Return inconsistencies, one sentence each."""
        problems = super().problems()
        if self.resume is not None:
            problems.append(
                f"resume={self.resume} continues a run; to inspect it: "
                f"run={self.resume}"
            )
        return problems
