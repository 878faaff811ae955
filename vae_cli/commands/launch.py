"""`vae launch`: the workers of one training on this machine, started and watched."""

import os
import signal
from types import FrameType

from vae_cli.errors import Interrupted, TrainingError, UsageError
from vae_cli.runs.resume import resumable
from vae_cli.workers import Workers

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

    def hand_on(number: int, frame: FrameType | None) -> None:
        workers.send_signal(number)

    before = {n: signal.signal(n, hand_on) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        workers.start(command, count)
        first = workers.wait()
    finally:
        workers.kill()
        for number, handler in before.items():
            signal.signal(number, handler)
    if first is None:
        return 0
    status = workers.status(first)
    if status == Interrupted.exit_status:
        raise Interrupted("")
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else "failed"
    raise TrainingError(
        f"worker {first} of {count} {how}; the others have been ended.",
        "what was trained is kept up to the last epoch; go on with: "
        f"vae launch --workers {count} train resume=<run folder>",
    )


def _parsed(arguments: list[str]) -> tuple[int, list[str]]:
    if len(arguments) < 3 or arguments[0] != "--workers" or arguments[2] != "train":
        raise UsageError(
            f"vae launch {' '.join(arguments)} doesn't say how many train.",
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
        chosen = folder.load_config().distribution.name
        others = [word for word in command if not word.startswith("resume=")]
        command = [*others, f"resume={folder}"]
    else:
        chosen = given.setdefault("distribution", "multi_worker")
        # the machine's cores are shared out, or each worker would take them all
        threads = given.get("threads", max(1, (os.cpu_count() or 1) // count))
        own = (f"distribution={chosen}", f"threads={threads}")
        command = list(dict.fromkeys([*command, *own]))
    if chosen != "multi_worker":
        raise UsageError(
            f"vae launch needs distribution=multi_worker, not {chosen}.",
            "with one process: vae-train and the same overrides",
        )
    return command
