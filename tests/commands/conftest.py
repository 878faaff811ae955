"""What tests of commands share."""

import pytest

from tests.commands.sweeps import Training, Trains
from vae_cli.commands.sweep import job


@pytest.fixture
def trains(monkeypatch: pytest.MonkeyPatch) -> Trains:
    """Let the jobs of sweeps be trained by a stand-in."""

    def start(**named: object) -> Training:
        training = Training(**named)  # type: ignore[arg-type]
        monkeypatch.setattr(job, "_train_in_child", training)
        return training

    return start
