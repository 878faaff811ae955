"""Every two options that go together are trained together, and the run is used."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.combinations.axes import AXES
from tests.combinations.covering import Choice, problems, read
from tests.combinations.run import write_images

PROCESSES = 2
RUN = (sys.executable, "-m", "tests.combinations.run")
KNOWN_TO_CLASH = 90
"""Pairs that no config has; more of them would mean that a new rule refuses much."""


@pytest.mark.slow
def test_every_pair_of_options_trains_and_is_used(tmp_path: Path) -> None:
    choices, impossible = read()
    check_covers(choices, impossible)
    write_images(tmp_path)
    (tmp_path / "choices.json").write_text(json.dumps(choices))
    started = [
        subprocess.Popen(
            [*RUN, str(first), str(PROCESSES)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.PIPE,
            stderr=(tmp_path / f"errors-{first}").open("w"),
            text=True,
        )
        for first in range(PROCESSES)
    ]
    lines = []
    for process in started:
        output, _ = process.communicate(timeout=2400)
        lines += [json.loads(line) for line in output.splitlines() if line[:1] == "{"]
    failed = [line for line in lines if line["problem"]]
    text = "\n\n".join(f"{line['choice']}\n{line['problem']}" for line in failed)
    assert not failed, f"{len(failed)} of {len(lines)} choices:\n{text}"
    assert sorted(line["number"] for line in lines) == list(range(len(choices)))


def check_covers(choices: list[Choice], impossible: set[frozenset]) -> None:
    assert not [choice for choice in choices if problems(choice)]
    met = {
        frozenset(two)
        for choice in choices
        for two in itertools.combinations(choice.items(), 2)
    }
    pairs = {
        frozenset(((a, x), (b, y)))
        for a, b in itertools.combinations(AXES, 2)
        for x in AXES[a]
        for y in AXES[b]
    }
    assert met | impossible == pairs, "python -m tests.combinations.covering"
    assert not met & impossible
    assert len(impossible) <= KNOWN_TO_CLASH
