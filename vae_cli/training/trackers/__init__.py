"""Trackers: records of a run outside its folder.

A separate process sends the contents of the run folder (`sending.py`, `process.py`), so
that no delay, error or side effect of a tracker reaches training, which only signals
each written epoch (`tracking.py`). There is one file per tracker. Nothing here imports
TensorFlow.
"""

from vae_cli.training.trackers.base import Tracker

__all__ = ["Tracker"]
