"""`vae-reconstruct`: images corrupted, restored by a run, and compared."""

from dataclasses import replace
from typing import NoReturn

from vae_cli.commands._main import run_command
from vae_cli.commands._names import option_suffix, suffix
from vae_cli.config.commands import ReconstructConfig
from vae_cli.config.corruption import MaskConfig, NoCorruptionConfig
from vae_cli.errors import RunError
from vae_cli.runs.folder import open_run

DRAWN = ("label", "num_images", "columns", "seed", "checkpoint", "classifier")
"""Keys that change what is written: its name says those that aren't the defaults."""
FILLED = ("samples", "gibbs_steps")
"""More of them, where pixels are missing."""


def main() -> NoReturn:
    """Entry point of `vae-reconstruct`."""
    run_command("reconstruct", reconstruct)


def reconstruct(config: ReconstructConfig, overrides: list[str]) -> None:
    """Corrupt, restore, compare and draw; prints the files written."""
    from vae_cli.visualize.files import figure_path

    output = figure_path(config.output) if config.output else None
    folder = open_run(config.run, config.output_root)
    run_config = folder.load_config()
    from vae_cli.runs.data import check_not_data, load_run_data, split_name

    check_not_data(run_config, npz=config.npz)
    data = None
    if config.images is None or config.classifier:
        # own images need none of the run's
        data = load_run_data(folder, run_config, config.dataset.path)
    if data is not None and config.images is None:
        config.split = split_name(data, config.split)  # told before TensorFlow starts
    from vae_cli.runtime import start_tensorflow

    start_tensorflow()
    from vae_cli.commands._restorations import TASKS, own_images, split_images
    from vae_cli.data.pictures import own_name
    from vae_cli.runs.trained import load_trained

    run = load_trained(folder, config.checkpoint)
    # own images are as they are
    usual = NoCorruptionConfig() if config.images else run_config.corruption
    corruption = config.corruption or usual
    if isinstance(corruption, MaskConfig):
        # here it says which pixels are missing
        corruption = replace(corruption, loss_on="observed")
    if data is not None and config.images is None:
        source = str(config.split)
        split, how = split_images(config, run, data, source, corruption)
    else:
        source = own_name(str(config.images))
        split, how = own_images(config, run, str(config.images), corruption)
    kind = how["name"]
    if config.task == "interpolate":
        path = f"interpolate-{config.pair[0]}-{config.pair[1]}"
        kind = path if config.corruption is None else f"{path}-{kind}"
    keys = DRAWN if split.scored is None else (*DRAWN, *FILLED)
    shown = suffix("reconstruct", config, keys)
    if config.corruption is not None:
        shown = option_suffix("corruption", config.corruption) + shown
    if output is None:
        output = folder.reconstructions / f"{source}-{kind}{shown}.png"
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        task = TASKS[config.task]
        for file in task(config, run, data, split, how, output):
            print(file)
    except OSError as error:
        raise RunError(
            f"{error.filename or output} can't be written: {error.strerror or error}.",
            "choose another place: output=<file>, npz=<file>",
        ) from error
