"""Speed side by side, start, growth: python -m tests.benchmarks

Needs the extra `benchmark` and half an hour in which the machine does nothing else.
Prints what it finds, keeps it in results.json beside this file and draws
outputs/gallery/speed.png and growth.png. Parts can be named: `speed start`.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import comparison, figures, growth

RESULTS = Path(__file__).with_name("results.json")
GALLERY = Path("outputs") / "gallery"
MODELS = ("conv", "dense")


def main() -> None:
    """Measure what was asked for, print, keep and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parts: dict[str, Callable[[int], Any]] = {
        "speed": lambda n: {model: comparison.speed(model, n) for model in MODELS},
        "start": lambda n: {
            model: comparison.start(model, max(3, n // 2)) for model in MODELS
        },
        "growth": lambda n: growth.training(),
        "commands": lambda n: growth.commands(),
    }
    parser.add_argument("parts", nargs="*", help=", ".join(parts), default=[])
    chosen = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for part in chosen.parts or parts:
        results[part] = parts[part](chosen.rounds)
        print(json.dumps({part: results[part]}, indent=2))
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    figures.draw(results, GALLERY)


if __name__ == "__main__":
    main()
