"""Errors that a user can act on: one message, no traceback.

Everything raised on purpose is a `VaeCliError`; the command wrapper prints it and
exits with its status. Any other exception is a bug of ours and keeps its traceback.

Exit status of every command and tool:

- 0: done.
- 1: failed or refused. The words make a request, and what they name is refused,
  missing or has failed: a key, a value, an option, a file, a run.
- 2: wrong usage. The words make no request: no such command, a wrong flag or argument
  of one, something that is no `key=value`, too few or too many words, words that never
  stand together (`resume=` beside another override, `-m` beside `vae launch`).
- 130: interrupted; what was computed has been saved.
"""

import difflib
from collections.abc import Iterable, Sequence

from vae_cli.text import printable


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
        return printable("\n  ".join(map(str, self.args)), keep="\n")


class UsageError(VaeCliError):
    """The words make no request: an unknown command or flag, too many words."""

    exit_status = 2


class ConfigError(VaeCliError):
    """A config key, option, type or range is wrong."""


class ConfigProblems(ConfigError):
    """Everything that is wrong with a config, one line each.

    Args:
        problems: at least one.
        source: where the config comes from (a file name), if it was not typed.
    """

    def __init__(self, problems: Sequence[str], source: str = "") -> None:
        super().__init__(*problems)
        self.source = f"{source}: " if source else ""

    def __str__(self) -> str:
        if len(self.args) == 1:
            return printable(self.source) + super().__str__()
        lines = "".join(f"\n- {printable(problem)}" for problem in self.args)
        return f"{printable(self.source)}{len(self.args)} problems:{lines}"


class DataError(VaeCliError):
    """A data set is missing, malformed or outside what the model takes."""


class RunError(VaeCliError):
    """A run folder is missing, incomplete, in use or doesn't fit."""


class PluginError(RunError):
    """A run needs a plugin that is not loaded."""


class ModelError(VaeCliError):
    """A model's weights give no figures."""


class TrainingError(VaeCliError):
    """Training can't go on (a non-finite loss)."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM arrived; what was computed has been saved.

    Like its base no `Exception`, so that nothing on the way (AutoGraph, say) takes it
    for its own failure and continues.

    Args:
        message: what was saved and how to go on.
    """

    exit_status = 130


def first_line(error: BaseException) -> str:
    """Return what another library's error says, in one line without a full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].strip("\"'").rstrip(".") if lines else type(error).__name__


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None when nothing is close."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
