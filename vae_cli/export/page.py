"""The README.md of an export: a table of the files, and code that uses them."""

from collections.abc import Callable

from vae_cli.export.report import Array, ExportReport, FileReport
from vae_cli.runs.report import markdown_table
from vae_cli.text import printable

MEANINGS = {
    "image": "images",
    "label": "number of the class of each image",
    "z": "codes",
    "noise": "standard normal noise, all levels concatenated",
    "choice": "uniform from 0 to 2^24 - 1; picks a component of the prior",
    "observed": "images whose missing pixels may have any value",
    "mask": "1 for observed pixels, 0 for missing ones",
    "mean": "mean of q(z|x); with a flow, the code of its Gaussian's mean",
    "log_var": "log-variance of q(z|x); with a flow, to first order",
}
"""Input or output -> description."""
MADE = {
    "label": 'np.full({n}, {label}, "int32")',
    "choice": 'rng.integers(2**24, size={n}, dtype="int32")',
    "z": 'rng.standard_normal({shape}, "float32")',
    "noise": 'rng.standard_normal({shape}, "float32")',
    "mask": 'np.ones({shape}, "float32")',
}
"""Input -> code that creates an example; images are zeros."""


def page(report: ExportReport) -> str:
    """Return the Markdown text of the page."""
    conditional = bool(report.classes)
    lines = [
        f"# Export of {printable(report.run)}",
        f"Written by vae-cli {report.version}. Each file was loaded in its own runtime "
        "and compared with the run.",
        "",
        *_table(report),
        "",
        "The difference is the largest over all values, relative to the run's largest "
        "value if that is above 1, or to 255 for uint8; RMS is the root mean square. "
        "The tolerance applies to the difference, or to the RMS if weights are "
        "rounded. Milliseconds are the "
        f"median of repeated calls on {report.cores} CPU cores.",
        "",
        "## Inputs and outputs",
        *_arrays(report),
        "",
        f"Pixels of the data: {report.pixels}. `pixels=model` is the model's range: "
        "[0, 1], or standardized values if the data are standardized. `pixels=data` is "
        "the data's own range. Images must have the model's size.",
        "",
        "The same noise gives the same images in every format; multiply it by 0.8 for "
        "temperature 0.8.",
    ]
    if conditional:
        classes = ", ".join(
            f"{number}: {printable(name)}" if str(number) != name else name
            for number, name in report.classes.items()
        )
        lines += ["", f"Labels: {classes}."]
    lines += ["", "## How to use the files", "Run from this folder:"]
    for group in _groups(report.files):
        lines += ["", f"### {_title(group[0])}", "```python"]
        lines += [*_snippet(group, report), "```"]
    return "\n".join(lines) + "\n"


def _table(report: ExportReport) -> list[str]:
    sizes = sorted({n for row in report.files for n in row.milliseconds_an_image})
    header = ["file", "runtime", "difference", "RMS", "tolerance", "KiB"]
    header += [f"ms per image, {n} per call" for n in sizes]
    rows = []
    for row in report.files:
        times = row.milliseconds_an_image
        rows.append(
            [
                row.file,
                row.runtime,
                f"{row.difference:.1e}",
                f"{max(row.root_mean_squares.values()):.1e}",
                f"{row.tolerance:.1e}",
                f"{row.bytes / 1024:,.0f}",
                *(f"{times[n]:.3g}" if n in times else "" for n in sizes),
            ]
        )
    return markdown_table(header, rows)


def _arrays(report: ExportReport) -> list[str]:
    """Return a table of inputs and outputs, without repeated rows."""
    rows: list[tuple[str, ...]] = []
    for file in sorted(report.files, key=lambda file: file.network):
        variant = f"{file.network}, pixels={file.pixels}"
        for way, arrays in (("in", file.inputs), ("out", file.outputs)):
            for name, array in arrays.items():
                row = (variant, way, f"`{name}`", str(array), MEANINGS.get(name, ""))
                rows += [row] if row not in rows else []
    return markdown_table(("network", "", "name", "array", "description"), rows)


def _groups(files: list[FileReport]) -> list[list[FileReport]]:
    """Return groups of files that one code example uses together."""
    groups: dict[tuple, list[FileReport]] = {}
    for file in files:
        groups.setdefault(_variant(file), []).append(file)
    return list(groups.values())


def _variant(file: FileReport) -> tuple:
    return (
        file.format, file.pixels, str(file.batch_size), file.quantize, file.checkpoint
    )  # fmt: skip


def _title(file: FileReport) -> str:
    parts = [f"{file.format}, {file.runtime}"]
    parts += ["pixels=data"] if file.pixels == "data" else []
    parts += [f"batch_size={file.batch_size}"] if file.batch_size else []
    parts += [f"quantize={file.quantize}"] if file.quantize != "none" else []
    parts += [f"checkpoint={file.checkpoint}"] if file.checkpoint != "best" else []
    return ", ".join(parts)


def _snippet(files: list[FileReport], report: ExportReport) -> list[str]:
    imports, use = USES[files[0].format]
    lines = ["import numpy as np", *imports, ""]
    if any({"z", "noise"} & file.inputs.keys() for file in files):
        lines.append("rng = np.random.default_rng(0)")
    made: set[str] = set()
    for file in files:
        for name, array in file.inputs.items():
            if name not in made:
                lines.append(f"{name} = {_example(name, array, report)}")
                made.add(name)
    for file in files:
        lines += ["", *use(file)]
    return lines


def _example(name: str, array: Array, report: ExportReport) -> str:
    shape = tuple(4 if size is None else size for size in array.shape)
    how = MADE.get(name)
    if how is None:
        return f'np.zeros({shape}, "{array.dtype}")  # yours'
    label = next(iter(report.classes), 0)
    return how.format(n=shape[0], shape=shape, label=label)


def _given(file: FileReport, form: str = '"{0}": {0}') -> str:
    return ", ".join(form.format(name) for name in file.inputs)


def _taken(file: FileReport, source: str) -> list[str]:
    return [f'{_result(file, name)} = {source}["{name}"]' for name in file.outputs]


def _result(file: FileReport, name: str) -> str:
    return {"decoder": "decoded", "sampler": "samples"}.get(file.network, name)


def _use_onnx(file: FileReport) -> list[str]:
    names = ", ".join(f'"{name}"' for name in file.outputs)
    results = ", ".join(_result(file, name) for name in file.outputs)
    return [
        f'{file.network} = onnxruntime.InferenceSession("{file.file}")',
        f"[{results}] = {file.network}.run([{names}], {{{_given(file)}}})",
    ]


def _use_litert(file: FileReport) -> list[str]:
    return [
        f'interpreter = Interpreter(model_path="{file.file}")',
        f"{file.network} = interpreter.get_signature_runner()",
        f"outputs = {file.network}({_given(file, '{0}={0}')})",
        *_taken(file, "outputs"),
    ]


def _use_saved_model(file: FileReport) -> list[str]:
    given = _given(file, "{0}=tf.constant({0})")
    return [
        f'model = tf.saved_model.load("{file.file}")',
        f'{file.network} = model.signatures["serving_default"]',
        f"outputs = {file.network}({given})",
        *_taken(file, "outputs"),
    ]


def _use_keras(file: FileReport) -> list[str]:
    return [
        f'{file.network} = keras.saving.load_model("{file.file}")',
        f"outputs = {file.network}.predict_on_batch({{{_given(file)}}})",
        *_taken(file, "outputs"),
    ]


USES: dict[str, tuple[list[str], Callable[[FileReport], list[str]]]] = {
    "onnx": (["import onnxruntime"], _use_onnx),
    "litert": (["from ai_edge_litert.interpreter import Interpreter"], _use_litert),
    "saved_model": (["import tensorflow as tf"], _use_saved_model),
    "keras": (["import keras"], _use_keras),
}
"""Format -> imports, and the function that returns code to load and call a file."""
