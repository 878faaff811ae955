"""Errors that a user can act on: one message, no traceback.

Everything raised on purpose is a `VaeCliError`; the command wrapper prints it and
exits with its status. Any other exception is a bug of ours and keeps its traceback.
"""

import difflib
from collections.abc import Iterable


class VaeCliError(Exception):
    """A problem the user can fix.

    Args:
        problem: one sentence saying what is wrong, with the key and what came.
        *advice: further lines: what is allowed, what to type next.
    """

    exit_status = 1

    def __init__(self, problem: str, *advice: str) -> None:
        super().__init__(problem, *advice)

    def __str__(self) -> str:
        return "\n  ".join(self.args)


class UsageError(VaeCliError):
    """The command line itself is wrong (unknown command, missing argument)."""

    exit_status = 2


class ConfigError(VaeCliError):
    """A config key, option, type or range is wrong."""


class DataError(VaeCliError):
    """A data set is missing, malformed or outside what the model takes."""


class RunError(VaeCliError):
    """A run folder is missing, incomplete, in use or doesn't fit."""


class TrainingError(VaeCliError):
    """Training can't go on (a non-finite loss)."""


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM arrived; what was computed has been saved.

    Not an `Exception`, so that nothing on the way (AutoGraph, say) takes it for a
    failure of its own and goes on.

    Args:
        message: what was saved and how to go on.
    """

    exit_status = 130


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None when nothing is close."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
