"""Hydra's own command line, for what it alone does: sweeps, `--cfg` and `--info`."""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

from vae_cli.config.compose import store_defaults
from vae_cli.config.translate import translated_errors
from vae_cli.errors import RunError
from vae_cli.paths import configs_dir
from vae_cli.text import PrintableStream


def call_hydra(
    command: str, words: list[str], job: Callable[[Any], Any] = lambda values: None
) -> None:
    """Let Hydra parse words, compose the config and call the job.

    Args:
        command: name of the primary config file.
        words: overrides and flags; folders in them quoted.
        job: takes what was composed, for each job of a sweep.

    Raises:
        ConfigError: an override is refused.
        UsageError: something is no override.
        RunError: a sweep's folder can't be written.
    """
    import hydra
    from hydra.errors import HydraException

    from vae_cli.commands.sweep.search import register_optuna

    store_defaults()
    register_optuna()
    # Hydra then raises instead of printing and exiting
    os.environ["HYDRA_FULL_ERROR"] = "1"
    terminal, typed = _Terminal(), sys.argv

    def with_terminal(values: Any) -> Any:  # pickled for launchers that start processes
        sys.argv = typed
        # a progress bar moves the cursor
        with contextlib.redirect_stderr(terminal.stream):
            return job(values)

    application = hydra.main(
        version_base="1.3", config_path=str(configs_dir()), config_name=command
    )(with_terminal)
    sys.argv = [typed[0], *words]
    try:
        with (
            translated_errors(command, words),
            # argparse repeats a wrong flag as it was typed
            contextlib.redirect_stderr(PrintableStream(terminal.stream)),
        ):
            application()
    except (BrokenPipeError, HydraException):
        raise  # a config that isn't there is an OSError, too
    except OSError as error:
        # a job's own errors come as others: this is a sweep's folder
        raise RunError(
            f"The sweep folder can't be written: {error}.",
            "choose another with hydra.sweep.dir=<folder>",
        ) from error
    finally:
        sys.argv = typed


class _Terminal:
    """The stderr of this process; unpickled elsewhere, the stderr of that process."""

    def __init__(self) -> None:
        self.stream = sys.stderr

    def __reduce__(self) -> tuple[type["_Terminal"], tuple[()]]:
        return _Terminal, ()
