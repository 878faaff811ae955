"""`vae-encode`: codes of images, in a file."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from vae_cli.commands._main import run_command
from vae_cli.commands._run import opened, options, suffix
from vae_cli.config.encode import ALL, ENCODE, EncodeConfig
from vae_cli.data.given_files import own_name
from vae_cli.progress import fraction_bar
from vae_cli.runs.codes import Codes, check_codes_file, write_codes
from vae_cli.runs.data import check_outputs
from vae_cli.runs.report import writing

CHANGING = (
    "label", "num_images", "scores", "posterior_samples", "seed", "checkpoint",
)  # fmt: skip
"""Keys that change the file: its name says those that aren't the defaults."""

log = logging.getLogger(__name__)


def main() -> NoReturn:
    """Entry point of `vae-encode`."""
    run_command("encode", encode)


def encode(config: EncodeConfig, overrides: list[str]) -> None:
    """Encode images and write their codes; prints the file."""
    output = Path(config.output) if config.output else None
    check_codes_file(output or Path("codes.csv"))
    run = opened(config)
    run.labels.check(config.label)  # before TensorFlow starts
    check_outputs(run.folder, run.config, output=output)
    if not config.images and config.split != ALL:
        config = replace(config, split=run.split_name(config.split))
    if output is None:
        source = own_name(config.images) if config.images else config.split
        changed = suffix("encode", config, CHANGING)
        output = run.folder.path / "codes" / f"{source}{changed}.csv"
    codes = run.codes(**options(config, ENCODE))
    with (
        writing(output, "choose another place: output=<file>"),
        fraction_bar(f"encoding, {run.folder.path.name}") as progress,
    ):
        count = write_codes(output, _followed(codes, progress))
    log.info("%s images encoded", f"{count:,}")
    print(output)


def _followed(
    codes: Iterator[Codes], progress: Callable[[float], None]
) -> Iterator[Codes]:
    """Go through codes, and say how many are there."""
    for part in codes:
        yield part
        progress(part.fraction)
