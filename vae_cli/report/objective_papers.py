"""The papers behind objectives and their gradients."""

from vae_cli.report.paper import Paper, entry

OBJECTIVE_PAPERS = (
    Paper(
        "doubly-reparameterized gradient of several levels",
        lambda config, sampled: (
            getattr(config.objective, "doubly_reparameterized", False)
            and config.hierarchy.levels > 1
        ),
        entry(
            "bauer2021generalized", "inproceedings",
            title="Generalized doubly reparameterized gradient estimators",
            author="Bauer, Matthias and Mnih, Andriy",
            booktitle="International Conference on Machine Learning",
            year="2021",
        ),
    ),
    Paper(
        "gradient through the sample alone",
        lambda config, sampled: (
            getattr(config.objective, "sticking_the_landing", False)
        ),
        entry(
            "roeder2017sticking", "inproceedings",
            title="Sticking the landing: Simple, lower-variance gradient estimators "
            "for variational inference",
            author="Roeder, Geoffrey and Wu, Yuhuai and Duvenaud, David K.",
            booktitle="Advances in Neural Information Processing Systems",
            year="2017",
        ),
    ),
    Paper(
        "weight of the total correlation",
        lambda config, sampled: config.objective.name == "beta_tc",
        entry(
            "chen2018isolating", "inproceedings",
            title="Isolating sources of disentanglement in variational autoencoders",
            author="Chen, Ricky T. Q. and Li, Xuechen and Grosse, Roger B. and "
            "Duvenaud, David K.",
            booktitle="Advances in Neural Information Processing Systems",
            year="2018",
        ),
    ),
    Paper(
        "total correlation by a discriminator",
        lambda config, sampled: config.objective.name == "factor",
        entry(
            "kim2018disentangling", "inproceedings",
            title="Disentangling by factorising",
            author="Kim, Hyunjik and Mnih, Andriy",
            booktitle="International Conference on Machine Learning",
            year="2018",
        ),
    ),
    Paper(
        "penalty of the codes' covariance",
        lambda config, sampled: config.objective.name == "dip",
        entry(
            "kumar2018variational", "inproceedings",
            title="Variational inference of disentangled latent concepts from "
            "unlabeled observations",
            author="Kumar, Abhishek and Sattigeri, Prasanna and Balakrishnan, Avinash",
            booktitle="International Conference on Learning Representations",
            year="2018",
        ),
    ),
    Paper(
        "maximum mean discrepancy of codes and prior",
        lambda config, sampled: config.objective.name == "mmd",
        entry(
            "zhao2019infovae", "inproceedings",
            title="Info{VAE}: Balancing learning and inference in variational "
            "autoencoders",
            author="Zhao, Shengjia and Song, Jiaming and Ermon, Stefano",
            booktitle="AAAI Conference on Artificial Intelligence",
            year="2019",
        ),
    ),
    Paper(
        "Wasserstein autoencoders",
        lambda config, sampled: config.objective.name == "mmd",
        entry(
            "tolstikhin2018wasserstein", "inproceedings",
            title="Wasserstein auto-encoders",
            author="Tolstikhin, Ilya and Bousquet, Olivier and Gelly, Sylvain and "
            "Sch{\\\"o}lkopf, Bernhard",
            booktitle="International Conference on Learning Representations",
            year="2018",
        ),
    ),
    Paper(
        "a KL that follows a capacity",
        lambda config, sampled: config.objective.name == "capacity",
        entry(
            "burgess2018understanding", "article",
            title="Understanding disentangling in beta-{VAE}",
            author="Burgess, Christopher P. and Higgins, Irina and Pal, Arka and "
            "Matthey, Loic and Watters, Nick and Desjardins, Guillaume and Lerchner, "
            "Alexander",
            journal="arXiv preprint arXiv:1804.03599",
            year="2018",
        ),
    ),
    Paper(
        "a constraint on the reconstruction",
        lambda config, sampled: config.objective.name == "geco",
        entry(
            "rezende2018taming", "article",
            title="Taming {VAE}s",
            author="Rezende, Danilo Jimenez and Viola, Fabio",
            journal="arXiv preprint arXiv:1810.00597",
            year="2018",
        ),
    ),
)  # fmt: skip
"""Gradients first, then objectives."""
