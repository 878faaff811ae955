"""`vae-evaluate`: a trained run in numbers, or several side by side."""

from typing import NoReturn

from vae_cli.commands._evaluation import draw_side_by_side, evaluate_run
from vae_cli.commands._main import run_command
from vae_cli.config.evaluate import EvaluateConfig
from vae_cli.errors import ConfigError
from vae_cli.run import Run
from vae_cli.runs.data import check_outputs, has_test
from vae_cli.runs.evaluations import check_factors, check_writable
from vae_cli.runs.selection import open_runs


def main() -> NoReturn:
    """Entry point of `vae-evaluate`."""
    run_command("evaluate", evaluate)


def evaluate(config: EvaluateConfig, overrides: list[str]) -> None:
    """Evaluate one run, or all runs and compare them; prints the files written."""
    folders = open_runs(config.run, config.output_root)
    # all configs are read before any work
    runs = [Run(f, config.checkpoint, config.dataset.path) for f in folders]
    for run in runs:
        check_outputs(run.folder, run.config, save_npz=config.save_npz)
        check_writable(run.folder, run.config, config.checkpoint)
        if config.disentanglement:
            check_factors(run.folder, run.config)
    several = len(folders) > 1
    _check_number(config, len(folders))
    if several and config.split is None and len(set(map(has_test, folders))) > 1:
        raise ConfigError(
            "Some of these runs have test images, others don't.",
            "choose images that all have: split=validation",
        )
    reports = [evaluate_run(config, run, reuse=several) for run in runs]
    if not several:
        return
    from vae_cli.runs.comparison import write_comparison

    names = [str(folder) for folder in folders]
    split = reports[0]["split"]
    configs = [run.config for run in runs]
    files = write_comparison(names, configs, reports, split, config.output)
    if config.generated_images:
        files.append(files[0].with_name(f"{split}-samples.{config.figure.format}"))
        draw_side_by_side(names, reports, files[-1])
    print(files[0].read_text(encoding="utf-8"))
    print(*files, sep="\n")


def _check_number(config: EvaluateConfig, runs: int) -> None:
    """Refuse keys that don't go with so many runs."""
    if runs > 1 and config.save_npz:
        raise ConfigError(f"save_npz={config.save_npz} takes a single run, got {runs}.")
    if runs == 1 and config.output:
        raise ConfigError(f"output={config.output} takes several runs, got one.")
