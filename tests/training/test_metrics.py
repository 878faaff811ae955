import numpy as np
import pytest

from vae_cli.evaluation.latent import active_units
from vae_cli.training.metrics import ActiveUnits, ImageMean

RNG = np.random.default_rng(0)


def in_batches(codes: np.ndarray, sizes: list[int]) -> ActiveUnits:
    """Feed codes to a metric in batches of these sizes."""
    metric = ActiveUnits(codes.shape[1])
    for batch in np.split(codes, np.cumsum(sizes)[:-1]):
        add(metric, batch)
    return metric


def add(metric: ActiveUnits, batch: np.ndarray) -> None:
    mean = batch.mean(axis=0)
    squares = ((batch - mean) ** 2).sum(axis=0)
    metric.update_state(mean, squares, float(len(batch)))


def planted(count: int, deviations: list[float], means: float = 0.0) -> np.ndarray:
    """Codes whose columns have exactly these deviations."""
    codes = RNG.standard_normal((count, len(deviations)))
    codes = (codes - codes.mean(0)) / codes.std(0)
    return (means + codes * deviations).astype(np.float32)


def test_units_are_active_above_a_variance_of_one_hundredth():
    codes = planted(100, [1.0, 0.101, 0.099, 0.01, 0.0])
    assert float(in_batches(codes, [100]).result()) == 2


@pytest.mark.parametrize("sizes", [[100], [50, 50], [64, 32, 4], [1] * 100])
def test_variance_is_numpys_whatever_the_batches(sizes):
    codes = planted(100, [2.0, 0.3, 0.05], means=1.0)
    metric = in_batches(codes, sizes)
    variance = np.asarray(metric.squares) / float(metric.count)
    np.testing.assert_allclose(variance, codes.var(0), rtol=1e-4)


def test_batches_of_different_means_count_towards_the_variance():
    codes = np.repeat([[0.0, 0.0], [1.0, 0.1]], 20, axis=0).astype(np.float32)
    # constant within each batch: variances 0.25 and 0.0025
    assert float(in_batches(codes, [20, 20]).result()) == 1


def test_variance_survives_a_mean_far_from_zero():
    codes = planted(200, [0.2, 0.05], means=1000.0)
    assert float(in_batches(codes, [32] * 6 + [8]).result()) == 1


def test_metric_agrees_with_the_evaluation_of_all_codes():
    codes = planted(300, list(np.geomspace(0.02, 0.5, 12)))
    found = float(in_batches(codes, [128, 128, 44]).result())
    assert found == active_units(codes)
    assert 2 < found < 10


def test_reset_forgets_earlier_images():
    metric = in_batches(planted(50, [1.0, 1.0]), [50])
    metric.reset_state()
    add(metric, planted(50, [1.0, 0.01]))
    assert float(metric.result()) == 1


@pytest.mark.parametrize("sizes", [[100], [64, 32, 4], [1] * 100])
def test_mean_of_each_dimension_is_numpys_whatever_the_batches(sizes):
    values = RNG.exponential(2, (100, 3)).astype(np.float32)
    metric = ImageMean((3,), "values")
    for batch in np.split(values, np.cumsum(sizes)[:-1]):
        metric.update_state(batch.sum(axis=0), float(len(batch)))
    np.testing.assert_allclose(metric.result(), values.mean(0), rtol=1e-5)


def test_no_images_mean_no_active_units():
    assert float(ActiveUnits(3).result()) == 0
