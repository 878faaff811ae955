"""Sweeps: `vae-train -m`. `command.py` reads from top to bottom."""
