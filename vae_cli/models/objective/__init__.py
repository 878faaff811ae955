"""Objectives: what training minimises, one file each; `base.py` has what they share."""

from vae_cli.models.objective.base import Draw, Elbo, TrainingSetup
from vae_cli.models.objective.iwae import log_mean_exp
from vae_cli.models.objective.terms import (
    Terms,
    concatenated,
    elbo_terms,
    kl_term,
    weighted,
)

__all__ = [
    "Draw",
    "Elbo",
    "Terms",
    "TrainingSetup",
    "concatenated",
    "elbo_terms",
    "kl_term",
    "log_mean_exp",
    "weighted",
]
