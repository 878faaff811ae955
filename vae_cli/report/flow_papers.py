"""The papers behind flows."""

from vae_cli.report.paper import Paper, entry

FLOW_PAPERS = (
    Paper(
        "planar flow",
        lambda config, sampled: config.posterior.name == "planar",
        entry(
            "rezende2015variational", "inproceedings",
            title="Variational inference with normalizing flows",
            author="Rezende, Danilo Jimenez and Mohamed, Shakir",
            booktitle="International Conference on Machine Learning",
            year="2015",
        ),
    ),
    Paper(
        "prior by coupling layers",
        lambda config, sampled: config.prior.name == "realnvp",
        entry(
            "dinh2017density", "inproceedings",
            title="Density estimation using {R}eal {NVP}",
            author="Dinh, Laurent and Sohl-Dickstein, Jascha and Bengio, Samy",
            booktitle="International Conference on Learning Representations",
            year="2017",
        ),
    ),
    Paper(
        "autoregressive prior",
        lambda config, sampled: config.prior.name == "iaf",
        entry(
            "papamakarios2017masked", "inproceedings",
            title="Masked autoregressive flow for density estimation",
            author="Papamakarios, George and Pavlakou, Theo and Murray, Iain",
            booktitle="Advances in Neural Information Processing Systems",
            year="2017",
        ),
    ),
)  # fmt: skip
"""Posteriors first, then priors."""
