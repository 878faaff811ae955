import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Finished, refused, train_here
from vae_cli.evaluation.latent import encode, kl_to_normal
from vae_cli.run import Run
from vae_cli.runs.data import load_run_data
from vae_cli.runs.folder import RunFolder

Command = Callable[..., Finished]


def generate(command: Command, run: Path, *arguments: str) -> Finished:
    done = command("generate", f"run={run}", *arguments)
    assert done.status == 0, done.stderr
    return done


def drawn(command: Command, run: Path, folder: Path, *arguments: str) -> dict:
    file = folder / "images.npz"
    output = f"output={folder / 'grid.png'}"
    generate(command, run, output, f"save_npz={file}", *arguments)
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def test_prior_grid_lands_in_the_run_and_its_path_on_stdout(
    command: Command, trained: Path
) -> None:
    done = generate(command, trained)
    file = trained / "samples" / "prior.png"
    assert done.stdout == f"{file}\n"
    with Image.open(file) as picture:
        # 10 x 10 images of 12 pixels with a gap of 1, five times enlarged
        assert picture.size == ((10 * 13 + 1) * 5,) * 2


def test_same_seed_gives_same_images_for_any_batch_size(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    whole = drawn(command, trained, tmp_path, "num_images=23", "seed=5")
    parts = drawn(command, trained, tmp_path, "num_images=23", "seed=5", "batch_size=4")
    np.testing.assert_array_equal(whole["z"], parts["z"])
    np.testing.assert_allclose(whole["images"], parts["images"], atol=1e-6)
    other = drawn(command, trained, tmp_path, "num_images=23", "seed=6")
    assert np.abs(other["z"] - whole["z"]).max() > 0.1


def test_fewer_images_are_the_first_of_more(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    few = drawn(command, trained, tmp_path, "num_images=3")
    many = drawn(command, trained, tmp_path, "num_images=30")
    np.testing.assert_array_equal(few["z"], many["z"][:3])


def test_temperature_scales_the_codes(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    warm = drawn(command, trained, tmp_path, "num_images=8")
    cold = drawn(command, trained, tmp_path, "num_images=8", "temperature=0.5")
    np.testing.assert_allclose(cold["z"], 0.5 * warm["z"], rtol=1e-6)


def test_manifold_varies_the_chosen_dimensions_alone(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    found = drawn(
        command, trained, tmp_path, "mode=manifold", "rows=3", "columns=5",
        "dims=[2,0]", "spacing=linspace", "span=2",
    )  # fmt: skip
    z = found["z"].reshape(3, 5, 3)
    np.testing.assert_allclose(z[0, :, 2], np.linspace(-2, 2, 5))
    np.testing.assert_allclose(z[:, 0, 0], [2, 0, -2])
    assert not z[..., 1].any()


def test_traversal_has_a_row_a_dimension_in_order_of_kl(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    from vae_cli.data.prepare import load_data
    from vae_cli.evaluation.latent import encode, kl_to_normal
    from vae_cli.run import Run
    from vae_cli.runs.folder import RunFolder

    run = Run(RunFolder(trained), "best")
    test = load_data(run.config.dataset).test
    assert test is not None
    kl = kl_to_normal(*encode(run.vae, test.images))
    z = drawn(command, trained, tmp_path, "mode=traversal", "columns=4")["z"]
    moving = [int(row.std(axis=0).argmax()) for row in z.reshape(3, 4, 3)]
    assert moving == list(np.argsort(-kl))


def test_interpolation_ends_at_the_codes_of_two_test_images(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    gif = tmp_path / "path.gif"
    found = drawn(
        command, trained, tmp_path, "mode=interpolation", "rows=2", "columns=5",
        f"gif={gif}", "interpolation=spherical",
    )  # fmt: skip
    assert found["images"].shape == (10, 12, 12, 1)
    with Image.open(gif) as picture:
        assert picture.n_frames == 8  # there and back
    straight = drawn(
        command, trained, tmp_path, "mode=interpolation", "rows=2", "columns=5"
    )
    for end in (0, 4, 5, 9):
        np.testing.assert_allclose(found["z"][end], straight["z"][end], atol=1e-6)
    middle = straight["z"][[0, 4]].mean(axis=0)
    np.testing.assert_allclose(straight["z"][2], middle, atol=1e-6)


def test_single_images_are_written_at_their_own_size(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    generate(
        command, trained, "num_images=3", f"images_dir={tmp_path / 'all'}",
        f"output={tmp_path / 'grid.png'}",
    )  # fmt: skip
    files = sorted((tmp_path / "all").iterdir())
    assert [file.name for file in files] == ["00000.png", "00001.png", "00002.png"]
    with Image.open(files[0]) as picture:
        assert (picture.size, picture.mode) == ((12, 12), "L")


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_latent_plot_is_written_for_every_split(
    command: Command, trained: Path, split: str
) -> None:
    done = command("plot-latent", f"run={trained}", f"split={split}")
    assert done.status == 0, done.stderr
    assert done.stdout == f"{trained / 'figures' / f'latent-{split}.png'}\n"
    with Image.open(done.stdout.strip()) as picture:
        assert picture.size[0] > 1000


def test_latent_codes_come_with_labels_and_factors(
    command: Command, trained: Path, tmp_path: Path
) -> None:
    file = tmp_path / "codes.npz"
    done = command(
        "plot-latent", f"run={trained}", f"save_npz={file}", "method=tsne",
        "num_points=40", f"output={tmp_path / 'latent.png'}",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    with np.load(file, allow_pickle=False) as arrays:
        assert arrays["mean"].shape == arrays["log_var"].shape == (40, 3)
        np.testing.assert_array_equal(arrays["labels"], arrays["kind"])


def test_run_trained_on_colour_images_generates(
    command: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = command(
        "train", "dataset=synthetic", "dataset.image_size=11", "dataset.channels=3",
        "dataset.num_images=60", "dataset.validation_size=20", "epochs=1",
        "likelihood=continuous_bernoulli", "architecture.filters=[4]",
        f"run_dir={run}",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    generate(command, run, "mode=manifold", "rows=2", "figure.labels=false")
    with Image.open(run / "samples" / "manifold-rows2.png") as picture:
        assert picture.mode == "RGB"


def test_plane_of_many_dimensions_is_that_of_largest_kl(
    trained: Path, tmp_path: Path, command: Command
) -> None:
    run = RunFolder(trained)
    data = load_run_data(run, run.load_config())
    vae = Run(run, "best").vae
    kl = kl_to_normal(*encode(vae, data.test.images))
    first, second = sorted(np.argsort(-kl)[:2].tolist())
    where = f"output={tmp_path / 'plane.png'}"
    done = command("generate", f"run={trained}", "mode=manifold", "rows=2", where)
    assert done.status == 0, done.stderr
    assert f"dimensions {first} and {second}, of largest KL of 3" in done.stderr


@pytest.mark.parametrize("name", ["generate", "reconstruct", "evaluate"])
def test_arrays_are_never_written_over_the_runs_own_images(
    name: str, tmp_path: Path, command: Command
) -> None:
    data = tmp_path / "own.npz"
    rng = np.random.default_rng(0)
    np.savez(data, x_train=rng.integers(0, 256, (40, 8, 8), dtype=np.uint8))
    before = data.read_bytes()
    run = train_here(
        tmp_path / "run", "architecture=dense", "architecture.hidden_units=[4]",
        "dataset=npz", f"dataset.path={data}", "dataset.validation_size=9", "epochs=1",
    )  # fmt: skip
    done = command(name, f"run={run}", f"save_npz={data}")
    refused(done, f"save_npz={data} is the file of the run's images")
    done = command(name, f"run={run}", "save_npz=config.yaml")
    refused(done, "save_npz=config.yaml must end in .npz")
    assert data.read_bytes() == before


def test_run_is_suggested_by_its_name_and_a_sweeps_folder_by_its_jobs(
    trained: Path, tmp_path: Path, command: Command
) -> None:
    whole = tmp_path / "2026-01-02" / "10-00-00-own"
    shutil.copytree(trained, whole)
    done = command("generate", "run=own", f"output_root={tmp_path}")
    refused(done, "run=own does not exist", f"did you mean: run={whole}")
    done = command("generate", f"run={whole.parent}")
    refused(done, f"it holds runs; this takes one: run={whole}")
