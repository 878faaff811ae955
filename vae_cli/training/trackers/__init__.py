"""Trackers: records of a run outside of its folder.

A process of its own sends what is in the run folder (`sending.py`, `process.py`), so
that nothing a tracker does, waits for, changes in its process or breaks reaches
training, which only says that an epoch is written (`tracking.py`). There is one file a
tracker. Nothing here imports TensorFlow.
"""

from vae_cli.training.trackers.base import Tracker

__all__ = ["Tracker"]
