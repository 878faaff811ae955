"""Options of `vae-export`."""

from dataclasses import dataclass

from vae_cli.config.option import option
from vae_cli.config.run import MAX_BATCH_SIZE, RunConfig

FORMATS = ("saved_model", "onnx", "litert", "keras")
NETWORKS = ("encoder", "decoder", "sampler")
EXPORT = ("format", "networks", "pixels", "batch_size", "quantize", "tolerance")
"""Keys that `Run.export` takes."""
TOLERANCES = {"none": 1e-4, "float16": 0.005, "int8": 0.05}
"""Tolerance of the difference between a file and the run, by `quantize`.

For float32, which differs only in the order of sums, it limits the largest difference.
With rounded weights, a few pixels differ much more than most, so it limits the root
mean square. The shipped recipes stay below 1e-5, 0.0005 and 0.02."""


@dataclass
class ExportConfig(RunConfig):
    """`vae-export`: export the networks of a run for other runtimes."""

    format: list[str] = option("file formats", choices=FORMATS)
    networks: list[str] = option(
        "encoder: image to mean and log_var; decoder: z to image; sampler: noise to "
        "image, including the prior",
        choices=NETWORKS,
    )
    pixels: str = option(
        "range of input and output images; model: float32 in the model's range, [0, 1] "
        "unless the data are standardized; data: the data's own range, uint8 if the "
        "data are; the file does the conversion",
        choices=("model", "data"),
    )
    batch_size: int | None = option(
        "images per call; any number if null", at_least=1, at_most=MAX_BATCH_SIZE
    )
    quantize: str = option(
        "for format=litert; float16 halves the file; int8 quarters it and also rounds "
        "activations, with ranges calibrated on validation images",
        choices=tuple(TOLERANCES),
    )
    tolerance: float | None = option(
        "largest difference from the run, relative to the run's largest value if that "
        "is above 1; with quantize=, the root mean square; null: 1e-4, or 0.005 for "
        "float16 and 0.05 for int8",
        above=0,
    )
    output: str | None = option("folder of the files; the run's export/ if null")

    def problems(self) -> list[str]:
        """Return inconsistencies between fields."""
        problems = [
            f"{key}=[] must name at least one of {', '.join(known)}"
            for key, known in (("format", FORMATS), ("networks", NETWORKS))
            if not getattr(self, key)
        ]
        if self.quantize != "none" and "litert" not in self.format:
            problems.append(
                f"quantize={self.quantize} needs format=litert, got "
                f"format=[{','.join(self.format)}]"
            )
        return problems
