"""Objectives: what training minimises, one file each; `base.py` has what they share."""

from vae_cli.models.objective.base import (
    Draw,
    Elbo,
    Facts,
    Terms,
    concatenated,
    elbo_terms,
    kl_term,
    log_mean_exp,
    weighted,
)

__all__ = [
    "Draw",
    "Elbo",
    "Facts",
    "Terms",
    "concatenated",
    "elbo_terms",
    "kl_term",
    "log_mean_exp",
    "weighted",
]
