"""What every contender trains: the same images, batch, optimizer and precision."""

import argparse
import json
import resource
import sys
import time
from dataclasses import dataclass, fields

import numpy as np


@dataclass
class Task:
    """A training whose epochs are timed one by one.

    Attributes:
        model: `conv`, the model of the Keras guide (without its 16-unit layer), or
            `dense`, 784-500-500-z-500-500-784.
        batch_size: images a step.
        latent_dim: size of the code.
        size: height and width of an image.
        count: images an epoch.
        precision: a Keras dtype policy.
        memory_mb: the product's budget; larger sets are streamed.
        autotune: 0 switches tf.data's autotuning off in the Keras guide.
    """

    model: str = "dense"
    batch_size: int = 128
    latent_dim: int = 20
    size: int = 28
    count: int = 20_000
    precision: str = "float32"
    memory_mb: int = 4096
    autotune: int = 1

    @classmethod
    def from_command_line(cls) -> "Task":
        """Read `--batch-size 128` and so on."""
        parser = argparse.ArgumentParser()
        for field in fields(cls):
            parser.add_argument("--" + field.name.replace("_", "-"), type=field.type)
        given = vars(parser.parse_args())
        return cls(**{k: value for k, value in given.items() if value is not None})

    def arguments(self) -> list[str]:
        """Return the command line that says the same."""
        return [
            part
            for name, value in vars(self).items()
            for part in ("--" + name.replace("_", "-"), str(value))
        ]

    def images(self) -> np.ndarray:
        """Return uint8 [count, size, size, 1]: MNIST, repeated and resized as asked."""
        # not above: a bare script imports this module too
        import vae_cli.data.sources as sources

        digits = sources.mnist(None)[0].images
        digits = np.resize(digits, (self.count, *digits.shape[1:3]))
        rows = np.arange(self.size) * digits.shape[1] // self.size
        return np.ascontiguousarray(digits[:, rows][:, :, rows][..., None])

    @property
    def operations(self) -> float:
        """Floating-point operations a training image: three forward passes.

        Matrix products and convolutions alone, 2 a multiply-add.
        """
        pixels, z = self.size**2, self.latent_dim
        if self.model == "dense":
            products = 2 * (pixels * 500 + 500 * 500) + 3 * 500 * z
        else:
            half, grid = -(-self.size // 2), -(-self.size // 4)
            flat = 64 * grid**2
            encoder = half**2 * 9 * 32 + grid**2 * 9 * 32 * 64 + flat * 2 * z
            decoder = flat * z + grid**2 * 9 * 64 * 64 + half**2 * 9 * 64 * 32
            products = encoder + decoder + pixels * 9 * 32
        return 3 * 2 * products


class Turns:
    """Lets one epoch after another through, each when its turn has come, and times it.

    Between turns the process waits for a line on stdin, so that of many contenders
    that are alive only one computes. An epoch is reported when the next one is about
    to begin: by then, whatever follows an epoch is over too.
    """

    def __init__(self, task: Task) -> None:
        self._count = task.count
        self._speed: float | None = None

    def begin(self) -> None:
        """Report the epoch before, wait for the turn, then start the clock."""
        if self._speed is not None:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            line = json.dumps({"images_per_second": self._speed, "peak_mb": peak})
            print(line, file=sys.__stdout__, flush=True)
        if not sys.stdin.readline():
            raise SystemExit  # whoever gave the turns is gone
        self._began = time.perf_counter()

    def end(self, images_per_second: float | None = None) -> None:
        """Stop the clock; a contender that measures its speed itself gives it."""
        own = self._count / (time.perf_counter() - self._began)
        self._speed = images_per_second or own
