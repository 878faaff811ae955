"""The study of a search: Optuna's record of its jobs, in a file."""

import contextlib
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from vae_cli.commands.sweep.search_space import SearchSpace
from vae_cli.config.sweep import SAMPLERS
from vae_cli.config.train import TrainConfig
from vae_cli.errors import ConfigError, RunError
from vae_cli.runs.ranking import kind_of
from vae_cli.runs.sweep_folder import SweepFolder, SweepJob

OLDEST = 4
"""Oldest major version of Optuna that works."""


class Study:
    """The study of a new or resumed search.

    Unfinished jobs of a killed search come first, with their old numbers. If the study
    is missing, it is rebuilt from the finished jobs.

    Args:
        settings: the keys of `vae_cli.config.sweep.OPTUNA`.
        space: the search space.
        folder: the sweep.

    Raises:
        ConfigError: Optuna is missing, or a setting is invalid.
        RunError: the study's file can't be read, or is of another search.
    """

    def __init__(
        self, settings: dict[str, Any], space: SearchSpace, folder: SweepFolder
    ) -> None:
        optuna = import_optuna()
        self._settings = settings
        self._space = space.distributions()
        with reading(settings):
            self.study = optuna.create_study(
                study_name=settings["study_name"],
                storage=settings["storage"],
                direction="minimize",
                load_if_exists=True,
            )
            trials = self.study.get_trials(deepcopy=False)
        jobs = folder.jobs()
        if trials and not jobs:
            raise RunError(
                f"the study {settings['study_name']} of {settings['storage']} has "
                f"{len(trials)} trials of another search.",
                "to start a new study: hydra.sweeper.study_name=<name>",
                "to resume that search: vae-train -m sweep.resume=<its folder>",
            )
        states = optuna.trial.TrialState
        running = [trial for trial in trials if trial.state == states.RUNNING]
        whole = [
            trial for trial in running if trial.params.keys() == self._space.keys()
        ]
        self._waiting = whole
        with reading(settings):
            for trial in running:
                if trial not in whole:  # killed while its values were being chosen
                    self.study.tell(trial.number, state=states.FAIL)
            if not trials:
                self._add(jobs)
            self.study.sampler = _sampler(settings, len(self.study.trials))

    def next_trials(self) -> list[Any]:
        """Return the next jobs, with consecutive numbers; none when all are done."""
        count = max(1, int(self._settings["n_jobs"]))
        if self._waiting:
            first = self._waiting[0].number
            following = enumerate(self._waiting[:count], first)
            taken = [trial for number, trial in following if trial.number == number]
            self._waiting = self._waiting[len(taken) :]
            return taken
        with reading(self._settings):
            left = int(self._settings["n_trials"]) - len(self.study.trials)
            return [self.study.ask(self._space) for _ in range(min(count, left))]

    def tell(self, trials: Sequence[Any], values: Sequence[float]) -> None:
        """Record the bounds of jobs, nats per image; NaN for failed jobs."""
        from optuna.trial import TrialState

        with reading(self._settings):
            for trial, value in zip(trials, values, strict=True):
                if math.isfinite(value):
                    self.study.tell(trial.number, value)
                else:
                    self.study.tell(trial.number, state=TrialState.FAIL)

    def _add(self, jobs: Sequence[SweepJob]) -> None:
        """Add a trial for each finished job to a new study."""
        from optuna.trial import create_trial

        for job in jobs:
            if job.state != "finished":
                continue
            value = job.objective(job.run.load_config().objective.bound)
            params = {
                key: _as_chosen(self._space[key], text)
                for key, text in job.overrides.items()
            }
            trial = create_trial(params=params, distributions=self._space, value=value)
            self.study.add_trial(trial)


def check_search(sweeper: dict[str, Any], configs: Sequence[TrainConfig]) -> None:
    """Refuse a search that can't run, or whose bounds wouldn't be comparable.

    Args:
        sweeper: the keys of `vae_cli.config.sweep.OPTUNA`.
        configs: jobs at the ends of what is searched.

    Raises:
        ConfigError: Optuna is missing, a setting is invalid, or bounds are of
            different kinds.
    """
    import_optuna()
    for key in ("n_trials", "n_jobs", "startup_trials"):
        value = sweeper[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(
                f"hydra.sweeper.{key} must be a whole number, at least 1, got {value}"
            )
    _sampler(sweeper, 0)
    kinds = list(dict.fromkeys(map(kind_of, configs)))
    if len(kinds) > 1:
        raise ConfigError(
            "a search needs comparable bounds, and these are not:",
            *kinds[:4],
            "to train one run of each kind: leave out hydra/sweeper=optuna",
        )


def import_optuna() -> Any:
    """Return the module `optuna`, with its logs and warnings turned down.

    Raises:
        ConfigError: it is missing, or too old.
    """
    try:
        import optuna
    except ImportError:
        raise _needs_optuna() from None
    if int(optuna.__version__.split(".")[0]) < OLDEST:
        raise _needs_optuna(f", not {optuna.__version__}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def _needs_optuna(having: str = "") -> ConfigError:
    return ConfigError(
        f"hydra/sweeper=optuna needs Optuna {OLDEST} or newer{having}.",
        "install it: pip install 'vae-cli[optuna]'",
    )


@contextlib.contextmanager
def reading(settings: dict[str, Any]) -> Iterator[None]:
    """Turn errors of Optuna and its storage within the block into a `RunError`.

    Raises:
        RunError: it can't be read or written, or doesn't fit what is searched.
    """
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    name, storage = settings["study_name"], settings["storage"]
    try:
        yield
    except (OptunaError, SQLAlchemyError, RuntimeError, ValueError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise RunError(
            f"the study {name} of hydra.sweeper.storage={storage} can't be used: "
            f"{reason}",
            "if the file is damaged: move it away, then resume; the study is rebuilt "
            "from the finished jobs",
        ) from error


def _sampler(settings: dict[str, Any], begun: int) -> Any:
    """Return the sampler that `settings` names, for a study with `begun` trials.

    Raises:
        ConfigError: there is no such sampler.
    """
    from optuna.samplers import QMCSampler, RandomSampler, TPESampler

    name, seed = settings["sampler"], settings["seed"]
    if name not in SAMPLERS:
        raise ConfigError(
            f"hydra.sweeper.sampler={name} is not available.",
            f"choose one of: {', '.join(SAMPLERS)}",
        )
    if name == "qmc":  # the study keeps its place in the sequence
        return QMCSampler(seed=seed)
    # a resumed search must not repeat jobs
    seed = None if seed is None else seed + begun
    if name == "random":
        return RandomSampler(seed=seed)
    return TPESampler(
        seed=seed,
        n_startup_trials=int(settings["startup_trials"]),
        multivariate=True,
        # parallel jobs should not try the same values
        constant_liar=int(settings["n_jobs"]) > 1,
    )


def _as_chosen(distribution: Any, text: str) -> Any:
    """Return a value of a distribution from its text in an override."""
    if hasattr(distribution, "choices"):
        return text
    return type(distribution.low)(text)
