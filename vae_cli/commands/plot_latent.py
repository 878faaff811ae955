"""`vae-plot-latent`: where a split's images lie in latent space."""

from pathlib import Path
from typing import Any, NoReturn

from vae_cli.commands._main import run_command
from vae_cli.commands._names import suffix
from vae_cli.config.commands import PlotLatentConfig
from vae_cli.errors import RunError
from vae_cli.runs.files import write_npz
from vae_cli.runs.folder import open_run

DRAWN = ("method", "dims", "num_points", "seed", "checkpoint")
"""Keys that change the picture: its name says those that aren't the defaults."""


def main() -> NoReturn:
    """Entry point of `vae-plot-latent`."""
    run_command("plot_latent", plot)


def plot(config: PlotLatentConfig, overrides: list[str]) -> None:
    """Encode, project, draw; prints the files written."""
    from vae_cli.visualize.files import figure_path

    output = figure_path(config.output) if config.output else None
    folder = open_run(config.run, config.output_root)
    run_config = folder.load_config()
    from vae_cli.runs.data import load_run_data, scored_split, split_name

    data = load_run_data(folder, run_config, config.dataset.path)
    name = split_name(data, config.split)
    if output is None:
        shown = suffix("plot_latent", config, DRAWN)
        output = folder.figures / f"latent-{name}{shown}.png"
    from vae_cli.runtime import start_tensorflow

    start_tensorflow()
    split = scored_split(data, run_config, name)
    if config.num_points and config.num_points < len(split):
        from vae_cli.randomness import Stream, generator

        rng = generator(config.seed, Stream.CHOICE)
        split = split.take(rng.permutation(len(split))[: config.num_points])
    from vae_cli.runs.trained import load_trained
    from vae_cli.visualize.model_figures import latent_figure

    run = load_trained(folder, config.checkpoint)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        mean, log_var = latent_figure(
            run.vae,
            split,
            name,
            output,
            config.method,
            config.dims,
            config.seed,
        )
        print(output)
        if config.npz:
            arrays: dict[str, Any] = {
                "mean": mean,
                "log_var": log_var,
                **(split.factors or {}),
            }
            if split.labels is not None:
                arrays["labels"] = split.labels
            write_npz(Path(config.npz), arrays)
            print(config.npz)
    except OSError as error:
        raise RunError(
            f"{error.filename or output} can't be written: {error.strerror or error}.",
            "choose another place: output=<file>, npz=<file>",
        ) from error
