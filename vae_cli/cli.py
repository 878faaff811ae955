"""`vae`: hands over to the commands; does no work itself.

Nothing heavy is imported here, so that `vae --help` and a typo answer at once.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

from vae_cli import __version__
from vae_cli.errors import UsageError, closest

COMMANDS = {
    "train": ("vae_cli.commands.train", "train a model, or resume training"),
    "inspect": (
        "vae_cli.commands.inspect",
        "what training would do: images, model, duration",
    ),
    "generate": ("vae_cli.commands.generate", "generate images from a trained run"),
    "plot-latent": (
        "vae_cli.commands.plot_latent",
        "plot images in latent space",
    ),
    "evaluate": (
        "vae_cli.commands.evaluate",
        "evaluate a trained run, or compare several",
    ),
    "reconstruct": (
        "vae_cli.commands.reconstruct",
        "denoise images, fill in missing pixels, swap labels",
    ),
    "anomaly": (
        "vae_cli.commands.anomaly",
        "anomaly scores, thresholds and AUROC",
    ),
    "encode": ("vae_cli.commands.encode", "write the codes of images to a file"),
    "explore": ("vae_cli.commands.explore", "explore a run on a page in the browser"),
    "export": (
        "vae_cli.commands.export",
        "export networks for ONNX Runtime, LiteRT, TensorFlow, Keras",
    ),
    "report": ("vae_cli.commands.report", "write a run as one HTML page"),
    "track": ("vae_cli.commands.track", "send a run to MLflow or Weights & Biases"),
}
"""Name -> (module whose `main` runs it, what it does); also installed as vae-<name>."""

CANDIDATES = "_candidates"
"""What the shells' completion calls with the line so far; not shown in the help."""


@dataclass(frozen=True)
class Tool:
    """A command of `vae` itself.

    Attributes:
        does: in a few words.
        takes: its arguments.
        examples: (what to type, what it does).
        module: where `<name>_command` is.
    """

    does: str
    takes: str
    examples: tuple[tuple[str, str], ...]
    module: str = "vae_cli.commands.catalog_tools"


TOOLS = {
    "list": Tool(
        "show the config groups and their options",
        "[group ...] [--config-dir DIR]",
        (
            ("vae list", "every group with its options"),
            ("vae list likelihood", "what each option of one is"),
            ("vae list architecture --config-dir my_configs", "and your own"),
        ),
    ),
    "show": Tool(
        "print the config a command would run with",
        "<command> [key=value ...] [--config-dir DIR]",
        (
            ("vae show train experiment=quickstart", "all of a recipe"),
            ("vae show train beta=4 > config.yaml", "as YAML"),
        ),
    ),
    "validate": Tool(
        "check a command's overrides, run nothing",
        "<command> [key=value ...] [--config-dir DIR]",
        (("vae validate train beta=4", "prints: valid"),),
    ),
    "copy": Tool(
        "copy an option, to change its values",
        "<group>/<option> DIR [--config-dir DIR]",
        (
            ("vae copy architecture/conv my_configs/architecture", "a file to edit"),
            ("vae-train --config-dir my_configs architecture=...", "by its new name"),
        ),
    ),
    "runs": Tool(
        "list, compare and delete run folders",
        "[folder | diff A B | delete RUN ...] [key=value ...] [--sort A]",
        (
            ("vae runs", "all below outputs/"),
            ("vae runs outputs/2026-01-31", "of one day"),
            ("vae runs dataset=mnist latent_dim=2", "those with these values"),
            ("vae runs --sort test_neg_elbo", "the best first"),
            ("vae runs --best", "the best of each kind of bound"),
            ("vae runs --columns run,seed,nll,minutes", "any config key is a column"),
            ("vae runs --json", "or --csv: all digits, for programs"),
            (
                "vae runs diff latest outputs/my-run",
                "keys, data, versions that differ",
            ),
            ("vae runs delete outputs/my-run", "shows its size, asks for confirmation"),
            ("vae runs delete state=failed --dry-run", "what would be deleted"),
        ),
        "vae_cli.commands.runs",
    ),
    "launch": Tool(
        "train with several workers on this machine",
        "--workers N train [key=value ...]",
        (("vae launch --workers 2 train experiment=dense", "two processes"),),
        "vae_cli.commands.launch",
    ),
    "cache": Tool(
        "list or clear the decoded pictures on disk",
        "[clear [KEY ...] | path]",
        (
            ("vae cache", "entries: size, images, folder they come from"),
            ("vae cache clear 3f2a", "delete one, by how its key begins"),
            ("vae cache clear", "delete all; they are made again when needed"),
            ("vae cache path", "the folder; VAE_CACHE=<folder> is another"),
        ),
        "vae_cli.commands.cache",
    ),
    "completion": Tool(
        "print the tab completion of a shell",
        "bash | zsh | fish",
        (
            ('eval "$(vae completion bash)"', "in ~/.bashrc"),
            ('eval "$(vae completion zsh)"', "in ~/.zshrc, after compinit"),
            ("vae completion fish | source", "in ~/.config/fish/config.fish"),
        ),
        "vae_cli.commands.completion",
    ),
}
"""Name -> tool."""


def main() -> NoReturn:
    """Entry point of `vae`."""
    name, *rest = sys.argv[1:] or [""]
    if name == CANDIDATES:
        from vae_cli.config.complete import candidates

        print(*candidates(" ".join(rest), [*COMMANDS, *TOOLS]), sep="\n")
        sys.exit(0)
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
    tool = TOOLS[name]
    from vae_cli.plugins import take_plugins

    rest = take_plugins(rest)
    if {"-h", "--help"} & set(rest):
        print(_tool_help(name, tool), end="")
        return 0
    run: Callable[[list[str]], int] = getattr(
        import_module(tool.module), f"{name}_command"
    )
    return run(rest)


def _help() -> str:
    lines = ["Variational autoencoders from the command line.", "", "Commands"]
    lines += [f"  vae {name:<14}{what}" for name, (_, what) in COMMANDS.items()]
    lines += ["", "Tools (vae <tool> --help shows examples)"]
    lines += [f"  vae {name:<14}{tool.does}" for name, tool in TOOLS.items()]
    lines += [
        "",
        "Start here",
        "  vae train experiment=quickstart    recognisable digits in a minute",
        "  vae generate mode=manifold         the latent plane, decoded",
        "  vae evaluate                       bounds in nats, latent codes, errors",
        "  vae train --help                   every key, with examples",
        "  vae train --help optimizer         all options of a group",
        "",
        "vae-train, vae-generate and so on are the same commands.",
    ]
    return "\n".join(lines) + "\n"


def _tool_help(name: str, tool: Tool) -> str:
    width = max(len(typed) for typed, _ in tool.examples)
    lines = [f"vae {name}: {tool.does}", "", "Usage", f"  vae {name} {tool.takes}"]
    lines += ["", "Examples"]
    lines += [f"  {typed:<{width}}  {what}" for typed, what in tool.examples]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
