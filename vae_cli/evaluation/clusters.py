"""The components of a mixture prior as clusters, compared with labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from vae_cli.models.vae import VAE


@dataclass(frozen=True)
class Clusters:
    """How well the components of p(z) match the classes of images.

    Attributes:
        cluster_accuracy: of labels, where each component stands for one class, and each
            class for one component, as fits best.
        cluster_nmi: I(component; class) / ((H(component) + H(class)) / 2).
    """

    cluster_accuracy: float | None = None
    cluster_nmi: float | None = None


def clusters_of(vae: VAE, mean: np.ndarray, labels: np.ndarray | None) -> Clusters:
    """Compare the likeliest component of each image with its label.

    Components have the posterior p(c|z) at the mean of q(z|x), with several levels at
    that of the top.

    Args:
        vae: the model; without a prior of clusters there is nothing to compare.
        mean: posterior means, float32 [N, latent_dim].
        labels: class of each image, int [N], or None.
    """
    if not vae.prior_network.has_clusters or labels is None:
        return Clusters()
    prior: Any = vae.prior().exact()
    top = mean[:, : prior.mean.shape[-1]]
    assigned = np.asarray(prior.responsibilities(top)).argmax(axis=-1)
    return compared(assigned, labels)


def compared(assigned: np.ndarray, labels: np.ndarray) -> Clusters:
    """Return accuracy by the best one-to-one assignment, and normalized information.

    Source: Jiang et al., "Variational deep embedding", 2017, section 4.3, for the
    accuracy; Kvalseth, "On normalized mutual information", 2017, for the mean.

    Args:
        assigned: component of each image, int [N].
        labels: class of each image, int [N].
    """
    from sklearn.metrics import normalized_mutual_info_score

    counts = np.zeros((assigned.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (assigned, labels), 1)
    matched = counts[linear_sum_assignment(counts, maximize=True)].sum()
    return Clusters(
        float(matched / len(labels)),
        float(normalized_mutual_info_score(labels, assigned)),
    )
