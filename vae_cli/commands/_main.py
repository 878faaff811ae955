"""One wrapper around Hydra: help, config errors in our words, exit status.

Hydra composes; what it says when that fails is translated, since its advice (add a
`+`) leads to a key that nothing reads. Hydra makes no folder for a single run.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from vae_cli import __version__
from vae_cli.config.compose import checked, quoted
from vae_cli.config.help import command_help
from vae_cli.config.translate import in_our_words
from vae_cli.errors import Interrupted, RunError, UsageError, VaeCliError
from vae_cli.paths import configs_dir
from vae_cli.text import PrintableFormatter, PrintableStream, printable
from vae_cli.training.stop import StopSignal, listening

Config = TypeVar("Config")
Task = Callable[[Any, list[str]], float | None]
"""(config, overrides as typed) -> what a sweep minimises."""
AfterSweep = Callable[[Any, Path, bool], None]
"""(config of the first job, the sweep's folder, whether a job failed)."""

log = logging.getLogger("vae_cli")


def run_command(
    command: str, task: Task, after_sweep: AfterSweep | None = None
) -> NoReturn:
    """Run a command with `sys.argv` and exit.

    Args:
        command: name of the primary config file.
        task: what to do with the checked config.
        after_sweep: what to do when all jobs of a sweep are done.
    """
    run_guarded(lambda: _run(command, task, after_sweep))


def run_guarded(main: Callable[[], int]) -> NoReturn:
    """Call a command's body and exit: our errors as one message, bugs as a traceback.

    Args:
        main: returns the exit status.
    """
    with listening() as stop:
        _reopen_closed_streams()
        with contextlib.redirect_stdout(PrintableStream(sys.stdout)):
            status = _status(main, stop)
    sys.exit(status)


def _status(main: Callable[[], int], stop: StopSignal) -> int:
    """Call a command's body; returns the exit status, its errors reported."""
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
    except BaseException:
        # what a signal broke off may surface as an error of another library
        if not stop.received:
            raise
        status = _report("interrupted", Interrupted.exit_status)
    return status


def _run(command: str, task: Task, after_sweep: AfterSweep | None) -> int:
    sys.argv[1:] = arguments = quoted(sys.argv[1:])
    if "--help" in arguments or "-h" in arguments:
        print(command_help(command), end="")
        return 0
    if "--version" in arguments:
        print(f"vae-cli {__version__}")
        return 0
    set_up_logging()
    if {"-m", "--multirun"} & set(arguments):
        if command != "train":
            raise UsageError("-m sweeps are for vae-train alone.")
        # anywhere else it would part the overrides, which Hydra can't read
        rest = [word for word in arguments if word not in ("-m", "--multirun")]
        sys.argv[1:] = ["-m", *rest]
        shown = {"--cfg", "-c", "--info", "-i"} & set(arguments)
        if shown:
            raise UsageError(
                f"-m and {min(shown)} don't go together: a sweep has a config a job.",
                f"to see that of one: the same words without -m, and with {min(shown)}",
            )
        from vae_cli.commands._rehearsal import check_sweep

        check_sweep(command)
    typed = list(sys.argv)
    failures: list[BaseException] = []
    jobs: list[tuple[Any, Path]] = []

    def job(values: Any) -> float | None:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        hydra = HydraConfig.get()
        if hydra.mode == RunMode.MULTIRUN:
            # a launcher may run the job in a process with an argv of its own
            sys.argv = typed
            config = checked(command, values)
            jobs.append((config, Path(hydra.sweep.dir)))
            return task(config, list(hydra.overrides.task))
        try:
            return task(checked(command, values), list(hydra.overrides.task))
        except BaseException as error:
            # raised below, where Hydra adds no line of its own
            failures.append(error)
            return None

    try:
        compose_and_call(command, job)
    except RunError:  # of a job; Hydra raises it when all have ended
        if jobs and after_sweep:
            after_sweep(*jobs[0], True)
        raise
    if failures:
        raise failures[0]
    if jobs and after_sweep:
        after_sweep(*jobs[0], False)
    return 0


def compose_and_call(command: str, job: Callable[[Any], Any]) -> None:
    """Let Hydra compose the config and call the job.

    Raises:
        RunError: a sweep's folder can't be written.
    """
    import hydra
    from hydra.errors import HydraException

    # Hydra then raises instead of printing and exiting
    os.environ["HYDRA_FULL_ERROR"] = "1"
    terminal = sys.stderr

    def with_terminal(values: Any) -> Any:
        with contextlib.redirect_stderr(terminal):  # a progress bar moves the cursor
            return job(values)

    application = hydra.main(
        version_base="1.3", config_path=str(configs_dir()), config_name=command
    )(with_terminal)
    with (
        in_our_words(command, sys.argv[1:]),
        # argparse repeats a wrong flag as it was typed
        contextlib.redirect_stderr(PrintableStream(terminal)),
    ):
        try:
            application()
        except (BrokenPipeError, HydraException):
            raise  # a config that isn't there is an OSError, too
        except OSError as error:
            # a single run's errors don't come through Hydra: this is a sweep's folder
            raise RunError(
                f"The sweep folder can't be written: {error}.",
                "choose another with hydra.sweep.dir=<folder>",
            ) from error


def set_up_logging(level: int = logging.INFO) -> None:
    """Send our log to stderr; results alone go to stdout."""
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(level)
    log.propagate = False


def _reopen_closed_streams() -> None:
    """Give a process that was started with closed streams somewhere to write to."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _report(problem: object, status: int) -> int:
    if str(problem):
        print(printable(problem, keep="\n"), file=sys.stderr)
    return status
