"""Inactive levels of a hierarchy are named, once."""

import logging
from types import SimpleNamespace

import pytest

from tests.helpers import sized
from vae_cli.training.checkpoints import Progress
from vae_cli.training.collapse import CollapseWarning


def warned(kl: list[float], caplog: pytest.LogCaptureFixture, *overrides: str) -> str:
    """What is said after an epoch with these KL of levels, and the next one."""
    config = sized("architecture=residual_conv", "hierarchy=ladder", *overrides)
    progress = Progress()
    progress.step = 500
    callback = CollapseWarning(progress, config)
    model = SimpleNamespace(vae=SimpleNamespace(level_sizes=(9,) * len(kl)))
    callback.set_model(model)
    logs = {f"val_kl_level_{i}": nats for i, nats in enumerate(kl)}
    logs |= {f"kl_level_{i}": 9.0 for i in range(len(kl))} | {"active_units": 1}
    with caplog.at_level(logging.WARNING):
        for epoch in (0, 1, 2):
            callback.on_epoch_end(epoch, logs)
    assert len(caplog.records) <= 1
    return caplog.text


def test_inactive_levels_are_named_with_remedies(caplog) -> None:
    text = warned([12.0, 0.02, 3.0, 0.0], caplog)
    assert "levels 1, 3 of 4 (0 is the top) inactive after epoch 2" in text
    assert "free_bits=0.5 free_bits_per=level" in text


def test_few_active_units_in_large_grids_are_no_collapse(caplog) -> None:
    assert warned([12.0, 0.2, 3.0], caplog) == ""


def test_larger_free_bits_are_suggested_where_there_are_some(caplog) -> None:
    options = ("free_bits=1", "free_bits_per=level")
    assert "free_bits=2 free_bits_per=level" in warned([5.0, 0.0], caplog, *options)
