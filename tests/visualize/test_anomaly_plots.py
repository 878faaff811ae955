import numpy as np
import pytest

from vae_cli.config.commands import SCORES
from vae_cli.visualize.anomaly_plots import plot_detection

RNG = np.random.default_rng(0)
ANOMALOUS = np.arange(400) >= 200


def report_of(scores: dict[str, np.ndarray]) -> dict:
    return {
        "run": "12-00-00-digits",
        "images": "test",
        "num_images": len(ANOMALOUS),
        "num_anomalous": int(ANOMALOUS.sum()),
        "score": SCORES[0],
        "scores": {name: {"threshold": 2.0, "auroc": 0.5} for name in scores},
    }


@pytest.mark.parametrize("sign", [1, -1, 0])
def test_legend_of_roc_hides_no_curve(sign):
    # curves above the diagonal, below it, and on both sides
    signs = [sign or (-1) ** index for index in range(len(SCORES))]
    scores = {
        name: RNG.normal(size=400) + sign * (1 + index / 2) * ANOMALOUS
        for index, (name, sign) in enumerate(zip(SCORES, signs, strict=True))
    }
    figure = plot_detection(scores, ANOMALOUS, report_of(scores))
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        f"{name}, AUROC 0.500" for name in SCORES
    ]
    around = legend.get_window_extent()
    assert not any(around.overlaps(axis.get_tightbbox()) for axis in figure.axes)
    assert figure.bbox.x0 <= around.x0 and around.x1 <= figure.bbox.x1
    assert figure.axes[1].get_legend() is None
