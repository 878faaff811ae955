"""`vae launch`: the workers of one training on this machine, started and watched."""

import dataclasses
import signal

from vae_cli.config.compose import composed
from vae_cli.errors import Interrupted, TrainingError, UsageError
from vae_cli.runs.resume import resumable, resumed_config
from vae_cli.workers import Workers, cores, handing_on_signals

USAGE = "vae launch --workers 2 train experiment=dense"


def launch_command(arguments: list[str]) -> int:
    """Start `vae train` several times, as workers of one training.

    Raises:
        UsageError: anything but `--workers N train ...`.
        TrainingError: a worker failed; the others have been ended.
        Interrupted: stopped by Ctrl-C or SIGTERM, after the workers have saved.
    """
    count, command = _parsed(arguments)
    command = _completed(command, count)
    workers = Workers()
    with handing_on_signals(workers.send_signal):
        try:
            workers.start(command, count)
            first = workers.wait()
        finally:
            workers.kill()
    if first is None:
        return 0
    status = workers.status(first)
    if status == Interrupted.exit_status:
        raise Interrupted("")
    if status > 0:  # it has said why
        raise TrainingError(
            f"worker {first} of {count} failed; the others have been ended."
        )
    raise TrainingError(
        f"worker {first} of {count} was killed by {signal.Signals(-status).name}; the "
        "others have been ended.",
        "what was trained is kept up to the last epoch; resume with: "
        f"vae launch --workers {count} train resume=<run folder>",
    )


def _parsed(arguments: list[str]) -> tuple[int, list[str]]:
    if arguments and arguments[0].startswith("--workers="):
        arguments = ["--workers", arguments[0].partition("=")[2], *arguments[1:]]
    if len(arguments) < 3 or arguments[0] != "--workers" or arguments[2] != "train":
        came = " ".join(["vae launch", *arguments[:3]])
        raise UsageError(
            f"vae launch takes --workers <number> train and overrides, got: {came}",
            f"such as: {USAGE}",
        )
    if not arguments[1].isdigit() or int(arguments[1]) < 1:
        raise UsageError(f"--workers {arguments[1]} must be a number, at least 1.")
    return int(arguments[1]), arguments[2:]


def _completed(command: list[str], count: int) -> list[str]:
    """Add what the user left open.

    Raises:
        UsageError: this is no training by several workers.
    """
    given = dict(word.split("=", 1) for word in command if "=" in word)
    if {"-m", "--multirun"} & set(command):
        raise UsageError("vae launch is for one run; sweeps are vae-train -m.")
    if "resume" in given:
        # a worker that came later would find the chief's run in use
        root = given.get("output_root", "outputs")
        folder = resumable(given["resume"], root, longer="epochs" in given)
        # refused here, once, and not by each worker
        config = composed("train", command[1:])
        typed = [w for w in command[1:] if "=" in w and not w.startswith("-")]
        _, saved = resumed_config(
            dataclasses.replace(config, resume=str(folder)), typed
        )
        chosen = saved.distribution.name
        others = [word for word in command if not word.startswith("resume=")]
        command = [*others, f"resume={folder}"]
    else:
        chosen = given.setdefault("distribution", "multi_worker")
        # the machine's cores are shared out, or each worker would take them all
        threads = given.get("threads", max(1, cores() // count))
        own = (f"distribution={chosen}", f"threads={threads}")
        command = list(dict.fromkeys([*command, *own]))
    if chosen != "multi_worker":
        raise UsageError(
            f"vae launch needs distribution=multi_worker, not {chosen}.",
            "with one process: vae-train and the same overrides",
        )
    return command
