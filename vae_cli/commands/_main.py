"""What all commands share: flags, config errors in our words, signals, exit status."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from vae_cli import __version__
from vae_cli.commands._hydra import call_hydra
from vae_cli.config.compose import composed, overrides_of, quoted
from vae_cli.config.help import command_help
from vae_cli.config.suggest import refuse_unknown_flags
from vae_cli.errors import Interrupted, UsageError, VaeCliError
from vae_cli.plugins import take_plugins
from vae_cli.text import PrintableFormatter, PrintableStream, printable
from vae_cli.training.stop import StopSignal, listening
from vae_cli.visualize.options import drawn_as

Task = Callable[[Any, list[str]], None]
"""What a command does: (config, overrides as typed)."""
Sweep = Callable[[list[str]], None]
"""Runs one job for each combination of overrides."""

MULTIRUN = ("-m", "--multirun")
SHOWN = ("--cfg", "-c", "--info", "-i")
"""Flags of Hydra that print and run nothing."""

log = logging.getLogger("vae_cli")


def run_command(command: str, task: Task, sweep: Sweep | None = None) -> NoReturn:
    """Run a command with `sys.argv` and exit.

    Args:
        command: name of the primary config file.
        task: what to do with the checked config.
        sweep: what `-m` does; refused if None.
    """
    run_guarded(lambda: _run(command, sys.argv[1:], task, sweep))


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
    except (VaeCliError, Interrupted) as error:
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


def _run(
    command: str, arguments: list[str], task: Task, sweep: Sweep | None = None
) -> int:
    arguments = take_plugins(arguments)
    words = set(arguments)
    if {"--help", "-h"} & words:
        print(command_help(command, arguments), end="")
        return 0
    if "--version" in words:
        print(f"vae-cli {__version__}")
        return 0
    refuse_unknown_flags(command, arguments)
    set_up_logging()
    shown = words.intersection(SHOWN)
    if words.intersection(MULTIRUN):
        if sweep is None:
            raise UsageError("-m sweeps are for vae-train alone.")
        if shown:
            raise UsageError(
                f"-m and {min(shown)} don't go together: a sweep has one config for "
                "each job.",
                f"to see that of one: the same words without -m, and with {min(shown)}",
            )
        sweep(quoted(command, [w for w in arguments if w not in MULTIRUN]))
        return 0
    if shown:
        call_hydra(command, quoted(command, arguments))
        return 0
    config = composed(command, arguments)
    with drawn_as(getattr(config, "figure", None)):
        task(config, overrides_of(arguments))
    return 0


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
