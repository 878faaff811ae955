"""Sizes: what is beyond the machine is refused before it is allocated."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SMALL, Finished
from tests.helpers import sized
from vae_cli import memory
from vae_cli.data_spec import DataSpec
from vae_cli.errors import ConfigError
from vae_cli.models.factory import build_model
from vae_cli.training.memory import check_training

Command = Callable[..., Finished]


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["latent_dim=100000000"], "latent_dim"),
        (["latent_dim=1000000000000000000000"], "latent_dim"),
        (["architecture.hidden_units=[1000000000]"], "hidden_units"),
        (["architecture.hidden_units=[1000000,1000000]"], "hidden_units"),
        pytest.param(
            ["architecture.hidden_units=[" + ",".join(["8"] * 10_000) + "]"],
            "hidden_units",
            marks=pytest.mark.slow,
        ),
        (["dataset.image_size=1000000"], "image_size"),
        (["dataset.image_size=60000"], "image_size"),
        (["dataset.num_images=1000000000"], "num_images"),
        (["batch_size=1000000000000000000000"], "batch_size"),
        (["architecture=conv", "architecture.filters=[100000,100000]"], "filters"),
        (["architecture=conv", "architecture.kernel_sizes=[1000]"], "kernel_sizes"),
        (["architecture=residual_conv", "architecture.blocks=100000"], "blocks"),
        (["prior=vamp", "prior.components=1000000"], "prior.components"),
        (["prior=mog", "prior.components=10000000"], "prior.components"),
        (
            ["objective=iwae", "objective.importance_samples=1000000"],
            "objective.importance_samples",
        ),
        (["latent=vq", "latent.prior_filters=100000"], "latent.prior_filters"),
        (["threads=20000"], "threads"),
        (["threads=1000000"], "threads"),
        (
            ["distribution=mirrored", "distribution.devices=[CPU:0,CPU:1000000]"],
            "devices",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else value[-1][:50],
)
def test_absurd_size_is_refused_with_its_key_and_no_folder(
    overrides: list[str], key: str, tmp_path: Path, command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # as on a machine of 16 GB, whatever this one has
    monkeypatch.setattr(memory, "available", lambda: 16 * 2**30)
    small = [
        o for o in SMALL if "architecture" not in overrides[0] or "architec" not in o
    ]
    if "architecture." in overrides[0]:
        small.append("architecture=dense")
    keys = {o.split("=")[0] for o in overrides}
    small = [o for o in small if o.split("=")[0] not in keys]
    if any("architecture" in o for o in overrides):
        small = [o for o in small if not o.startswith("architecture.")]
    run = tmp_path / "run"
    done = command("train", *small, *overrides, f"run_dir={run}")
    assert done.status == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert key in done.stderr
    assert len(done.stderr) < 100_000
    assert not run.exists()


@pytest.mark.parametrize(
    "overrides",
    [
        ["architecture=dense"],
        ["architecture=conv"],
        ["architecture=residual_conv"],
        ["architecture=dense", "prior=vamp", "prior.components=50"],
        ["architecture=dense", "hierarchy=two_level", "latent_dim=8"],
    ],
    ids=lambda words: words[-1],
)
def test_estimated_weights_are_the_models_within_a_factor_of_two(
    overrides: list[str],
) -> None:
    config = sized(*overrides)
    shape = (28, 28, 1)
    vae = build_model(config, DataSpec(shape, binary=False))
    exact = sum(int(v.shape.num_elements()) if hasattr(v.shape, "num_elements")
                else int(v.size) for v in vae.trainable_variables)  # fmt: skip
    layers = [
        *config.architecture.layers(shape, config.latent_dim),
        *config.hierarchy.layers(config.latent_dim),
        *config.conditioning.layers(shape),
    ]
    estimate = sum(layer[0] for layer in layers)
    estimate += config.prior.num_weights(shape, config.latent_dim)
    assert exact / 2 < estimate < 2 * exact


@pytest.mark.parametrize("filters", [16, 64])
def test_estimated_weights_of_a_prior_of_codes_are_those_of_its_network(
    filters: int,
) -> None:
    config = sized("latent=vq", "latent_dim=null", f"latent.prior_filters={filters}")
    vae = build_model(config, DataSpec((28, 28, 1), binary=False))
    exact = vae.prior_network.new_network().count_params()
    estimate = sum(layer[0] for layer in config.latent.layers_of_prior(None))
    assert estimate == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize(
    "experiment", sorted(p.stem for p in Path("configs/experiment").glob("*.yaml"))
)
def test_every_recipe_fits_into_four_gigabytes(
    experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available", lambda: 4 * 2**30)
    own = ["dataset.path=own"] if experiment in ("digits", "emoji", "faces") else []
    config = sized(f"experiment={experiment}", *own)
    check_training(config, (32, 32, 3), 60_000)


def test_arrays_beyond_memory_are_refused_with_what_takes_how_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "available", lambda: 2**30)
    memory.check_arrays("codes", (1000, 16), "num_images")
    with pytest.raises(ConfigError, match=r"3\.7 GiB for codes") as caught:
        memory.check_arrays("codes", (10**6, 1000), "num_images")
    assert "make num_images smaller" in str(caught.value)


def test_images_beyond_memory_are_not_drawn(
    trained: Path, tmp_path: Path, command: Command
) -> None:
    output = tmp_path / "many.png"
    done = command(
        "generate", f"run={trained}", "num_images=1000000000000", f"output={output}"
    )
    assert done.status == 1
    assert "Traceback" not in done.stderr
    assert "num_images" in done.stderr
    assert not output.exists()


@pytest.mark.parametrize(
    ("name", "words", "key"),
    [
        ("evaluate", ["importance_samples=1000", "batch_size=60", "chunk_size=1000"],
         "batch_size or chunk_size"),
        ("evaluate", ["importance_samples=null", "generated_images=1000000"],
         "generated_images"),
        ("anomaly", ["posterior_samples=100000"],
         "importance_samples or posterior_samples"),
        ("encode", ["scores=true", "posterior_samples=100000"],
         "importance_samples or posterior_samples"),
        ("reconstruct", ["corruption=half", "posterior_samples=100000"],
         "importance_samples or posterior_samples"),
    ],
)  # fmt: skip
def test_samples_beyond_memory_are_refused_with_their_key(
    name: str, words: list[str], key: str, trained: Path, command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(memory, "available", lambda: 50 * 2**20)
    done = command(name, f"run={trained}", *words)
    assert done.status == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert f"make {key} smaller" in done.stderr
