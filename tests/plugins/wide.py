"""A prior: a Gaussian whose variance is learned."""

from dataclasses import dataclass

from keras import ops

import vae_cli as vae


@vae.register("prior", "wide")
@dataclass
class WideConfig(vae.PriorConfig):
    """N(0, diag(v)) with learned variances v."""

    variance: float = vae.option("initial variance", above=0, default=2.0)


@vae.builds(WideConfig)
class Wide(vae.Prior):
    """p(z) = N(0, diag(exp(w)))."""

    def __init__(self, config, dim):
        super().__init__(config, dim)
        self.log_var = self.add_weight(name="log_var", shape=(dim,))
        self.log_var.assign([float(ops.log(config.variance))] * dim)

    def distribution(self, embedding=None):
        """Return p(z)."""
        log_var = ops.convert_to_tensor(self.log_var)[None]
        return vae.Gaussian(ops.zeros_like(log_var), log_var)
