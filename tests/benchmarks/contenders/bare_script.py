"""What a bare script takes to import TensorFlow and to build the model."""

import json
import os
import time

BEGAN = float(os.environ["BEGAN"])

from tests.benchmarks.contenders.keras_guide import networks  # noqa: E402
from tests.benchmarks.contenders.task import Task  # noqa: E402


def main() -> None:
    """Build the model and report."""
    networks(Task.from_command_line())
    print(json.dumps({"built": time.perf_counter() - BEGAN}))


if __name__ == "__main__":
    main()
