from pathlib import Path

import numpy as np
import pytest

from tests.helpers import grey_images
from vae_cli.data import likeness
from vae_cli.data.duplicates import find_duplicates
from vae_cli.data.images import Images
from vae_cli.data.likeness import alike, thumbnails, unit_shapes
from vae_cli.data.splits import Split


def smooth(count: int, side: int = 16, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Pictures of large areas, which survive resizing, as uint8."""
    coarse = np.random.default_rng(seed).integers(40, 216, (count, 4, 4, channels))
    factor = side // 4
    return coarse.repeat(factor, 1).repeat(factor, 2).astype(np.uint8)


def test_same_pixels_are_grouped_across_splits_and_named_by_file() -> None:
    images = smooth(5)
    train = Split(
        images[[0, 1, 2, 1]], names=np.array(["a.png", "b.png", "c", "d.png"])
    )
    test = Split(images[[3, 1, 4]])
    found = find_duplicates({"train": train, "test": test})
    assert (found.num_groups, found.copies) == (1, 2)
    (group,) = found.groups
    assert [place.name for place in group] == ["b.png", "d.png", "test[1]"]
    assert [(p.split, p.row) for p in group] == [
        ("train", 1),
        ("train", 3),
        ("test", 1),
    ]


def test_only_images_that_are_also_training_images_leak() -> None:
    images = smooth(6)
    splits = {
        "train": Split(images[[0, 1, 1]]),
        "validation": Split(images[[2, 3, 3]]),
        "test": Split(images[[0, 1, 4, 2]]),
    }
    found = find_duplicates(splits)
    assert found.leaked == {"test": 2}
    assert (found.num_groups, found.copies) == (4, 5)


def test_same_pixels_with_several_labels_are_counted() -> None:
    images = smooth(3)
    labels = np.array([0, 1, 0, 2, 2])
    found = find_duplicates({"train": Split(images[[0, 0, 1, 2, 2]], labels)})
    assert (found.num_groups, found.relabelled) == (2, 1)


def test_labels_are_named() -> None:
    images, labels = smooth(1), np.array([1, 0])
    split = Split(images[[0, 0]], labels, class_names=("cat", "dog"))
    (group,) = find_duplicates({"train": split}).groups
    assert [place.label for place in group] == ["dog", "cat"]


def test_a_lighter_noisy_copy_looks_alike_and_other_images_do_not() -> None:
    images = smooth(40, channels=3)
    noise = np.random.default_rng(1).integers(-3, 4, images[7].shape)
    copy = np.clip(images[7].astype(int) + noise + 2, 0, 255).astype(np.uint8)
    found = find_duplicates({"train": Split(images), "test": Split(copy[None])})
    assert (found.num_groups, found.num_near) == (0, 1)
    (pair,) = found.near
    assert [pair.first.name, pair.second.name] == ["train[7]", "test[0]"]
    assert 0 < pair.difference < 0.1
    assert found.nearly_leaked == {"test": 1}
    assert found.leaked == {}


def test_difference_is_the_root_mean_square_over_the_contrast() -> None:
    image = smooth(1)[0].astype(np.float32) / 255
    other = image + 0.01 * np.sign(image - image.mean())
    (pair,) = find_duplicates({"train": Split(np.stack([image, other]))}).near
    contrast = max(image.std(), other.std())
    assert pair.difference == pytest.approx(0.01 / contrast, rel=1e-4)


def test_a_shape_in_other_grey_or_colour_is_another_image() -> None:
    square = np.full((16, 16, 3), 255, np.uint8)
    square[4:12, 4:12] = 0
    light, red = square.copy(), square.copy()
    light[4:12, 4:12] = 180
    red[4:12, 4:12] = (200, 0, 0)
    assert not find_duplicates({"train": Split(np.stack([square, light, red]))}).near


def test_blank_images_are_not_alike_unless_they_are_the_same() -> None:
    blank = np.zeros((3, 16, 16, 1), np.uint8)
    blank[1] += 255
    images = np.concatenate([smooth(4), blank])
    found = find_duplicates({"train": Split(images)})
    assert (found.copies, found.num_near) == (1, 0)


def test_copies_of_one_image_are_one_candidate() -> None:
    image = smooth(1)
    lighter = image + np.uint8(3)
    images = np.concatenate([image, image, lighter, lighter])
    found = find_duplicates({"train": Split(images)})
    assert (found.num_groups, found.copies, found.searched) == (2, 2, 2)
    assert found.num_near == 1


def test_streamed_images_have_the_duplicates_of_those_in_memory(tmp_path: Path) -> None:
    images = np.concatenate([smooth(6), smooth(2), smooth(2) + np.uint8(2)])
    file = np.memmap(tmp_path / "x.bin", np.uint8, "w+", shape=images.shape)
    file[:] = images
    held, streamed = (
        find_duplicates({"train": Split(Images(source))}) for source in (images, file)
    )
    assert held == streamed
    assert (held.copies, held.num_near) == (2, 2)


def test_more_images_than_are_searched_are_drawn_by_the_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vae_cli.data.duplicates.MAX_SEARCHED", 5)
    found = find_duplicates({"train": Split(smooth(9))}, seed=3)
    assert found.searched == 5
    assert found == find_duplicates({"train": Split(smooth(9))}, seed=3)


def test_alike_finds_the_pairs_of_a_comparison_of_all() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, 8, 8))
    images = centres[rng.integers(0, 60, 1500)] + 0.05 * rng.normal(size=(1500, 8, 8))
    flat = images.reshape(1500, -1)
    correlations = np.corrcoef(flat)
    rows, columns = np.nonzero(np.triu(correlations >= 0.995, 1))
    pairs, complete = alike(images)
    assert complete
    assert len(rows) > 1000
    assert {*map(tuple, pairs.tolist())} == {*zip(rows.tolist(), columns.tolist())}  # noqa: B905


def test_more_pairs_than_are_kept_are_said_to_be_incomplete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = smooth(1)[0] + np.arange(4, dtype=np.uint8)[:, None, None, None]
    found = find_duplicates({"train": Split(images)})
    assert (found.complete, found.num_near) == (True, 6)
    monkeypatch.setattr(likeness, "MAX_PAIRS", 5)
    found = find_duplicates({"train": Split(images)})
    assert (found.complete, found.num_near) == (False, 5)


def test_thumbnail_is_the_mean_of_equal_areas() -> None:
    images = grey_images(3, 32, 24, 2)
    wanted = images.reshape(3, 8, 4, 8, 3, 2).mean((2, 4)) / 255
    np.testing.assert_allclose(thumbnails(images, 8), wanted, rtol=1e-5)


@pytest.mark.parametrize("shape", [(28, 28), (9, 31), (5, 3)])
def test_thumbnail_of_any_size_keeps_the_mean(shape: tuple[int, int]) -> None:
    images = grey_images(2, *shape, 1)
    small = thumbnails(images, 8)
    assert small.shape[1:3] == tuple(min(8, side) for side in shape)
    np.testing.assert_allclose(
        small.mean((1, 2, 3)), images.mean((1, 2, 3)) / 255, rtol=1e-5
    )


def test_shape_has_neither_brightness_nor_contrast() -> None:
    image = np.random.default_rng(0).random((1, 4, 4))
    vectors, shaped = unit_shapes(np.concatenate([image, 0.5 * image + 0.2]))
    assert shaped.all()
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    assert np.linalg.norm(vectors[0]) == pytest.approx(1)
