"""What to cite: the papers behind the options of a run, as BibTeX."""

from vae_cli import __version__
from vae_cli.config.train import TrainConfig
from vae_cli.report.flow_papers import FLOW_PAPERS
from vae_cli.report.latent_papers import LATENT_PAPERS
from vae_cli.report.objective_papers import OBJECTIVE_PAPERS
from vae_cli.report.paper import Paper
from vae_cli.report.paper import entry as _entry

TOOL = """@software{{vae_cli,
  title = {{vae-cli: variational autoencoders from the command line}},
  author = {{{{The vae-cli developers}}}},
  version = {{{version}}},
  year = {{{year}}}
}}"""


PAPERS = (
    Paper(
        "variational autoencoders",
        lambda config, sampled: True,
        _entry(
            "kingma2014auto", "inproceedings",
            title="Auto-encoding variational {B}ayes",
            author="Kingma, Diederik P. and Welling, Max",
            booktitle="International Conference on Learning Representations",
            year="2014",
        ),
    ),
    Paper(
        "beta above or below 1",
        lambda config, sampled: config.beta != 1,
        _entry(
            "higgins2017beta", "inproceedings",
            title="beta-{VAE}: Learning basic visual concepts with a constrained "
            "variational framework",
            author="Higgins, Irina and Matthey, Loic and Pal, Arka and Burgess, "
            "Christopher and Glorot, Xavier and Botvinick, Matthew and Mohamed, Shakir "
            "and Lerchner, Alexander",
            booktitle="International Conference on Learning Representations",
            year="2017",
        ),
    ),
    Paper(
        "log p(x) by importance sampling, the IWAE bound",
        lambda config, sampled: sampled or config.objective.name == "iwae",
        _entry(
            "burda2016importance", "inproceedings",
            title="Importance weighted autoencoders",
            author="Burda, Yuri and Grosse, Roger and Salakhutdinov, Ruslan",
            booktitle="International Conference on Learning Representations",
            year="2016",
        ),
    ),
    Paper(
        "doubly-reparameterized gradient",
        lambda config, sampled: getattr(
            config.objective, "doubly_reparameterized", False
        ),
        _entry(
            "tucker2019doubly", "inproceedings",
            title="Doubly reparameterized gradient estimators for {M}onte {C}arlo "
            "objectives",
            author="Tucker, George and Lawson, Dieterich and Gu, Shixiang and "
            "Maddison, Chris J.",
            booktitle="International Conference on Learning Representations",
            year="2019",
        ),
    ),
    Paper(
        "free bits, inverse autoregressive flow, top-down inference",
        lambda config, sampled: (
            config.free_bits > 0
            or config.posterior.name == "iaf"
            or config.hierarchy.name == "ladder"
        ),
        _entry(
            "kingma2016improved", "inproceedings",
            title="Improved variational inference with inverse autoregressive flow",
            author="Kingma, Diederik P. and Salimans, Tim and Jozefowicz, Rafal and "
            "Chen, Xi and Sutskever, Ilya and Welling, Max",
            booktitle="Advances in Neural Information Processing Systems",
            year="2016",
        ),
    ),
    *FLOW_PAPERS,
    *LATENT_PAPERS,
    Paper(
        "cyclical annealing",
        lambda config, sampled: config.kl_annealing.name == "cyclical",
        _entry(
            "fu2019cyclical", "inproceedings",
            title="Cyclical annealing schedule: A simple approach to mitigating {KL} "
            "vanishing",
            author="Fu, Hao and Li, Chunyuan and Liu, Xiaodong and Gao, Jianfeng and "
            "Celikyilmaz, Asli and Carin, Lawrence",
            booktitle="Conference of the North American Chapter of the Association for "
            "Computational Linguistics",
            year="2019",
        ),
    ),
    Paper(
        "VampPrior",
        lambda config, sampled: config.prior.name == "vamp",
        _entry(
            "tomczak2018vae", "inproceedings",
            title="{VAE} with a {V}amp{P}rior",
            author="Tomczak, Jakub M. and Welling, Max",
            booktitle="International Conference on Artificial Intelligence and "
            "Statistics",
            year="2018",
        ),
    ),
    Paper(
        "several levels of latent variables",
        lambda config, sampled: config.hierarchy.name in ("two_level", "ladder"),
        _entry(
            "sonderby2016ladder", "inproceedings",
            title="Ladder variational autoencoders",
            author="S{\\o}nderby, Casper Kaae and Raiko, Tapani and Maal{\\o}e, Lars "
            "and S{\\o}nderby, S{\\o}ren Kaae and Winther, Ole",
            booktitle="Advances in Neural Information Processing Systems",
            year="2016",
        ),
    ),
    Paper(
        "conditional variational autoencoders",
        lambda config, sampled: config.conditioning.name in ("label", "observed"),
        _entry(
            "sohn2015learning", "inproceedings",
            title="Learning structured output representation using deep conditional "
            "generative models",
            author="Sohn, Kihyuk and Lee, Honglak and Yan, Xinchen",
            booktitle="Advances in Neural Information Processing Systems",
            year="2015",
        ),
    ),
    Paper(
        "training on corrupted images",
        lambda config, sampled: config.corruption.name != "none",
        _entry(
            "im2017denoising", "inproceedings",
            title="Denoising criterion for variational auto-encoding framework",
            author="Im, Daniel Jiwoong and Ahn, Sungjin and Memisevic, Roland and "
            "Bengio, Yoshua",
            booktitle="AAAI Conference on Artificial Intelligence",
            year="2017",
        ),
    ),
    Paper(
        "continuous Bernoulli",
        lambda config, sampled: config.likelihood.name == "continuous_bernoulli",
        _entry(
            "loaiza2019continuous", "inproceedings",
            title="The continuous {B}ernoulli: fixing a pervasive error in variational "
            "autoencoders",
            author="Loaiza-Ganem, Gabriel and Cunningham, John P.",
            booktitle="Advances in Neural Information Processing Systems",
            year="2019",
        ),
    ),
    Paper(
        "discretized logistic likelihood",
        lambda config, sampled: config.likelihood.name == "discretized_logistic",
        _entry(
            "salimans2017pixelcnn", "inproceedings",
            title="Pixel{CNN}++: Improving the {P}ixel{CNN} with discretized logistic "
            "mixture likelihood and other modifications",
            author="Salimans, Tim and Karpathy, Andrej and Chen, Xi and Kingma, "
            "Diederik P.",
            booktitle="International Conference on Learning Representations",
            year="2017",
        ),
    ),
    Paper(
        "uniform dequantization",
        lambda config, sampled: config.dataset.dequantize == "uniform",
        _entry(
            "theis2016note", "inproceedings",
            title="A note on the evaluation of generative models",
            author="Theis, Lucas and van den Oord, A{\\\"a}ron and Bethge, Matthias",
            booktitle="International Conference on Learning Representations",
            year="2016",
        ),
    ),
    *OBJECTIVE_PAPERS,
    Paper(
        "loss of a discriminator's features",
        lambda config, sampled: config.objective.name == "vae_gan",
        _entry(
            "larsen2016autoencoding", "inproceedings",
            title="Autoencoding beyond pixels using a learned similarity metric",
            author="Larsen, Anders Boesen Lindbo and S{\\o}nderby, S{\\o}ren Kaae and "
            "Larochelle, Hugo and Winther, Ole",
            booktitle="International Conference on Machine Learning",
            year="2016",
        ),
    ),
    Paper(
        "feature loss",
        lambda config, sampled: config.objective.name == "perceptual",
        _entry(
            "hou2017deep", "inproceedings",
            title="Deep feature consistent variational autoencoder",
            author="Hou, Xianxu and Shen, Linlin and Sun, Ke and Qiu, Guoping",
            booktitle="IEEE Winter Conference on Applications of Computer Vision",
            year="2017",
        ),
    ),
    Paper(
        "MNIST",
        lambda config, sampled: config.dataset.name == "mnist",
        _entry(
            "lecun1998gradient", "article",
            title="Gradient-based learning applied to document recognition",
            author="LeCun, Yann and Bottou, L{\\'e}on and Bengio, Yoshua and Haffner, "
            "Patrick",
            journal="Proceedings of the IEEE",
            volume="86",
            number="11",
            pages="2278--2324",
            year="1998",
        ),
    ),
    Paper(
        "Fashion-MNIST",
        lambda config, sampled: config.dataset.name == "fashion_mnist",
        _entry(
            "xiao2017fashion", "article",
            title="Fashion-{MNIST}: a novel image dataset for benchmarking machine "
            "learning algorithms",
            author="Xiao, Han and Rasul, Kashif and Vollgraf, Roland",
            journal="arXiv preprint arXiv:1708.07747",
            year="2017",
        ),
    ),
    Paper(
        "CIFAR-10",
        lambda config, sampled: config.dataset.name == "cifar10",
        _entry(
            "krizhevsky2009learning", "techreport",
            title="Learning multiple layers of features from tiny images",
            author="Krizhevsky, Alex",
            institution="University of Toronto",
            year="2009",
        ),
    ),
    Paper(
        "images in the manner of dSprites",
        lambda config, sampled: config.dataset.name == "factors",
        _entry(
            "matthey2017dsprites", "misc",
            title="d{S}prites: Disentanglement testing sprites dataset",
            author="Matthey, Loic and Higgins, Irina and Hassabis, Demis and Lerchner, "
            "Alexander",
            year="2017",
        ),
    ),
    Paper(
        "XY squares",
        lambda config, sampled: config.dataset.name == "xy_squares",
        _entry(
            "michlo2023overlooked", "inproceedings",
            title="Overlooked implications of the reconstruction loss for {VAE} "
            "disentanglement",
            author="Michlo, Nathan and Klein, Richard and James, Steven",
            booktitle="International Joint Conference on Artificial Intelligence",
            year="2023",
        ),
    ),
)  # fmt: skip
"""The papers, in the order of the report."""


def citations(
    config: TrainConfig, importance_sampled: bool, version: str = "", year: str = ""
) -> list[tuple[str, str]]:
    """Return for each entry what it is the source of, and its BibTeX.

    Args:
        config: of the run.
        importance_sampled: whether log p(x) is reported.
        version: version of vae-cli that trained the run; this one if empty.
        year: year of training.
    """
    tool = TOOL.format(version=version or __version__, year=year or "n.d.")
    used = [p for p in PAPERS if p.used(config, importance_sampled)]
    return [("this software", tool), *((p.why, p.bibtex) for p in used)]
