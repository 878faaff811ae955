"""`vae-reconstruct`: images corrupted, restored by a run, and compared."""

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from vae_cli.commands._main import run_command
from vae_cli.config.commands import ReconstructConfig
from vae_cli.config.corruption import CorruptionConfig, MaskConfig
from vae_cli.errors import RunError
from vae_cli.runs.folder import open_run


def main() -> NoReturn:
    """Entry point of `vae-reconstruct`."""
    run_command("reconstruct", reconstruct)


def reconstruct(config: ReconstructConfig, overrides: list[str]) -> None:
    """Corrupt, restore, compare and draw; prints the files written."""
    folder = open_run(config.run, config.output_root)
    run_config = folder.load_config()
    from vae_cli.runs.data import load_run_data

    data = load_run_data(folder, run_config)
    if config.images is None:
        data.split(config.split)  # told before TensorFlow starts
    from vae_cli.runtime import start_tensorflow

    start_tensorflow()
    from vae_cli.commands._restorations import TASKS, chosen_images
    from vae_cli.data.pictures import own_name
    from vae_cli.runs.trained import load_trained

    run = load_trained(folder, config.checkpoint)
    # own images are as they are
    usual = CorruptionConfig("none") if config.images else run_config.corruption
    corruption = config.corruption or usual
    if isinstance(corruption, MaskConfig):
        # here the score says which pixels are missing
        corruption = replace(corruption, score="seen")
    split, how = chosen_images(config, run, data, corruption)
    source = own_name(config.images) if config.images else config.split
    kind = how["name"]
    if config.task == "interpolate":
        kind = f"interpolate-{config.pair[0]}-{config.pair[1]}"
    label = "" if config.label is None else f"-label{config.label}"
    default = folder.reconstructions / f"{source}-{kind}{label}.png"
    output = Path(config.output or default)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        task = TASKS[config.task]
        for file in task(config, run, data, split, how, output):
            print(file)
    except OSError as error:
        raise RunError(
            f"{error.filename or output} can't be written: {error.strerror}.",
            "choose another place: output=<file>, npz=<file>",
        ) from error
