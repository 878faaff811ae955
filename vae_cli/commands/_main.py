"""One wrapper around Hydra: help, config errors in our words, exit status.

Hydra composes; what it says when that fails is translated, since its advice (add a
`+`) leads to a key that nothing reads. Hydra makes no folder for a single run.
"""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from vae_cli.config.help import command_help
from vae_cli.config.load import all_keys, load, unknown_key
from vae_cli.config.store import COMMANDS
from vae_cli.errors import ConfigError, Interrupted, UsageError, VaeCliError
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
    failures: list[VaeCliError] = []

    def job(values: Any) -> float | None:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        hydra = HydraConfig.get()
        config = _checked(command, values)
        try:
            return task(config, list(hydra.overrides.task))
        except VaeCliError as error:
            if hydra.mode == RunMode.MULTIRUN:
                raise  # the sweeper decides what becomes of the other jobs
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
            config = _checked(command, values)
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


def _checked(command: str, values: Any) -> Any:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        plain = OmegaConf.to_container(values, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(str(error).splitlines()[0]) from error
    return load(COMMANDS[command], plain)  # type: ignore[arg-type]


def translated(error: Exception, command: str) -> VaeCliError:
    """Say in our words what Hydra could not compose."""
    from hydra.errors import MissingConfigException, OverrideParseException

    text = str(error).strip()
    if isinstance(error, OverrideParseException):
        first = text.splitlines()[0]
        return ConfigError(
            f"{error.override} is not a valid override: {first}",
            "write key=value; quote values with spaces or commas: 'key=\"a, b\"'",
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing_option(error.missing_cfg_file, list(error.options or []))
    keys = all_keys(COMMANDS[command])
    unknown = re.match(r"Could not override '([^']+)'", text)
    if unknown:
        return ConfigError(
            unknown_key(unknown[1], keys),
            f"every key: vae-{command.replace('_', '-')} --help",
        )
    group = re.match(r"Could not override '([^']+)'\.\nNo match", text) or re.search(
        r"override '?([\w/]+)@?'?", text
    )
    if group and "No match in the defaults list" in text:
        return ConfigError(unknown_key(group[1], keys))
    return ConfigError(text.splitlines()[0], *text.splitlines()[1:3])


def _missing_option(file: str, options: list[str]) -> VaeCliError:
    group, _, name = file.rpartition("/")
    if not group:
        return UsageError(f"config {file} does not exist in {configs_dir()}.")
    return ConfigError(
        f"{group}={name} is not available.",
        f"choose one of: {', '.join(options)}",
        f"to add your own: vae copy {group}/{options[0] if options else name} "
        f"my_configs/{group}, then --config-dir my_configs",
    )


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
