import numpy as np
import pytest

from tests.helpers import grey_images
from vae_cli.data.images import Images
from vae_cli.data.pixel_counts import count_pixels
from vae_cli.pixels import Pixels, pixels_of, standardized


def test_channels_of_8_bit_images_have_the_moments_of_their_values() -> None:
    images = grey_images(50, 6, 5, 3)
    images[..., 1] //= 4
    found = count_pixels(Images(images), Pixels())
    for channel, facts in enumerate(found.channels):
        values = images[..., channel].astype(float)
        assert facts.mean == pytest.approx(values.mean())
        assert facts.std == pytest.approx(values.std())
        assert (facts.low, facts.high) == (values.min(), values.max())
    assert found.distinct == len(np.unique(images))


def test_8_bit_histogram_has_a_bin_for_each_level() -> None:
    images = grey_images(20, 4, 4, 2)
    found = count_pixels(Images(images), Pixels())
    wanted = [np.bincount(images[..., c].ravel(), minlength=256) for c in (0, 1)]
    np.testing.assert_array_equal(found.counts, wanted)
    np.testing.assert_allclose(found.edges, np.arange(257) - 0.5)


def test_levels_of_wider_integers_are_counted_in_the_data_s_range() -> None:
    raw = np.random.default_rng(0).integers(100, 4000, (30, 4, 4, 1)).astype(np.uint16)
    pixels = pixels_of(raw.dtype, (float(raw.min()), float(raw.max())), "auto")
    assert pixels.levels == 4096
    found = count_pixels(Images(pixels.to_model(raw)), pixels)
    (channel,) = found.channels
    assert channel.mean == pytest.approx(raw.mean())
    assert channel.std == pytest.approx(raw.std())
    assert (channel.low, channel.high) == (raw.min(), raw.max())
    assert found.distinct == len(np.unique(raw))
    assert found.counts.shape == (1, 256)
    histogram, _ = np.histogram(raw, found.edges)
    np.testing.assert_array_equal(found.counts[0], histogram)


@pytest.mark.parametrize("kind", ["bounded", "standardized"])
def test_real_values_are_counted_in_the_data_s_range(kind: str) -> None:
    raw = np.random.default_rng(0).normal(1000, 3, (40, 5, 5, 2)).astype(np.float32)
    observed = (float(raw.min()), float(raw.max()))
    if kind == "bounded":
        pixels = pixels_of(raw.dtype, observed, "auto")
    else:
        pixels = standardized(raw.dtype, observed, float(raw.mean()), float(raw.std()))
    found = count_pixels(Images(pixels.to_model(raw)), pixels)
    for channel, facts in enumerate(found.channels):
        values = raw[..., channel].astype(np.float64)
        assert facts.mean == pytest.approx(values.mean(), rel=1e-6)
        assert facts.std == pytest.approx(values.std(), rel=1e-3)
        assert facts.low == pytest.approx(values.min(), rel=1e-6)
    assert found.counts.sum(1).tolist() == [1000, 1000]
    assert (found.edges[0], found.edges[-1]) == observed


def test_few_real_values_are_told_apart_and_many_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = np.linspace(0, 1, 17, dtype=np.float32)[
        np.random.default_rng(0).integers(0, 17, (20, 8, 8, 1))
    ]
    pixels = pixels_of(raw.dtype, (0.0, 1.0), "auto")
    assert count_pixels(Images(raw), pixels).distinct == 17
    monkeypatch.setattr("vae_cli.data.pixel_counts.MOST_DISTINCT", 16)
    assert count_pixels(Images(raw), pixels).distinct is None


def test_histogram_of_a_report_is_plain_numbers() -> None:
    values = count_pixels(Images(grey_images(3, 2, 2, 1)), Pixels()).to_json()
    assert sum(values["histogram"]["counts"][0]) == 12
    assert values["histogram"]["edges"][:2] == [-0.5, 0.5]
