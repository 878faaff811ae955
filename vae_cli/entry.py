"""What Python begins with: `load` and `train` return a `Run`."""

from pathlib import Path
from typing import Any

from vae_cli.config.compose import as_overrides, composed
from vae_cli.errors import RunError
from vae_cli.plugins import load_plugins
from vae_cli.run import Run
from vae_cli.runs.find import open_run


def load(
    run: str | Path = "latest",
    *,
    output_root: str | Path = "outputs",
    checkpoint: str = "best",
    data_path: str | Path | None = None,
) -> Run:
    """Open a trained run.

    TensorFlow is imported and images are loaded on first use. Nothing is printed.

    Args:
        run: a run folder, or `latest`.
        output_root: where `latest` looks.
        checkpoint: which weights: `best` or `last`.
        data_path: where the data file of the run is now, if it was moved.

    Raises:
        RunError: there is no such run, or its config can't be read.
    """
    load_plugins()
    folder = open_run(str(run), str(output_root))
    return Run(folder, checkpoint, None if data_path is None else str(data_path))


def train(*overrides: str, progress: bool = True, **settings: Any) -> Run:
    """Train a model, or continue to train one, and open the run.

        run = train("experiment=quickstart", beta=4, epochs=2)
        run = train(resume="latest", epochs=10)

    Process settings are not changed, except TensorFlow's threads if `threads` or
    `deterministic` is set. Ctrl-C leaves a run that can be resumed.

    Args:
        *overrides: as on the command line of `vae-train`.
        progress: show a progress bar in a terminal or a notebook.
        **settings: keys and their values, as `compose` takes them.

    Raises:
        ConfigError: listing every unknown key, wrong type and value out of range.
        DataError: the images can't be loaded, or lack what the config needs.
        RunError: the folder is taken, can't be written or can't be resumed.
        TrainingError: a loss is not finite.
        Interrupted: a `KeyboardInterrupt`; everything is saved.
    """
    from vae_cli.training.session import train as train_folder

    load_plugins()
    words = as_overrides(overrides, settings)
    folder = train_folder(composed("train", words), words, progress=progress)
    if folder is None:  # only the chief has a folder
        raise RunError("This worker is not the chief, which has the run's folder.")
    return Run(folder)
