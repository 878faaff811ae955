import numpy as np
import pytest

from vae_cli.errors import DataError
from vae_cli.pixels import Pixels, pixels_of


def test_pictures_of_deep_data_are_black_and_white_where_the_data_are():
    deep = Pixels("uint16", 0, 4095, levels=4096, observed=(1000, 3000))
    model = deep.to_model(np.array([0, 1000, 2000, 3000, 4095], np.uint16))
    np.testing.assert_allclose(deep.shown(model), [0, 0, 0.5, 1, 1], atol=1e-6)


def test_pictures_of_eight_bits_are_as_bright_as_they_are():
    model = np.array([0.2, 0.4], np.float32)
    np.testing.assert_array_equal(Pixels(observed=(50, 60)).shown(model), model)


@pytest.mark.parametrize(
    ("value_range", "levels"), [([0, 16], 17), ([0.5, 15.5], None), ([-1, 17], 19)]
)
def test_levels_are_those_of_whole_numbers(value_range, levels):
    pixels = pixels_of(np.dtype(np.uint8), (1, 15), value_range)
    assert pixels.levels == levels


def test_range_that_leaves_values_out_is_refused():
    with pytest.raises(DataError, match=r"dataset.value_range=\[1,15\] holds all"):
        pixels_of(np.dtype(np.uint8), (1, 15), [2, 15])
