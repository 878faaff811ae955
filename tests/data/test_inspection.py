from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers import grey_images, load_arrays, npz_config
from vae_cli.config.likelihood import (
    BernoulliConfig,
    ContinuousBernoulliConfig,
    GaussianConfig,
    LikelihoodConfig,
)
from vae_cli.config.option import option
from vae_cli.data.inspection import DataReport, inspect_data, likelihood_fits
from vae_cli.pixels import Pixels, standardized
from vae_cli.registry import OPTIONS

LABELS = np.array([0] * 44 + [1] * 5 + [2])


def report(folder: Path, arrays: dict[str, np.ndarray], **options: Any) -> DataReport:
    """Inspect arrays of a file."""
    data = load_arrays(folder, arrays, **options)
    config = npz_config(folder / "images.npz", **options)
    return inspect_data(data, config, BernoulliConfig())


def test_splits_are_counted_class_by_class(tmp_path: Path) -> None:
    arrays = {
        "x_train": grey_images(50, 4, 4),
        "y_train": LABELS,
        "x_test": grey_images(3, 4, 4, seed=1),
        "y_test": np.array([1, 1, 3]),
    }
    found = report(tmp_path, arrays, validation_size=0)
    assert list(found.splits) == ["train", "test"]
    assert found.splits["train"].images == 50
    assert found.splits["train"].classes == {"0": 44, "1": 5, "2": 1}
    assert found.splits["test"].classes == {"0": 0, "1": 2, "2": 0, "3": 1}
    assert found.splits["train"].megabytes == 50 * 16 / 2**20


def test_rare_absent_and_unequal_classes_are_named(tmp_path: Path) -> None:
    arrays = {
        "x_train": grey_images(50, 4, 4),
        "y_train": np.array(["cat"] * 44 + ["dog"] * 5 + ["emu"]),
        "x_test": grey_images(4, 4, 4, seed=1),
        "y_test": np.array(["dog", "fox", "fox", "gnu"]),
    }
    found = report(tmp_path, arrays, validation_size=0)
    assert found.warnings == [
        "each of 2 classes has a single image: emu, gnu",
        "no training image is of class fox, gnu",
        "classes are unequal: cat has 44 images, emu 1",
    ]


def test_copies_and_leaks_are_warned_of(tmp_path: Path) -> None:
    images = grey_images(20, 4, 4)
    images[19] = images[0]
    arrays = {"x_train": images, "x_test": images[[1, 2]], "y_train": np.arange(20) % 2}
    found = report(tmp_path, {**arrays, "y_test": np.array([1, 0])}, validation_size=0)
    assert found.warnings == [
        "3 images repeat the pixels of another (3 groups)",
        "the labels differ within 1 group of images of the same pixels",
        "2 of 2 test images are training images, too: the test bound is too optimistic",
    ]


def test_constant_channel_and_narrow_range_are_warned_of(tmp_path: Path) -> None:
    images = grey_images(20, 4, 4, 3) // 10 + 100
    images[..., 1] = 110
    found = report(tmp_path, {"x_train": images})
    assert found.warnings == [
        "every pixel has the same value in channel 1",
        "pixels are from 100 to 125 of 0 to 255: 'dataset.value_range=[100,125]' uses "
        "the whole range",
    ]


def test_preparation_is_said_in_sentences(tmp_path: Path) -> None:
    found = report(
        tmp_path,
        {"x_train": grey_images(20, 4, 6)},
        image_size=4,
        binarize="static",
        max_images_per_split=10,
    )
    assert found.preprocessing == [
        "images of another size become 4 x 4 by crop",
        "at most 10 images of each split",
        "values 0 to 255 become 0 to 1 in the model",
        "pixels become 0 or 1, drawn once",
    ]
    assert found.binary
    assert found.values.distinct == 2


def test_streamed_set_says_from_where(tmp_path: Path) -> None:
    images = grey_images(1500, 32, 32)
    found = report(tmp_path, {"x_train": images}, memory_mb=1)
    assert found.streamed_from == str(tmp_path / "images.npz")
    assert report(tmp_path, {"x_train": images}).streamed_from is None


def test_report_of_reals_is_in_their_own_range(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(40, 4, 4)).astype(np.float32)
    found = report(tmp_path, {"x_train": images}, value_range="standardize")
    assert found.values.channels[0].high == pytest.approx(images.max(), rel=0.5)
    assert not found.pixels.bounded
    assert "standardized" in found.preprocessing[0]


def fits(pixels: Pixels, binary: bool, chosen: Any = None) -> dict[str, Any]:
    chosen = chosen or BernoulliConfig()
    return {fit.name: fit for fit in likelihood_fits(chosen, pixels, binary)}


def test_bernoulli_is_a_likelihood_of_binary_pixels_alone() -> None:
    grey, binary = (fits(Pixels(), binary)["bernoulli"] for binary in (False, True))
    assert grey.possible
    assert grey.why.startswith("a cross-entropy, not a likelihood")
    assert "dataset.binarize=static" in grey.why
    assert binary.why.startswith("the probability of pixels that are 0 or 1")
    for name in ("gaussian", "continuous_bernoulli"):
        assert "likelihood=bernoulli" in fits(Pixels(), True)[name].why


def test_likelihoods_on_the_unit_interval_do_not_fit_standardized_pixels() -> None:
    pixels = standardized(np.dtype(np.float32), (-9.0, 9.0), 0.5, 2.0)
    found = fits(pixels, False)
    assert [found[name].possible for name in ("bernoulli", "gaussian")] == [False, True]
    assert "use likelihood=gaussian" in found["bernoulli"].why


def test_the_chosen_likelihood_is_marked_and_asked_with_its_own_options() -> None:
    chosen = GaussianConfig(std=0.25, learn_std=False)
    found = fits(Pixels(), False, chosen)
    assert [name for name, fit in found.items() if fit.chosen] == ["gaussian"]
    assert "standard deviation 0.25" in found["gaussian"].why
    assert "256 levels" in ContinuousBernoulliConfig().fits(Pixels(), False)


def test_a_likelihood_of_ones_own_says_what_its_docstring_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @dataclass
    class OwnConfig(LikelihoodConfig):
        """Pixels of my own kind."""

    @dataclass
    class NeedyConfig(LikelihoodConfig):
        """It can't be made without a value."""

        scale: float = option("scale")

    own = {**OPTIONS["likelihood"], "own": OwnConfig, "needy": NeedyConfig}
    monkeypatch.setitem(OPTIONS, "likelihood", own)
    found = fits(Pixels(), False)
    assert found["own"].why == "Pixels of my own kind."
    assert "needy" not in found
