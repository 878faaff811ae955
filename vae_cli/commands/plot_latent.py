"""`vae-plot-latent`: where a split's images lie in latent space."""

from pathlib import Path
from typing import NoReturn

from vae_cli.commands._main import run_command
from vae_cli.commands._run import opened, options, suffix
from vae_cli.config.commands import PlotLatentConfig
from vae_cli.runs.data import check_outputs
from vae_cli.runs.files import write_npz
from vae_cli.runs.report import writing

DRAWN = ("method", "dims", "num_points", "seed", "checkpoint")
"""Keys that change the picture: its name says those that aren't the defaults."""

OPTIONS = ("num_points", "method", "dims", "seed")
"""Keys that `Run.plot_latent` takes, beside the split."""


def main() -> NoReturn:
    """Entry point of `vae-plot-latent`."""
    run_command("plot_latent", plot)


def plot(config: PlotLatentConfig, overrides: list[str]) -> None:
    """Encode, project, draw; prints the files written."""
    from vae_cli.visualize.files import figure_path, save_figure

    output = figure_path(config.output) if config.output else None
    run = opened(config)
    check_outputs(run.folder, run.config, output=output, save_npz=config.save_npz)
    name = run.split_name(config.split)
    if output is None:
        changed = suffix("plot_latent", config, DRAWN)
        output = run.folder.figures / f"latent-{name}{changed}.{config.figure.format}"
    latent = run.plot_latent(name, **options(config, OPTIONS))
    with writing(output, "choose another place: output=<file>, save_npz=<file>"):
        output.parent.mkdir(parents=True, exist_ok=True)
        save_figure(latent.figure, output)
        print(output)
        if config.save_npz:
            write_npz(Path(config.save_npz), latent.arrays())
            print(config.save_npz)
