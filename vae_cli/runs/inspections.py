"""The report of `vae-inspect`: text for a terminal, Markdown and JSON."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae_cli.config.dataset_files import PicturesConfig
from vae_cli.config.inspect import InspectConfig
from vae_cli.data.concerns import counted
from vae_cli.data.duplicates import Duplicates, Place
from vae_cli.data.file_facts import FileFacts
from vae_cli.data.inspection import DataReport
from vae_cli.errors import ConfigError
from vae_cli.runs.files import write_json, write_text
from vae_cli.runs.report import Section, writing
from vae_cli.text import megabytes, printable, shortened

if TYPE_CHECKING:
    from vae_cli.inspection import Inspection
    from vae_cli.training.inspection import LayerFacts, ModelReport

FOLDER = "inspection"
"""Where reports are, in the current folder or in that of a run."""
LISTED = 10
"""Sizes, groups and pairs that the report lists; the JSON has more."""
CLASSES = 40
"""Classes that it lists."""


def sections(inspection: "Inspection") -> list[Section]:
    """Return what a report says, in its order."""
    data, model = inspection.data, inspection.model
    found = []
    if inspection.refused:
        found.append(_numbered("vae-train would stop", inspection.refused))
    if data.warnings:
        found.append(_numbered("To look at", data.warnings))
    found.append(_images(data))
    if data.files is not None:
        found += _files(data.files)
    found.append(_values(data))
    if any(split.classes for split in data.splits.values()):
        found.append(_classes(data))
    found += _duplicates(data.duplicates)
    rows = [
        (("* " if fit.chosen else "") + fit.name, "yes" if fit.possible else "no",
         fit.why)
        for fit in data.likelihoods
    ]  # fmt: skip
    found.append(Section("Likelihoods", rows, ("likelihood", "fits", "why"),
                         "* is chosen"))  # fmt: skip
    return found if model is None else [*found, *_model(model)]


def as_text(inspection: "Inspection") -> str:
    """Return the report for a terminal."""
    return "\n".join(line for s in sections(inspection) for line in s.text())


def as_markdown(inspection: "Inspection") -> str:
    """Return the report as Markdown."""
    title = inspection.run or inspection.data.path or inspection.data.dataset
    lines = [line for s in sections(inspection) for line in s.markdown()]
    return "\n".join([f"# Inspection of {printable(title)}", "", *lines])


def checked_output(config: InspectConfig) -> Path:
    """Return the folder that the report of a data set, not of a run, is written to.

    Raises:
        ConfigError: its pictures would become part of the data set.
    """
    folder = Path(config.output or FOLDER)
    dataset = config.dataset
    if config.run is None and isinstance(dataset, PicturesConfig):
        pictures = Path(dataset.path).resolve()
        if folder.resolve().is_relative_to(pictures):
            raise ConfigError(
                f"output={folder} lies in dataset.path={dataset.path}: the report's "
                "pictures would become part of the data set.",
                "choose another folder: output=<folder>",
            )
    return folder


def write_inspection(
    inspection: "Inspection", folder: Path, num_images: int, seed: int = 0
) -> list[Path]:
    """Write the report and its figures into a folder; returns the files.

    Args:
        inspection: what was found.
        folder: is made.
        num_images: in the contact sheet.
        seed: draws them.

    Raises:
        RunError: they can't be written.
    """
    from vae_cli.visualize.files import save_figure

    report, text = folder / "report.json", folder / "report.md"
    sheet, pairs = folder / "contact-sheet.png", folder / "duplicates.png"
    alike = inspection.duplicate_sheet()
    with writing(folder, "choose another folder: output=<folder>"):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(report, inspection.to_json())
        write_text(text, as_markdown(inspection))
        save_figure(inspection.contact_sheet(num_images, seed), sheet)
        if alike is None:
            pairs.unlink(missing_ok=True)  # of an earlier report
            return [report, text, sheet]
        save_figure(alike, pairs)
    return [report, text, sheet, pairs]


def _numbered(title: str, lines: list[str]) -> Section:
    return Section(title, list(enumerate(lines, 1)))


def _images(data: DataReport) -> Section:
    where = "" if data.path is None else f", {data.path}"
    total = sum(split.megabytes for split in data.splits.values())
    place = f"in memory, {megabytes(total)}"
    if data.streamed_from:
        place = f"streamed from {data.streamed_from}, {megabytes(total)}"
    values = data.values.distinct
    occurring = "more than 65,536" if values is None else f"{values:,}"
    return Section(
        "Images",
        [
            ("dataset", data.dataset + where),
            ("images", ", ".join(f"{s.images:,} {n}" for n, s in data.splits.items())),
            ("shape", " x ".join(map(str, data.image_shape))
             + " (height, width, channels)"),
            ("pixels", f"{data.pixels}; {occurring} different values occur"
             + (", all are 0 or 1 in the model" if data.binary else "")),
            ("place", place),
            *(("preparation", step) for step in data.preprocessing),
        ],
    )  # fmt: skip


def _files(files: FileFacts) -> list[Section]:
    def listed(counts: Iterable[tuple[str, int]]) -> str:
        named = [f"{name} ({count:,})" for name, count in counts]
        return ", ".join(shortened(named, LISTED))

    sizes = [(f"{w} x {h}", count) for (h, w), count in files.sizes.items()]
    rows = [
        ("sizes", f"width x height: {listed(sizes)}"),
        ("modes", listed(files.modes.items())),
        ("formats", listed(files.formats.items())),
        ("turned by EXIF", f"{files.turned:,}"),
        ("cannot be read", f"{len(files.bad):,}"),
        ("decoded in", files.cache),
    ]
    found = [Section("Files", rows)]
    if files.bad:
        bad = sorted(files.bad.items())
        found.append(Section("Files that can't be read", bad, ("file", "reason")))
    return found


def _values(data: DataReport) -> Section:
    rows = [
        (number, f"{c.mean:.5g}", f"{c.std:.5g}", f"{c.low:g}", f"{c.high:g}")
        for number, c in enumerate(data.values.channels)
    ]
    header = ("channel", "mean", "std", "smallest", "largest")
    return Section("Pixels of training images", rows, header)


def _classes(data: DataReport) -> Section:
    names = list(
        dict.fromkeys(n for s in data.splits.values() for n in s.classes or ())
    )
    rows = [
        (name, *((s.classes or {}).get(name, 0) for s in data.splits.values()))
        for name in names
    ]
    more = len(rows) - CLASSES
    return Section(
        f"Classes ({len(rows):,})",
        rows[:CLASSES],
        ("class", *data.splits),
        f"and {more:,} more" if more > 0 else "",
    )


def _duplicates(duplicates: Duplicates) -> list[Section]:
    compared = "all pairs" if duplicates.complete else "not all pairs"
    rows = [
        ("same pixels", f"{counted(duplicates.num_groups, 'group')}, in which "
         f"{counted(duplicates.copies, 'image')} could be left out"),
        *(("also in train", counted(count, f"{name} image"))
          for name, count in duplicates.leaked.items()),
        ("look alike", f"{counted(duplicates.num_near, 'pair')}; {compared} of "
         f"{duplicates.searched:,} different images were compared"),
        *(("like one in train", counted(count, f"{name} image"))
          for name, count in duplicates.nearly_leaked.items()),
    ]  # fmt: skip
    found = [Section("Duplicates", rows)]
    if duplicates.groups:
        groups = [
            (len(group), ", ".join(_named(place) for place in group[:LISTED])
             + (", ..." if len(group) > LISTED else ""))
            for group in duplicates.groups[:LISTED]
        ]  # fmt: skip
        found.append(Section("The same pixels", groups, ("images", "names")))
    if duplicates.near:
        near = [
            (f"{pair.difference:.3f}", f"{_named(pair.first)}, {_named(pair.second)}")
            for pair in duplicates.near[:LISTED]
        ]
        found.append(
            Section(
                "Header alike",
                near,
                ("difference", "names"),
                "the difference is a fraction of the contrast",
            )
        )
    return found


def _named(place: Place) -> str:
    shown = printable(place.name)
    return shown if shown.startswith(place.split) else f"{shown} ({place.split})"


def _model(model: "ModelReport") -> list[Section]:
    rows: list[tuple[Any, ...]] = [*model.options.items()]
    rows += [("chosen", text) for text in model.chosen]
    parts = ", ".join(f"{name} {count:,}" for name, count in model.parameters.items())
    rows.append(("parameters", f"{model.total_parameters:,} ({parts})"))
    found = [Section("Model", rows)]
    for name, layers in model.layers.items():
        table = [
            (layer.name, layer.kind, " x ".join(map(str, layer.output_shape)),
             f"{layer.parameters:,}")
            for layer in _telling(layers)
        ]  # fmt: skip
        header = ("layer", "kind", "output", "parameters")
        found.append(Section(f"Layers of the {name}", table, header))
    return [*found, _training(model)]


def _telling(layers: Sequence["LayerFacts"]) -> list["LayerFacts"]:
    """Return the layers that have parameters or change the shape."""
    shapes = [(), *(layer.output_shape for layer in layers)]
    return [
        layer
        for layer, before in zip(layers, shapes, strict=False)
        if layer.parameters or layer.output_shape != before
    ]


def _training(model: "ModelReport") -> Section:
    total = model.steps_per_epoch * model.epochs
    memory = "; ".join(f"{n} {_mib(size)}" for n, size in model.memory.items())
    rows = [
        ("steps", f"{model.steps_per_epoch:,} an epoch of {model.batch_size:,} images "
         f"each, {counted(model.epochs, 'epoch')}: {total:,} steps"),
        ("memory", f"about {_mib(sum(model.memory.values()))} of "
         f"{_mib(model.free_memory)} that are free: {memory}"),
    ]  # fmt: skip
    speed = model.speed
    if speed is None:
        rows.append(("seconds an epoch", f"not measured: {model.not_measured}"))
        return Section("Training", rows)
    rows += [
        ("seconds an epoch", f"{_number(speed.seconds_per_epoch)}, of which "
         f"{_number(speed.seconds_per_validation)} for validation"),
        ("all epochs", f"{_number(speed.hours * 60)} minutes, and "
         f"{_number(speed.seconds_to_compile)} seconds to compile"),
        ("measured", f"{counted(speed.steps, 'step')} of "
         f"{_number(1000 * speed.seconds_per_step)} ms, "
         f"{speed.images_per_second:,.0f} images per second"),
    ]  # fmt: skip
    return Section("Training", rows)


def _mib(size: float) -> str:
    return megabytes(size / 2**20) if size < 2**30 else f"{size / 2**30:,.1f} GiB"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
