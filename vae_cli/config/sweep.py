"""Options of sweeps, and the keys of the search by Optuna."""

from dataclasses import dataclass
from typing import Any

from vae_cli.config.option import option


@dataclass
class SweepConfig:
    """What a sweep does besides training its jobs; `vae-train -m` alone reads it."""

    on_error: str = option(
        "of -m, when a job fails: continue with the others, or stop: start no more",
        choices=("continue", "stop"),
        default="continue",
    )
    resume: str | None = option(
        "of -m: folder of a sweep to go on with; finished jobs are skipped, unfinished "
        "ones resumed, failed ones tried again",
        default=None,
    )


SAMPLERS = ("tpe", "random", "qmc")
"""Ways to choose the next job: tree-structured Parzen estimator, uniform, Sobol."""

OPTUNA: dict[str, Any] = {
    "_target_": "hydra_plugins.vae_cli.OptunaSweeper",
    # key -> what Hydra calls a sweep: interval(0.5, 4), tag(log, interval(1e-4, 1e-2)),
    # int(interval(2, 64)), choice(a, b), range(2, 10, 2)
    "params": None,
    # jobs of the whole search, those before a resume included
    "n_trials": 20,
    # jobs at a time; more than one needs a launcher that runs them beside each other
    "n_jobs": 1,
    "sampler": "tpe",
    # jobs chosen at random before the sampler learns from them
    "startup_trials": 10,
    "seed": 0,
    "storage": "sqlite:///${hydra.sweep.dir}/study.db",
    "study_name": "sweep",
}
"""`hydra/sweeper=optuna`, whose class `vae_cli.commands._optuna` registers."""
