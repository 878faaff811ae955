"""The command lines that users read: in the pages, in help and in config files."""

import re
import shlex
from dataclasses import dataclass

from tests.readme.small import PLACEHOLDERS
from vae_cli import cli
from vae_cli.config.help import EXAMPLES
from vae_cli.paths import configs_dir

ROOT = configs_dir().parent
PAGES = (
    "README.md", "configs/README.md", "configs/experiment/README.md",
    "outputs/README.md", "tests/benchmarks/README.md", "vae_cli/README.md",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One command: what to set in its environment, and its words."""

    words: tuple[str, ...]
    environment: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((*self.environment, *self.words))


@dataclass(frozen=True)
class Block:
    """Lines that are typed one after another in one folder."""

    source: str
    lines: tuple[Line, ...]


def blocks() -> list[Block]:
    """Return every documented block; those after the pages' without their lines."""
    found = [
        Block(f"{page}, block {number}", tuple(lines(text)))
        for page in PAGES
        for number, text in enumerate(
            re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL), 1
        )
    ]
    known = {line for block in found for line in block.lines}
    for source, text in (*_help(), *_config_heads()):
        new = tuple(line for line in lines(text) if line not in known)
        known |= set(new)
        found += [Block(source, new)] if new else []
    return found


def lines(text: str) -> list[Line]:
    """Return the commands of a shell snippet: one for each side of an `&&`."""
    for placeholder, value in PLACEHOLDERS.items():
        text = text.replace(placeholder, value)
    found = []
    for typed in text.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in [*shlex.split(typed, comments=True), "&&"]:
            if word != "&&":
                words.append(word)
            elif words:
                found.append(_line(words))
                words = []
    return found


def _line(words: list[str]) -> Line:
    first = next(i for i, w in enumerate(words) if not re.match(r"[A-Z_]+=", w))
    environment, words = words[:first], words[first:]
    if words[0] == "vae" and words[1] in cli.COMMANDS:  # `vae train` is `vae-train`
        words = [f"vae-{words[1]}", *words[2:]]
    return Line(tuple(words), tuple(environment))


def _help() -> list[tuple[str, str]]:
    start = cli._help().partition("Start here\n")[2].partition("\n\n")[0]
    typed = [re.split(r"\s{2,}", line.strip())[0] for line in start.splitlines()]
    found = [("vae --help", "\n".join(typed))]
    for command, examples in EXAMPLES.items():
        text = "\n".join(words for words, _ in examples)
        found.append((f"vae {command.replace('_', '-')} --help", text))
    return found


def _config_heads() -> list[tuple[str, str]]:
    found = []
    for file in sorted(configs_dir().rglob("*.yaml")):
        typed = re.findall(r"^# (vae[- ].*)$", file.read_text(), re.MULTILINE)
        found.append((f"configs/{file.relative_to(configs_dir())}", "\n".join(typed)))
    return found
