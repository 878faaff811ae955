"""What the page shows of a run, against what `Run` gives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SMALL, train_here
from vae_cli import load
from vae_cli.errors import DataError, VaeCliError
from vae_cli.explore import pictures
from vae_cli.explore.explorer import STRIP, Condition, Explorer

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
"""Compiled and batched differently."""
VARIANTS = {
    "conditional": ("latent_dim=2", "conditioning=label"),
    "two levels": (
        "latent_dim=4", "hierarchy=two_level", "hierarchy.hidden_units=[8]",
        "hierarchy.top_dim=1", "prior=vamp", "prior.components=5",
    ),
    "one dimension": ("latent_dim=1", "prior=mog"),
    "inpainting": (
        "conditioning=observed", "conditioning.hidden_units=[8]", "corruption=half",
        "corruption.loss_on=missing",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def explorer(trained: Path) -> Explorer:
    return Explorer(load(trained), num_points=20)


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Explorer]:
    """Train a variant on first use."""
    root, made = tmp_path_factory.mktemp("variants"), {}

    def made_once(name: str) -> Explorer:
        if name not in made:
            folder = root / name.replace(" ", "-")
            run = train_here(folder, *SMALL, "epochs=1", *VARIANTS[name])
            made[name] = Explorer(load(run))
        return made[name]

    return made_once


def test_a_chosen_number_of_images_is_shown_with_their_codes(
    explorer: Explorer, trained: Path
) -> None:
    assert len(explorer.split) == 20
    again = Explorer(load(trained), num_points=20)
    np.testing.assert_array_equal(again.mean, explorer.mean)
    np.testing.assert_allclose(
        explorer.mean, explorer.run.encode(explorer.split).mean, **CLOSE
    )
    assert explorer.kl[explorer.order[0]] == explorer.kl.max()


def test_decoded_pictures_are_those_of_the_run(explorer: Explorer) -> None:
    own = explorer.decode(explorer.mean[:3], Condition())
    np.testing.assert_allclose(own, explorer.run.decode(explorer.mean[:3]), **CLOSE)


def test_strip_goes_along_one_dimension_from_end_to_end(explorer: Explorer) -> None:
    z = explorer.mean[4]
    codes = explorer.strip_codes(z, 2)
    low, high = explorer.ranges[2]
    np.testing.assert_allclose(codes[:, 2], np.linspace(low, high, STRIP), rtol=1e-6)
    np.testing.assert_array_equal(codes[:, :2], np.tile(z[:2], (STRIP, 1)))
    np.testing.assert_allclose(
        explorer.strip(z, 2, Condition()), explorer.run.decode(codes), **CLOSE
    )


def test_path_begins_and_ends_at_the_codes_of_two_images(explorer: Explorer) -> None:
    path = explorer.path(2, 5, 7)
    np.testing.assert_allclose(path[[0, -1]], explorer.mean[[2, 5]], rtol=1e-6)
    middle = (explorer.mean[2] + explorer.mean[5]) / 2
    np.testing.assert_allclose(path[3], middle, rtol=1e-5, atol=1e-6)
    with pytest.raises(DataError, match="no image 20: they are numbered 0 to 19"):
        explorer.path(0, 20, 7)


def test_samples_are_those_of_the_run_at_each_temperature(explorer: Explorer) -> None:
    for temperature in (0.0, 0.5):
        own = explorer.samples(4, temperature, 3, Condition())
        other = explorer.run.sample(4, seed=3, temperature=temperature)
        np.testing.assert_allclose(own, other, **CLOSE)


def test_nearest_image_of_an_image_is_itself(explorer: Explorer) -> None:
    for index in range(len(explorer.split)):
        assert explorer.nearest(*explorer.points[index]) == index


def test_own_pictures_get_the_scores_of_vae_encode(
    explorer: Explorer, tmp_path: Path
) -> None:
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 12), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    paths = sorted(tmp_path.iterdir())
    own = explorer.score(paths, None)
    run = explorer.run
    (codes,) = run.codes([str(p) for p in paths], scores=True, posterior_samples=20)
    assert [scored.name for scored in own] == ["0.png", "1.png"]
    np.testing.assert_allclose(
        [scored.scores["neg_elbo"] for scored in own],
        codes.scores["neg_elbo"],
        rtol=1e-5,
    )
    np.testing.assert_allclose(own[1].mean, codes.mean[1], **CLOSE)
    np.testing.assert_allclose(
        own[0].reconstruction, run.reconstruct([str(paths[0])])[0], **CLOSE
    )
    assert own[0].rank == 1  # noise is like no image of shapes
    (tmp_path / "bad.png").write_bytes(b"\x89PNG, but nothing else")
    with pytest.raises(VaeCliError, match=r"bad\.png"):
        explorer.score([tmp_path / "bad.png"], None)


def test_own_picture_is_read_once(
    explorer: Explorer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(tmp_path / "tall.png")
    with caplog.at_level("INFO", "vae_cli"):
        explorer.score([tmp_path / "tall.png"], None)
    assert [r.getMessage() for r in caplog.records if "scaled" in r.getMessage()] == [
        "1 image: cropped and scaled to 12 x 12 pixels"
    ]


def test_class_is_chosen_by_name_where_names_are_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("1", "2", "10"):  # sorted: 1, 10, 2
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(8):
            pixels = rng.integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{index}.png")
    run = train_here(
        tmp_path / "run", "dataset=folder", f"dataset.path={tmp_path / 'data'}",
        "dataset.validation_size=4", "dataset.test_size=4", "architecture=dense",
        "architecture.hidden_units=[8]", "conditioning=label", "latent_dim=2",
        "epochs=1", "batch_size=8",
    )  # fmt: skip
    explorer = Explorer(load(run))
    assert explorer.classes == {0: "1", 1: "10", 2: "2"}
    z = np.ones((1, 2), np.float32)
    own = tmp_path / "data" / "10" / "0.png"
    for number, name in explorer.classes.items():
        np.testing.assert_allclose(
            explorer.decode(z, Condition(number)),
            explorer.run.decode(z, label=name),
            **CLOSE,
        )
        (codes,) = explorer.run.codes([own], label=name)
        (scored,) = explorer.score([own], number)
        np.testing.assert_allclose(scored.mean, codes.mean[0], **CLOSE)


def test_class_changes_what_a_conditional_model_decodes(
    variant: Callable[[str], Explorer],
) -> None:
    own = variant("conditional")
    assert list(own.classes) == own.vae.labels.tolist()
    z = own.mean[:1]
    first, *_, last = own.classes
    for label in (first, last):
        np.testing.assert_allclose(
            own.decode(z, Condition(label)), own.run.decode(z, label=label), **CLOSE
        )
    assert not np.allclose(
        own.decode(z, Condition(first)), own.decode(z, Condition(last)), atol=1e-4
    )
    assert own.condition_of(3).label == own.split.labels[3]
    start, end = own.example_pair()
    assert start != end and own.split.labels[start] == own.split.labels[end]
    other = int((own.split.labels != own.split.labels[0]).argmax())
    assert own.path_condition(start, end, Condition(last)) == own.condition_of(start)
    assert own.path_condition(start, other, Condition(last)) == Condition(last)


def test_dimensions_of_a_hierarchy_are_named_with_their_level(
    variant: Callable[[str], Explorer], explorer: Explorer
) -> None:
    own = variant("two levels")
    assert own.dimension_name(0) == "z[0], top level"
    assert own.dimension_name(1) == "z[1], level 1"
    assert explorer.dimension_name(0) == "z[0]"
    images = own.samples(3, 1.0, 0, Condition())
    np.testing.assert_allclose(images, own.run.sample(3, seed=0), **CLOSE)


def test_one_dimension_has_a_scatter_and_a_strip(
    variant: Callable[[str], Explorer],
) -> None:
    own = variant("one dimension")
    np.testing.assert_array_equal(own.points, np.hstack([own.mean, own.log_var]))
    assert own.strip(own.mean[0], 0, Condition()).shape == (STRIP, 12, 12, 1)
    own.warm_up()


def test_inpainting_model_fills_in_the_missing_pixels_of_an_image(
    variant: Callable[[str], Explorer],
) -> None:
    own = variant("inpainting")
    assert own.inpaints
    observed = own.split.mask[2:3] == 0  # the likelihood is of the missing ones
    shown = own.decode(own.mean[:1], own.condition_of(2))
    np.testing.assert_allclose(
        shown[observed], own.split.pictures(slice(2, 3))[observed], atol=1e-6
    )
    other = own.decode(own.mean[:1], own.condition_of(3))
    assert not np.allclose(shown, other, atol=1e-3)
    images = own.samples(3, 1.0, 0, own.condition_of(2))
    assert np.isfinite(images).all()


def test_gif_goes_there_and_back() -> None:
    images = np.linspace(0, 1, 5)[:, None, None, None] * np.ones((1, 6, 8, 3))
    import io

    with Image.open(io.BytesIO(pictures.gif(images.astype(np.float32)))) as file:
        assert file.n_frames == 8
        levels = []
        for frame in range(8):
            file.seek(frame)
            levels.append(file.convert("L").getpixel((0, 0)))
    assert levels == [0, 64, 128, 191, 255, 191, 128, 64]


def test_rows_put_pictures_side_by_side() -> None:
    images = np.arange(6, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 2, 1))
    np.testing.assert_array_equal(
        pictures.rows(images, 3)[::2, ::2, 0], [[0, 1, 2], [3, 4, 5]]
    )
