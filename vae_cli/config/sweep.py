"""Options of sweeps, and the keys of `hydra/sweeper=optuna`."""

from dataclasses import dataclass
from typing import Any

from vae_cli.config.option import option


@dataclass
class SweepConfig:
    """How a sweep handles failed jobs and resumes; only for `vae-train -m`."""

    on_error: str = option(
        "with -m, when a job fails: continue with the others, or stop: start no more",
        choices=("continue", "stop"),
        default="continue",
    )
    resume: str | None = option(
        "with -m: folder of the sweep to resume; finished jobs are skipped, unfinished "
        "ones resumed, failed ones retried",
        default=None,
    )


SAMPLERS = ("tpe", "random", "qmc")
"""Ways to choose the next job: tree-structured Parzen estimator, uniform, Sobol."""

OPTUNA: dict[str, Any] = {
    "_target_": "hydra_plugins.vae_cli.OptunaSweeper",
    # key -> sweep in Hydra's syntax: interval(0.5, 4), tag(log, interval(1e-4, 1e-2)),
    # int(interval(2, 64)), choice(a, b), range(2, 10, 2)
    "params": None,
    # total number of jobs, including those before a resume
    "n_trials": 20,
    # jobs at a time; more than one needs a launcher that runs jobs in parallel
    "n_jobs": 1,
    "sampler": "tpe",
    # jobs chosen at random before the sampler learns from them
    "startup_trials": 10,
    "seed": 0,
    "storage": "sqlite:///${hydra.sweep.dir}/study.db",
    "study_name": "sweep",
}
"""`hydra/sweeper=optuna`, whose class `vae_cli.commands.sweep.sweeper` registers."""
