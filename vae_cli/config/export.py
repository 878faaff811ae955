"""Options of `vae-export`."""

from dataclasses import dataclass

from vae_cli.config.option import option
from vae_cli.config.run import MAX_BATCH_SIZE, RunConfig

FORMATS = ("saved_model", "onnx", "litert", "keras")
NETWORKS = ("encoder", "decoder", "sampler")
EXPORT = ("format", "networks", "pixels", "batch_size", "quantize", "tolerance")
"""Keys that `Run.export` takes."""
TOLERANCES = {"none": 1e-4, "float16": 0.005, "int8": 0.05}
"""Of the difference between a file and the run, by what weights are rounded to.

That of float32, which differs by the order of sums alone, is of the largest difference;
where weights are rounded, single pixels differ by far more than most, and it is of the
root mean square. For the shipped recipes they are below 1e-5, 0.0005 and 0.02."""


@dataclass
class ExportConfig(RunConfig):
    """`vae-export`: the networks of a run as files of other runtimes."""

    format: list[str] = option("which kinds of file", choices=FORMATS)
    networks: list[str] = option(
        "encoder: image to mean and log_var; decoder: z to image; sampler: noise to "
        "image, the prior included",
        choices=NETWORKS,
    )
    pixels: str = option(
        "of images that go in and out. model: float32 as the model has them, [0, 1] "
        "unless the data are standardized; data: the data's own range, uint8 if theirs "
        "is, with the preparation inside the file",
        choices=("model", "data"),
    )
    batch_size: int | None = option(
        "images a call; any number if null", at_least=1, at_most=MAX_BATCH_SIZE
    )
    quantize: str = option(
        "format=litert: float16 halves the file; int8 quarters it and rounds what "
        "layers give, too, in ranges found on validation images",
        choices=tuple(TOLERANCES),
    )
    tolerance: float | None = option(
        "largest difference from the run, relative to the largest value where that is "
        "above 1; with quantize= its root mean square. If null: 1e-4, float16 0.005, "
        "int8 0.05",
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
