"""`vae-reconstruct`: images corrupted, restored by a run, and compared."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from vae_cli.commands._main import run_command
from vae_cli.commands._run import opened, option_suffix, options, suffix
from vae_cli.config.commands import ReconstructConfig
from vae_cli.config.run import CORRUPT, RESTORE
from vae_cli.data.given_files import own_name
from vae_cli.run import Run
from vae_cli.runs.data import check_outputs
from vae_cli.runs.files import write_json, write_npz
from vae_cli.runs.report import writing

if TYPE_CHECKING:
    from vae_cli.evaluation.corrupted_images import CorruptedImages

DRAWN = ("label", "num_images", "columns", "seed", "checkpoint", "classifier")
"""Keys that change what is written: its name says those that aren't the defaults."""
FILLED = ("posterior_samples", "gibbs_steps")
"""More of them, where pixels are missing."""

log = logging.getLogger(__name__)


def main() -> NoReturn:
    """Entry point of `vae-reconstruct`."""
    run_command("reconstruct", reconstruct)


def reconstruct(config: ReconstructConfig, overrides: list[str]) -> None:
    """Corrupt, restore, compare and draw; prints the files written."""
    from vae_cli.visualize.files import figure_path

    output = figure_path(config.output) if config.output else None
    run = opened(config)
    run.labels.check(config.label)  # before TensorFlow starts
    if config.images is None:
        run.split_name(config.split)  # a wrong one is reported without TensorFlow
    images = run.corrupt(config.images, **options(config, CORRUPT))
    kind = "" if images.how["name"] == "none" else f"-{images.how['name']}"
    if config.task == "interpolate":
        path = f"-interpolate-{config.pair[0]}-{config.pair[1]}"
        kind = path if config.corruption is None else f"{path}{kind}"
    keys = DRAWN if images.split.mask is None else (*DRAWN, *FILLED)
    changed = suffix("reconstruct", config, keys)
    if config.corruption is not None:
        changed = option_suffix("corruption", config.corruption) + changed
    if output is None:
        source = own_name(images.source) if images.own else images.source
        name = f"{source}{kind}{changed}.{config.figure.format}"
        output = run.folder.reconstructions / name
    check_outputs(
        run.folder, run.config, output=config.output, save_npz=config.save_npz
    )
    task = _restore if config.task == "restore" else _interpolate
    with writing(output, "choose another place: output=<file>, save_npz=<file>"):
        output.parent.mkdir(parents=True, exist_ok=True)
        for file in task(config, run, images, output):
            print(file)


def _restore(
    config: ReconstructConfig, run: Run, images: "CorruptedImages", output: Path
) -> list[Path]:
    """Restore images and draw some; returns the files written."""
    from vae_cli.visualize.files import save_figure

    report = run.restore(images, **options(config, RESTORE[:-1]))
    for line in report.lines():
        log.info("%s", line)
    save_figure(run.plot_restoration(report, config.columns), output)
    written = [output, output.with_suffix(".json")]
    write_json(written[-1], report.to_json())
    if config.save_npz:
        written.append(Path(config.save_npz))
        write_npz(written[-1], report.arrays())
    return written


def _interpolate(
    config: ReconstructConfig, run: Run, images: "CorruptedImages", output: Path
) -> list[Path]:
    """Draw a path between two of the images; returns the files written."""
    from vae_cli.evaluation.interpolation import path_between
    from vae_cli.visualize.labelled_grid import save_grid

    path = path_between(run, images.split, config.pair, config.columns, config.label)
    save_grid(*path.cells(), path.names if config.figure.labels else None, output)
    written = [output]
    if config.save_npz:
        written.append(Path(config.save_npz))
        ends = images.split.take(config.pair).images[:]
        write_npz(written[-1], {"images": path.images, "z": path.z, "ends": ends})
    return written
