"""`vae`: hands over to the commands; does no work of its own.

Nothing heavy is imported here, so that `vae --help` and a typo answer at once.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import NoReturn

from vae_cli import __version__
from vae_cli.errors import UsageError, closest

COMMANDS = {
    "train": ("vae_cli.commands.train", "train a model, or go on training one"),
    "generate": ("vae_cli.commands.generate", "draw images from a trained run"),
    "plot-latent": (
        "vae_cli.commands.plot_latent",
        "show where images lie in latent space",
    ),
    "evaluate": (
        "vae_cli.commands.evaluate",
        "score a trained run, or compare several",
    ),
    "reconstruct": (
        "vae_cli.commands.reconstruct",
        "denoise images, fill in missing pixels, swap labels",
    ),
    "anomaly": (
        "vae_cli.commands.anomaly",
        "score how unlike the training images others are",
    ),
}
"""Name -> (module whose `main` runs it, what it does); also installed as vae-<name>."""

TOOLS = {
    "list": "config groups, or the options of one: vae list likelihood",
    "show": "the config a command would run with: vae show train beta=4",
    "validate": "check a command's overrides, run nothing: vae validate train beta=4",
    "copy": "copy an option to make your own: vae copy likelihood/gaussian DIR",
    "runs": "a table of run folders: vae runs [folder]",
    "launch": "several workers on this machine: vae launch --workers 2 train ...",
}
"""Name -> what it does; `launch` has a module, the others are in `inspect`."""


def main() -> NoReturn:
    """Entry point of `vae`."""
    name, *rest = sys.argv[1:] or [""]
    if name in COMMANDS:
        # Hydra's completion and messages then show the command's real name
        sys.argv = [f"vae-{name}", *rest]
        import_module(COMMANDS[name][0]).main()
    from vae_cli.commands._main import run_guarded

    run_guarded(lambda: _run(name, rest))


def _run(name: str, rest: list[str]) -> int:
    if name in ("", "-h", "--help", "help"):
        print(_help(), end="")
        return 0 if name else UsageError.exit_status
    if name in ("-V", "--version"):
        print(f"vae-cli {__version__}")
        return 0
    if name not in TOOLS:
        guess = closest(name, [*COMMANDS, *TOOLS])
        hint = (
            f"did you mean vae {guess}?" if guess else "vae --help lists the commands"
        )
        raise UsageError(f"vae: {name} is not a command.", hint)
    if {"-h", "--help"} & set(rest):
        print(f"vae {name}: {TOOLS[name]}")
        return 0
    place = "launch" if name == "launch" else "inspect"
    module = import_module(f"vae_cli.commands.{place}")
    tool: Callable[[list[str]], int] = getattr(module, f"{name}_command")
    return tool(rest)


def _help() -> str:
    lines = ["Variational autoencoders from the command line.", "", "Commands"]
    lines += [f"  vae {name:<14}{what}" for name, (_, what) in COMMANDS.items()]
    lines += [f"  vae {name:<14}{what}" for name, what in TOOLS.items()]
    lines += [
        "",
        "Start here",
        "  vae train experiment=quickstart    recognisable digits in about a minute",
        "  vae generate mode=manifold         the latent plane, decoded",
        "  vae evaluate                       bounds in nats, codes, errors",
        "  vae train --help                   every option, with examples",
        "",
        "vae-train, vae-generate and so on are the same commands, with tab",
        'completion: eval "$(vae-train -sc install=bash)"',
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
