"""Priors p(z) over codes."""

from typing import Any

from keras import ops


class StandardNormal:
    """p(z) = N(0, I)."""

    def kl_per_dim(self, mean: Any, log_var: Any) -> Any:
        """Return KL(q(z_j|x) || p(z_j)) for a diagonal Gaussian q.

        KL_j = 1/2 (mean_j^2 + exp(log_var_j) - log_var_j - 1)

        Args:
            mean: float32 [B, latent_dim].
            log_var: float32 [B, latent_dim].

        Returns:
            float32 [B, latent_dim], nats.

        Source: Kingma & Welling 2014, appendix B.
        """
        return 0.5 * (mean**2 + ops.exp(log_var) - log_var - 1)

    def sample(self, noise: Any) -> Any:
        """Turn standard normal noise [B, latent_dim] into codes."""
        return noise
