"""Configs composed from Python: overrides as text, settings as values."""

from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from vae_cli.config.compose import compose, composed, quoted
from vae_cli.errors import ConfigError
from vae_cli.paths import configs_dir

TEXTS = (
    "plain", "null", "true", "2", "a b", "a,b=c", "it's", "back\\slash", "\\'", "end\\",
    "[x]", "{y}", "ü",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_text_arrives_as_it_is(text: str) -> None:
    assert compose(run_dir=text).run_dir == text


def test_settings_are_what_overrides_are() -> None:
    typed = compose(
        "architecture=dense",
        "architecture.hidden_units=[5,6]",
        "optimizer.learning_rate=1e-4",
        "optimizer.clip_norm=null",
        "deterministic=true",
        "run_dir='a/b'",
    )
    given = compose(
        architecture="dense",
        optimizer={"learning_rate": 1e-4, "clip_norm": None},
        deterministic=True,
        run_dir=Path("a/b"),
        **{"architecture.hidden_units": (5, 6)},
    )
    assert given == typed


def test_settings_come_after_overrides() -> None:
    assert compose("experiment=quickstart", "beta=2", beta=4).beta == 4


def test_problems_are_reported_together() -> None:
    with pytest.raises(ConfigError) as raised:
        compose(latent_dim="two", beta=-1)
    assert "latent_dim=two must be an integer" in str(raised.value)
    assert "beta=-1 must be at least 0" in str(raised.value)


def test_value_that_can_not_be_written_is_refused_by_key() -> None:
    with pytest.raises(ConfigError, match=r"beta=.*must be text, a number"):
        compose(beta=object())


def test_hydra_of_the_caller_is_left_as_it_was() -> None:
    with initialize_config_dir(str(configs_dir()), version_base="1.3"):
        before = GlobalHydra.instance().hydra
        compose()
        assert GlobalHydra.instance().hydra is before


@pytest.mark.parametrize("key", ["label", "images", "output", "run"])
@pytest.mark.parametrize(
    "name",
    ["Food & Drink", "it's", "a(b)", "é,ü", "x=y", "#1; {2}", "back\\slash,", "\udcff"],
)
def test_names_of_files_and_classes_need_no_quotes(key: str, name: str) -> None:
    value = f"{name}.csv" if key == "output" else name
    words = [f"{key}={value}"] + ["images=x"] * (key == "label")
    assert getattr(composed("encode", words), key) == value
    assert getattr(composed("encode", quoted("encode", words)), key) == value


def test_quoted_and_listed_values_are_left_as_they_are() -> None:
    words = ["images=[a b,'c, d']", "label='1, 2'"]
    config = composed("encode", words)
    assert (config.images, config.label) == (["a b", "c, d"], "1, 2")
    assert composed("encode", ["images=null"]).images is None
