"""The papers behind discrete codes and their prior."""

from vae_cli.report.paper import Paper, entry

LATENT_PAPERS = (
    Paper(
        "vector quantisation",
        lambda config, sampled: config.latent.name == "vq",
        entry(
            "oord2017neural", "inproceedings",
            title="Neural discrete representation learning",
            author="van den Oord, A{\\\"a}ron and Vinyals, Oriol and "
            "Kavukcuoglu, Koray",
            booktitle="Advances in Neural Information Processing Systems",
            year="2017",
        ),
    ),
    Paper(
        "finite scalar quantisation",
        lambda config, sampled: config.latent.name == "fsq",
        entry(
            "mentzer2023finite", "article",
            title="Finite scalar quantization: {VQ}-{VAE} made simple",
            author="Mentzer, Fabian and Minnen, David and Agustsson, Eirikur and "
            "Tschannen, Michael",
            journal="arXiv preprint arXiv:2309.15505",
            year="2023",
        ),
    ),
    Paper(
        "categorical codes by the Gumbel-softmax",
        lambda config, sampled: config.latent.name == "categorical",
        entry(
            "jang2017categorical", "inproceedings",
            title="Categorical reparameterization with {G}umbel-softmax",
            author="Jang, Eric and Gu, Shixiang and Poole, Ben",
            booktitle="International Conference on Learning Representations",
            year="2017",
        ),
    ),
    Paper(
        "gated PixelCNN, the prior of the codes",
        lambda config, sampled: config.latent.learns_prior,
        entry(
            "oord2016conditional", "inproceedings",
            title="Conditional image generation with {P}ixel{CNN} decoders",
            author="van den Oord, A{\\\"a}ron and Kalchbrenner, Nal and Espeholt, "
            "Lasse and Kavukcuoglu, Koray and Vinyals, Oriol and Graves, Alex",
            booktitle="Advances in Neural Information Processing Systems",
            year="2016",
        ),
    ),
)  # fmt: skip
"""Kinds of codes first, then their prior."""
