"""One wrapper around Hydra: help, config errors in our words, exit status.

Hydra composes; what it says when that fails is translated, since its advice (add a
`+`) leads to a key that nothing reads. Hydra makes no folder for a single run.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from vae_cli.config.compose import checked, translated
from vae_cli.config.help import command_help
from vae_cli.errors import ConfigError, Interrupted, VaeCliError
from vae_cli.paths import configs_dir

Config = TypeVar("Config")
Task = Callable[[Any, list[str]], float | None]
"""(config, overrides as typed) -> what a sweep minimises."""

log = logging.getLogger("vae_cli")


def run_command(command: str, task: Task) -> NoReturn:
    """Run a command with `sys.argv` and exit.

    Args:
        command: name of the primary config file.
        task: what to do with the checked config.
    """
    run_guarded(lambda: _run(command, task))


def run_guarded(main: Callable[[], int]) -> NoReturn:
    """Call a command's body and exit: our errors as one message, bugs as a traceback.

    Args:
        main: returns the exit status.
    """
    try:
        status = main()
        sys.stdout.flush()
    except VaeCliError as error:
        status = _report(error, error.exit_status)
    except Interrupted as error:
        status = _report(error, error.exit_status)
    except KeyboardInterrupt:
        status = _report("interrupted", Interrupted.exit_status)
    except BrokenPipeError:
        # the reader (`head`, say) has gone; leave nothing for the final flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)


def _run(command: str, task: Task) -> int:
    arguments = sys.argv[1:]
    if "--help" in arguments or "-h" in arguments:
        print(command_help(command), end="")
        return 0
    set_up_logging()
    if "-m" in arguments or "--multirun" in arguments:
        _check_sweep(command)
    failures: list[BaseException] = []

    def job(values: Any) -> float | None:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        hydra = HydraConfig.get()
        if hydra.mode == RunMode.MULTIRUN:
            return task(checked(command, values), list(hydra.overrides.task))
        try:
            return task(checked(command, values), list(hydra.overrides.task))
        except BaseException as error:
            # raised below, where Hydra adds no line of its own
            failures.append(error)
            return None

    _compose_and_call(command, job)
    if failures:
        raise failures[0]
    return 0


def _check_sweep(command: str) -> None:
    """Compose and check every job before the first one starts.

    Hydra itself finds unknown keys early, but not what only our dataclasses know. A
    rehearsal with its basic launcher does; it writes to a temporary folder.
    """
    problems: list[str] = []

    def rehearse(values: Any) -> None:
        from hydra.core.hydra_config import HydraConfig

        hydra = HydraConfig.get()
        try:
            config = checked(command, values)
            if getattr(config, "run_dir", None):
                raise ConfigError(
                    f"run_dir={config.run_dir} would be shared by all jobs; use "
                    "hydra.sweep.dir=<folder>"
                )
        except ConfigError as error:
            problems.extend(f"job {hydra.job.num}: {line}" for line in error.args)

    typed = sys.argv
    with tempfile.TemporaryDirectory() as folder:
        rehearsal = [f"hydra.sweep.dir={folder}", "hydra/launcher=basic"]
        sys.argv = [*typed, *rehearsal]
        try:
            _compose_and_call(command, rehearse)
        finally:
            sys.argv = typed
    if problems:
        raise ConfigError(*problems)


def _compose_and_call(command: str, job: Callable[[Any], Any]) -> None:
    """Let Hydra compose the config and call the job; translate what it raises."""
    import hydra
    from hydra.errors import CompactHydraException
    from omegaconf.errors import OmegaConfBaseException

    # Hydra then raises instead of printing and exiting
    os.environ["HYDRA_FULL_ERROR"] = "1"
    application = hydra.main(
        version_base="1.3", config_path=str(configs_dir()), config_name=command
    )(job)
    try:
        application()
    except (CompactHydraException, OmegaConfBaseException, ValueError) as error:
        if isinstance(error, ValueError) and not _from_hydra(error):
            raise
        raise translated(error, command) from error


def _from_hydra(error: Exception) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "") if trace else ""
    return module.split(".")[0] in ("hydra", "omegaconf")


def set_up_logging() -> None:
    """Send our log to stderr; results alone go to stdout."""
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def _report(problem: object, status: int) -> int:
    print(problem, file=sys.stderr)
    return status
