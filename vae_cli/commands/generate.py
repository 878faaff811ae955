"""`vae-generate`: images from a trained run."""

from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from vae_cli.commands._main import run_command
from vae_cli.commands._run import opened, options, suffix
from vae_cli.config.commands import GenerateConfig
from vae_cli.runs.data import check_outputs
from vae_cli.runs.densities import store_densities
from vae_cli.runs.report import writing
from vae_cli.visualize.own_precision import check_format

DRAWN = (
    "label", "num_images", "rows", "columns", "temperature", "spacing", "span", "dims",
    "level", "interpolation", "seed", "checkpoint",
)  # fmt: skip
"""Keys that change the picture: its name says those that aren't the defaults."""

OPTIONS = (
    "mode", "num_images", "rows", "columns", "label", "seed", "temperature",
    "batch_size", "spacing", "span", "dims", "level", "interpolation",
)  # fmt: skip
"""Keys that `Run.generate` takes."""


def main() -> NoReturn:
    """Entry point of `vae-generate`."""
    run_command("generate", generate)


def generate(config: GenerateConfig, overrides: list[str]) -> None:
    """Generate images and write them; prints the files written."""
    from vae_cli.visualize.files import figure_path

    output = figure_path(config.output) if config.output else None
    gif = figure_path(config.gif, "gif", (".gif",)) if config.gif else None
    run = opened(config)
    run.labels.check(config.label)  # before TensorFlow starts
    check_outputs(
        run.folder, run.config, output=output, save_npz=config.save_npz, gif=gif
    )
    if output is None:
        changed = suffix("generate", config, DRAWN)
        if config.prior.is_fitted:
            changed = f"-fitted{config.prior.components}{changed}"
        output = run.folder.samples / f"{config.mode}{changed}.{config.figure.format}"
    check_format(config.images_format, run.spec)
    generated = run.generate(**options(config, OPTIONS), prior=asdict(config.prior))
    store_densities(run.folder, run.checkpoint, run.densities)
    from vae_cli.visualize.samples import save_generated

    npz = Path(config.save_npz) if config.save_npz else None
    folder, images_format = config.images_dir, config.images_format
    advice = "choose another place: output=<file>, save_npz=<file>, images_dir=<folder>"
    with writing(output, advice):
        for file in save_generated(
            generated, output, npz, gif, folder, images_format, config.figure.labels
        ):
            print(file)
