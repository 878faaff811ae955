"""Corruption: what each kind does to images, and when it is drawn."""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import grey_images
from vae_cli.config.compose import composed
from vae_cli.data.corruption import (
    MISSING,
    build_corruption,
    corrupt_split,
    corruption_per_step,
    fixed_corruption,
)
from vae_cli.data.splits import Split
from vae_cli.registry import OPTIONS

SHAPE = (7, 10, 3)
COUNT = 400
KINDS = sorted(OPTIONS["corruption"].keys() - {"none"})
MASKS = [name for name in KINDS if OPTIONS["corruption"][name].masks]
IMAGES = grey_images(COUNT, *SHAPE)
FLOATS = IMAGES.astype(np.float32) / 255


def config(name, **options):
    given = [f"corruption.{key}={value}" for key, value in options.items()]
    if options.get("loss_on") == "missing":
        given.append("conditioning=observed")
    return composed("train", [f"corruption={name}", *given]).corruption


def applied(name, **options):
    corruption = build_corruption(config(name, **options), SHAPE)
    found = corruption(FLOATS, corruption.draw(COUNT, [1, 2]))
    return [None if part is None else np.asarray(part) for part in found]


def test_none_corrupts_nothing():
    assert build_corruption(config("none"), SHAPE) is None
    split = Split(IMAGES)
    assert corrupt_split(split, config("none"), 0) is split


@pytest.mark.parametrize("name", KINDS)
def test_what_is_seen_lies_within_the_range_of_pixels(name):
    seen, _ = applied(name)
    assert seen.shape == FLOATS.shape
    assert seen.dtype == np.float32
    assert seen.min() >= 0
    assert seen.max() <= 1
    assert np.abs(seen - FLOATS).max() > 0.1


def test_gaussian_noise_has_its_standard_deviation_where_nothing_is_clipped():
    corruption = build_corruption(config("gaussian_noise", std=0.05), SHAPE)
    noise = corruption.draw(COUNT, [1, 2])
    seen, mask = corruption(tf.fill((COUNT, *SHAPE), 0.5), noise)
    assert mask is None
    assert np.std(seen) == pytest.approx(0.05, rel=0.02)
    assert np.mean(seen) == pytest.approx(0.5, abs=0.001)


def test_salt_and_pepper_strikes_its_share_half_black_half_white():
    corruption = build_corruption(config("salt_and_pepper", probability=0.3), SHAPE)
    seen, _ = corruption(tf.fill((COUNT, *SHAPE), 0.5), corruption.draw(COUNT, [1, 2]))
    for value, shard in ((0.0, 0.15), (1.0, 0.15), (0.5, 0.7)):
        assert np.mean(np.asarray(seen) == value) == pytest.approx(shard, abs=0.01)


def test_masking_noise_turns_its_share_black():
    corruption = build_corruption(config("masking_noise", probability=0.3), SHAPE)
    seen, _ = corruption(tf.fill((COUNT, *SHAPE), 0.5), corruption.draw(COUNT, [1, 2]))
    assert np.mean(np.asarray(seen) == 0) == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("name", MASKS)
def test_pixels_are_as_they_were_or_missing_in_all_channels(name):
    seen, mask = applied(name)
    assert mask.shape == (COUNT, *SHAPE[:2], 1)
    assert set(np.unique(mask)) == {0, 1}
    np.testing.assert_array_equal(seen, np.where(mask, FLOATS, MISSING))


def test_random_mask_takes_its_share():
    _, mask = applied("random_mask", probability=0.8)
    assert mask.mean() == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(
    ("side", "gone"),
    [
        ("top", np.s_[:3, :]),
        ("bottom", np.s_[4:, :]),
        ("left", np.s_[:, :5]),
        ("right", np.s_[:, 5:]),
    ],
)
def test_half_takes_one_side(side, gone):
    expected = np.ones((*SHAPE[:2], 1))
    expected[gone] = 0
    _, mask = applied("half", side=side)
    assert (mask == expected).all()


def test_half_at_random_takes_each_side_as_often():
    _, mask = applied("half", side="random")
    kinds, counts = np.unique(mask.reshape(COUNT, -1), axis=0, return_counts=True)
    assert len(kinds) == 4
    assert counts.min() > 0.18 * COUNT


@pytest.mark.parametrize(
    ("quadrants", "observed"),
    [
        (1, [np.s_[3:, :5]]),
        (2, [np.s_[:, :5]]),
        (3, [np.s_[:, :5], np.s_[:3, 5:]]),
    ],
)
def test_quadrants_are_those_of_sohn(quadrants, observed):
    expected = np.zeros((*SHAPE[:2], 1))
    for part in observed:
        expected[part] = 1
    _, mask = applied("quadrants", quadrants=quadrants)
    assert (mask == expected).all()


def test_box_takes_a_rectangle_anywhere():
    _, mask = applied("box", size=0.5)
    missing = 1 - mask[..., 0]
    assert (missing.sum((1, 2)) == 4 * 5).all()  # round(3.5) is 4
    assert (missing.max(axis=2).sum(axis=1) == 4).all()
    assert (missing.max(axis=1).sum(axis=1) == 5).all()
    assert (missing.max(axis=0) == 1).all()


@pytest.mark.parametrize("name", KINDS)
def test_split_is_corrupted_image_by_image(name):
    split = corrupt_split(Split(IMAGES), config(name), seed=3)
    assert split.corrupted.shape == IMAGES.shape
    # the noise is an image's own, whichever images are beside it
    first = corrupt_split(Split(IMAGES[:5]), config(name), seed=3)
    np.testing.assert_array_equal(split.corrupted[:5], first.corrupted[:])
    if name not in ("half", "quadrants"):
        other = corrupt_split(Split(IMAGES), config(name), seed=4)
        assert (other.corrupted[:] != split.corrupted[:]).any()


@pytest.mark.parametrize(
    ("loss_on", "expected"), [("all", None), ("observed", 1.0), ("missing", 0.0)]
)
def test_mask_is_of_the_pixels_that_loss_on_names(loss_on, expected):
    observed = applied("box")[1]
    corruption = build_corruption(config("box", loss_on=loss_on), SHAPE)
    condition = corruption.condition(FLOATS, corruption.draw(COUNT, [1, 2]))
    if expected is None:
        assert set(condition) == {"corrupted"}
    else:
        np.testing.assert_array_equal(condition["mask"], observed == expected)


def shard(begin, end, total):
    index = tf.range(begin, end, dtype=tf.int64)
    return {"index": index, "start": begin, "total": total}


def test_noise_is_the_same_however_a_batch_is_shared():
    corrupt = corruption_per_step(build_corruption(config("box"), SHAPE), 0, replicas=1)
    whole = corrupt(FLOATS[:6], shard(0, 6, 6), 2)["corrupted"]
    part = corrupt(FLOATS[4:6], shard(4, 6, 6), 2)["corrupted"]
    np.testing.assert_array_equal(whole[4:], part)
    assert (corrupt(FLOATS[:6], shard(0, 6, 6), 3)["corrupted"] != whole).numpy().any()


def test_image_that_is_corrupted_for_good_looks_the_same_at_every_step():
    corrupt = fixed_corruption(build_corruption(config("random_mask"), SHAPE), 3)
    first = corrupt(FLOATS[:6], shard(0, 6, 6), 2)
    later = corrupt(FLOATS[4:6], shard(4, 6, 6), 9)
    np.testing.assert_array_equal(first["corrupted"][4:], later["corrupted"])
    split = corrupt_split(Split(IMAGES[:6]), config("random_mask"), seed=3)
    np.testing.assert_array_equal(split.mask[:] == 255, first["mask"] == 1)
    np.testing.assert_allclose(split.corrupted[:] / 255, first["corrupted"], atol=0.003)
