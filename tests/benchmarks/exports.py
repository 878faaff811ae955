"""Every recipe in every format: python -m tests.benchmarks.exports

Trains each recipe for an epoch on a few hundred images (sizes and times don't depend on
the weights), exports it and prints the table of exports.md. `--output` writes one entry
per file instead, with every difference and time. Recipes can be named; those with
images of their own need them: `--path emoji=folder`. Times count only while the machine
does nothing else. Needs the extra `export`.
"""

import argparse
import json
import tempfile
from pathlib import Path

import vae_cli as vae
from vae_cli.errors import VaeCliError
from vae_cli.export.report import FileReport
from vae_cli.paths import configs_dir
from vae_cli.runs.report import markdown_table

RECIPES = sorted(file.stem for file in (configs_dir() / "experiment").glob("*.yaml"))
SMALL = ("epochs=1", "dataset.max_images_per_split=400", "dataset.validation_size=200")
LITERT = ("none", "float16", "int8")
KINDS = ("saved_model", "keras", "onnx", "litert", "litert float16", "litert int8")
HEADER = ("recipe", "format", "network", "difference", "RMS", "KiB", "ms by 1",
          "ms by 64", "runtime")  # fmt: skip


def files_of(recipe: str, path: str | None, folder: Path) -> list[FileReport]:
    """Train a recipe in a folder and export it in every format and precision."""
    words = [f"experiment={recipe}", f"run_dir={folder}"]
    words += [f"dataset.path={path}"] if path else []
    small = list(SMALL)
    if path:  # small sets have validation images of their own number
        small = small[:2]
    run = vae.train(*words, *small)
    files = run.export().files
    for quantize in LITERT[1:]:
        files = run.export(format=["litert"], quantize=quantize).files
    return files


def row_of(recipe: str, file: FileReport) -> list[str]:
    """Return a file's row of the table."""
    times = file.milliseconds_an_image
    kind = file.format if file.quantize == "none" else f"litert {file.quantize}"
    rms = max(file.root_mean_squares.values())
    numbers = [f"{file.difference:.1e}", f"{rms:.1e}", f"{file.bytes / 1024:,.0f}"]
    shown = [f"{times[size]:.3g}" for size in (1, 64)]
    return [recipe, kind, file.network, *numbers, *shown, file.runtime]


def cell_of(files: list[dict[str, str]]) -> str:
    """Return what the short table says of a recipe's files in one format."""
    quantized = " " in files[0]["format"]
    error = max(float(file["RMS" if quantized else "difference"]) for file in files)
    by_network = {file["network"]: file for file in files}
    networks = [by_network[name] for name in ("encoder", "decoder")]
    size = sum(int(file["KiB"].replace(",", "")) for file in networks) / 1024
    times = "/".join(f"{float(file['ms by 64']):.2g}" for file in networks)
    return f"{error:.0e} · {size:.1f} · {times}".replace("e-0", "e-")


def short_table(files: list[dict[str, str]]) -> list[str]:
    """Return the table recipe x format: error, MiB, ms of encoder and decoder."""
    recipes = dict.fromkeys(file["recipe"] for file in files)
    rows = []
    for recipe in recipes:
        own = [file for file in files if file["recipe"] == recipe]
        cells = [cell_of([f for f in own if f["format"] == kind]) for kind in KINDS]
        rows.append([f"`{recipe}`", *cells])
    return markdown_table(("recipe", *(f"`{kind}`" for kind in KINDS)), rows)


def main() -> None:
    """Export what was asked for; prints the short table, and writes the whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", default=RECIPES)
    parser.add_argument("--path", action="append", default=[], metavar="RECIPE=PATH")
    parser.add_argument("--output", type=Path, help="write all files as JSON")
    chosen = parser.parse_args()
    paths = dict(pair.split("=", 1) for pair in chosen.path)
    rows = []
    for recipe in chosen.recipes:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                files = files_of(recipe, paths.get(recipe), Path(scratch) / "run")
            except VaeCliError as error:
                print(f"{recipe}: {error}", flush=True)
                continue
        rows += [row_of(recipe, file) for file in files]
        worst = max(file.difference for file in files if file.quantize == "none")
        print(
            f"{recipe}: {len(files)} files, largest difference {worst:.1e}", flush=True
        )
    table = [dict(zip(HEADER, row, strict=True)) for row in rows]
    print(*short_table(table), sep="\n")
    if chosen.output:
        chosen.output.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
