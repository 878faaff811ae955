import dataclasses
from typing import Any

import pytest

from vae_cli.config.architecture import DenseConfig
from vae_cli.config.commands import GenerateConfig, PlotLatentConfig
from vae_cli.config.compose import composed
from vae_cli.config.evaluate import EvaluateConfig
from vae_cli.config.load import load
from vae_cli.config.train import EarlyStoppingConfig, TrainConfig
from vae_cli.errors import ConfigError

Values = dict[str, Any]


def values(command: str = "train", *overrides: str, **changes: Any) -> Values:
    """A command's composed config as plain values; `a__b=1` changes key a.b."""
    plain = dataclasses.asdict(composed(command, list(overrides)))
    for key, value in changes.items():
        group, _, name = key.rpartition("__")
        (plain[group] if group else plain)[name] = value
    return plain


def problems(plain: Values, schema: type = TrainConfig) -> list[str]:
    """What loading is refused with, one entry a problem."""
    with pytest.raises(ConfigError) as refused:
        load(schema, plain)
    return list(refused.value.args)


def test_composed_defaults_load_into_the_dataclasses() -> None:
    config = load(TrainConfig, values("train", "architecture=dense"))
    assert isinstance(config.architecture, DenseConfig)
    assert config.architecture.hidden_units == [500, 500]
    assert (config.latent_dim, config.beta, config.name) == (None, 1.0, None)


@pytest.mark.parametrize(
    ("key", "guess"),
    [
        ("latentdim", "latent_dim"),
        ("epoch", "epochs"),
        ("dataset__binarise", "dataset.binarize"),
        ("optimizer__learnrate", "optimizer.learning_rate"),
    ],
)
def test_unknown_key_names_the_closest_one(key: str, guess: str) -> None:
    dotted = key.replace("__", ".")
    assert problems(values(**{key: 1})) == [
        f"{dotted} is not a key; did you mean {guess}?"
    ]


def test_unknown_key_like_no_other_lists_the_keys_of_its_place() -> None:
    assert problems(values(likelihood__qqq=1)) == [
        "likelihood.qqq is not a key; likelihood=bernoulli has no keys"
    ]
    assert problems(values("train", "kl_annealing=linear", kl_annealing__qqq=1)) == [
        "kl_annealing.qqq is not a key; choose one of: kl_annealing.duration, "
        "kl_annealing.unit, kl_annealing.start_fraction"
    ]


@pytest.mark.parametrize("plus", ["+", "++"])
def test_key_added_with_plus_is_refused_like_any_unknown_key(plus: str) -> None:
    with pytest.raises(ConfigError) as refused:
        composed("train", [f"{plus}latentdim=1"])
    assert refused.value.args == ("latentdim is not a key; did you mean latent_dim?",)


def test_key_of_another_option_names_the_options_that_have_it() -> None:
    with pytest.raises(ConfigError, match="needs kl_annealing=linear or kl_annealing="):
        composed("train", ["kl_annealing.duration=3"])


def test_missing_key_has_the_default_of_its_dataclass() -> None:
    plain = values()
    del plain["latent_dim"], plain["optimizer"]["epsilon"], plain["likelihood"]
    assert load(TrainConfig, plain) == TrainConfig()


def test_config_without_arguments_is_what_the_yaml_files_compose() -> None:
    assert composed("train", []) == TrainConfig()


def test_value_left_open_in_yaml_says_what_to_add() -> None:
    with pytest.raises(ConfigError) as refused:
        composed("train", ["dataset=npz"])
    assert refused.value.args == (
        "dataset.path is missing: the .npz file; add dataset.path=...",
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("epochs", True, "epochs=True must be an integer, got a boolean"),
        ("epochs", 2.5, "epochs=2.5 must be an integer, got a number"),
        ("epochs", 2.0, "epochs=2.0 must be an integer, got a number"),
        ("epochs", "abc", "epochs=abc must be an integer, got text"),
        ("epochs", "3", "epochs=3 must be an integer, got text"),
        ("epochs", None, "epochs=None must be an integer, got null"),
        ("epochs", [3], "epochs=[3] must be an integer, got a list of an integer"),
        ("beta", True, "beta=True must be a number, got a boolean"),
        ("beta", "high", "beta=high must be a number, got text"),
        ("beta", [], "beta=[] must be a number, got an empty list"),
        ("beta", {"a": 1}, "beta={'a': 1} must be a number, got a dict"),
        ("deterministic", 1, "deterministic=1 must be a boolean (true or false), got"),
        ("deterministic", "yes", "deterministic=yes must be a boolean"),
        ("name", True, "name=True must be text or null, got a boolean"),
        ("early_stopping__patience", 1.5, "early_stopping.patience=1.5 must be an"),
        ("architecture__filters", 32, "architecture.filters=32 must be a list of"),
        ("architecture__filters", "32", "architecture.filters=32 must be a list of"),
        ("architecture__filters", [32, "a"], "architecture.filters=[32, 'a'] must be"),
        ("architecture__filters", [32, 1.5], "architecture.filters=[32, 1.5] must be"),
        ("architecture__filters", [True], "architecture.filters=[True] must be a list"),
        ("architecture__filters", [None], "architecture.filters=[None] must be a list"),
    ],
)
def test_wrong_type_says_what_is_expected_and_what_came(
    key: str, value: object, message: str
) -> None:
    (problem,) = problems(values(**{key: value}))
    assert problem.startswith(message)


def test_integer_is_taken_for_a_number() -> None:
    beta = load(TrainConfig, values(beta=4)).beta
    assert (beta, type(beta)) == (4.0, float)


def test_number_is_taken_for_text() -> None:
    assert load(TrainConfig, values(name=7)).name == "7"


@pytest.mark.parametrize("key", ["threads", "name", "run_dir", "resume"])
def test_optional_key_takes_null(key: str) -> None:
    assert getattr(load(TrainConfig, values(**{key: None})), key) is None


def test_optional_key_takes_a_value_too() -> None:
    assert load(TrainConfig, values(early_stopping__patience=3)).early_stopping == (
        EarlyStoppingConfig(patience=3)
    )


@pytest.mark.parametrize(
    ("overrides", "key", "inside", "outside", "rule"),
    [
        ((), "latent_dim", 1, 0, "must be at least 1"),
        ((), "beta", 0.0, -0.5, "must be at least 0"),
        ((), "optimizer__learning_rate", 1e-12, 0.0, "must be above 0"),
        ((), "optimizer__clip_norm", 0.1, 0.0, "must be above 0"),
        ((), "architecture__dropout", 0.99, 1.0, "must be below 1"),
        ((), "optimizer__beta_1", 0.0, 1.0, "must be below 1"),
        (
            ("kl_annealing=linear",),
            "kl_annealing__start_fraction",
            1.0,
            1.5,
            "at most 1",
        ),
        (("dataset=synthetic",), "dataset__channels", 4, 5, "must be at most 4"),
        ((), "architecture__filters", [1, 1], [1, 0], "must be at least 1"),
    ],
)
def test_range_ends_where_it_says(
    overrides: tuple[str, ...], key: str, inside: object, outside: object, rule: str
) -> None:
    load(TrainConfig, values("train", *overrides, **{key: inside}))
    (problem,) = problems(values("train", *overrides, **{key: outside}))
    assert problem.startswith(f"{key.replace('__', '.')}=")
    assert problem.endswith(rule)


def test_large_bound_is_told_in_full() -> None:
    load(TrainConfig, values(seed=2**32 - 1))
    assert problems(values(seed=2**32)) == [
        "seed=4294967296 must be at most 4294967295"
    ]


def test_value_just_outside_its_range_is_told_as_it_came() -> None:
    plain = values(
        "train", "kl_annealing=linear", kl_annealing__start_fraction=1.0000001
    )
    assert problems(plain) == [
        "kl_annealing.start_fraction=1.0000001 must be at most 1"
    ]


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), float("-inf"), 10**400],
    ids=lambda v: f"{v}"[:5],
)
@pytest.mark.parametrize("key", ["beta", "optimizer__clip_norm"])
def test_number_that_is_not_finite_is_refused(key: str, value: float) -> None:
    (problem,) = problems(values(**{key: value}))
    assert problem.startswith(f"{key.replace('__', '.')}=")
    assert problem.endswith("must be a finite number")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "dataset__binarize",
            "statik",
            "dataset.binarize=statik is not available; choose one of: none, threshold, "
            "static, dynamic; did you mean dataset.binarize=static?",
        ),
        (
            "architecture__normalization",
            "zzz",
            "architecture.normalization=zzz is not available; choose one of: none, "
            "batch, layer",
        ),
    ],
)
def test_unknown_choice_lists_all_and_the_closest(
    key: str, value: str, message: str
) -> None:
    assert problems(values(**{key: value})) == [message]


@pytest.mark.parametrize("name", ["resnet", None, 3, ["conv"]])
def test_unknown_name_in_a_group_lists_its_options(name: object) -> None:
    assert problems(values(architecture__name=name)) == [
        f"architecture.name={name} is not available; choose one of: conv, dense, "
        "residual_conv"
    ]


def test_group_without_keys_lists_its_options() -> None:
    assert problems(values(architecture="conv")) == [
        "architecture=conv is not an option; choose one of: conv, dense, residual_conv"
    ]


def test_all_problems_are_told_at_once() -> None:
    plain = values(
        latent_dim=0,
        beta="x",
        epoch=3,
        dataset__max_images_per_split=-1,
        architecture__name="resnet",
    )
    assert problems(plain) == [
        "epoch is not a key; did you mean epochs?",
        "dataset.max_images_per_split=-1 must be at least 1",
        "architecture.name=resnet is not available; choose one of: conv, dense, "
        "residual_conv",
        "latent_dim=0 must be at least 1",
        "beta=x must be a number, got text",
    ]


def test_message_opens_with_where_the_values_come_from() -> None:
    with pytest.raises(ConfigError) as refused:
        load(TrainConfig, values(latent_dim=0, epochs=0), source="run/config.yaml")
    assert str(refused.value) == (
        "run/config.yaml: 2 problems:\n- latent_dim=0 must be at least 1\n"
        "- epochs=0 must be at least 1"
    )


@pytest.mark.parametrize(
    ("overrides", "changes", "message"),
    [
        (
            (),
            {"early_stopping__patience": 3, "dataset__validation_size": 0},
            "early_stopping.patience=3 needs validation images, but "
            "dataset.validation_size is 0",
        ),
        (
            (),
            {"architecture__filters": []},
            "architecture.filters needs a layer, got []",
        ),
        (
            (),
            {"architecture__filters": [8, 8, 8], "architecture__strides": [2, 1]},
            "architecture.strides has 2 values for 3 layers; give one, or one per "
            "layer",
        ),
        (
            ("architecture.filters=[32,64]",),
            {"architecture__kernel_sizes": []},
            "architecture.kernel_sizes has 0 values for 2 layers; give one, or one per "
            "layer",
        ),
        (
            ("architecture=dense",),
            {"architecture__hidden_units": []},
            "architecture.hidden_units needs a layer, got []",
        ),
    ],
)
def test_keys_that_contradict_each_other_are_refused(
    overrides: tuple[str, ...], changes: Values, message: str
) -> None:
    assert problems(values("train", *overrides, **changes)) == [message]


@pytest.mark.parametrize("conditioning", ["none", "label"])
@pytest.mark.parametrize("mask", ["quadrants", "half", "random_mask", "box"])
def test_scoring_missing_pixels_alone_needs_a_model_of_them_given_the_seen(
    mask: str, conditioning: str
) -> None:
    plain = values("train", f"corruption={mask}", f"conditioning={conditioning}")
    plain["corruption"]["loss_on"] = "missing"
    assert problems(plain) == [
        "corruption.loss_on=missing trains the decoder on missing pixels only, so "
        "only p(missing|observed) can be modelled, which needs "
        f"conditioning=observed, got conditioning={conditioning}; use "
        "conditioning=observed, or corruption.loss_on=all"
    ]


@pytest.mark.parametrize("floor", [(), ("free_bits=0.0",)], ids=["default", "zero"])
@pytest.mark.parametrize("part", ["prior=vamp", "prior=mog", "objective=iwae"])
def test_bound_without_a_kl_for_each_dimension_is_taken_without_free_bits(
    part: str, floor: tuple[str, ...]
) -> None:
    assert not composed("train", [part, *floor]).takes_free_bits


def test_free_bits_are_taken_by_the_elbo_with_a_standard_prior() -> None:
    assert composed("train", ["free_bits=0.5", "hierarchy=two_level"]).free_bits == 0.5


@pytest.mark.parametrize(
    ("posterior", "prior", "objective"),
    [
        ("gaussian", "vamp", "elbo"),
        ("gaussian", "realnvp", "elbo"),
        ("gaussian", "standard", "iwae"),
        ("iaf", "standard", "elbo"),
    ],
)
def test_free_bits_without_a_kl_for_each_dimension_are_refused(
    posterior: str, prior: str, objective: str
) -> None:
    parts = [f"posterior={posterior}", f"prior={prior}", f"objective={objective}"]
    with pytest.raises(ConfigError) as refused:
        composed("train", ["free_bits=0.25", *parts])
    assert refused.value.args == (
        "free_bits=0.25 needs posterior=gaussian prior=standard objective=elbo: "
        f"posterior={posterior} and prior={prior} with objective={objective} have no "
        "KL per dimension; use those, or free_bits_per=level with objective=elbo",
    )


@pytest.mark.parametrize("posterior", ["iaf", "planar"])
def test_what_evaluates_a_flow_posterior_elsewhere_is_refused(posterior: str) -> None:
    for words, key, instead in (
        (["prior=vamp"], "prior=vamp", "use prior=mog, realnvp or iaf, or posterior="),
        (
            ["objective=iwae", "objective.doubly_reparameterized=true"],
            "objective.doubly_reparameterized=true",
            "leave out objective.doubly_reparameterized=true, or use posterior=",
        ),
    ):
        with pytest.raises(ConfigError) as refused:
            composed("train", [f"posterior={posterior}", *words])
        (message,) = refused.value.args
        assert message.startswith(key)
        assert f"posterior={posterior} knows log q(z|x) only at codes drawn" in message
        assert instead in message


def test_learned_conditional_prior_is_a_gaussian_or_a_flow() -> None:
    label = ["conditioning=label", "conditioning.learned_prior=true"]
    for prior in ("standard", "realnvp", "iaf"):
        assert composed("train", [*label, f"prior={prior}"]).prior.name == prior
    with pytest.raises(ConfigError, match="use prior=standard, realnvp or iaf"):
        composed("train", [*label, "prior=mog"])


@pytest.mark.parametrize(
    ("latent_dim", "top_dim", "problem"),
    [
        (
            4,
            4,
            "hierarchy.top_dim=4 must be below latent_dim=4, which counts all levels",
        ),
        (
            4,
            7,
            "hierarchy.top_dim=7 must be below latent_dim=4, which counts all levels",
        ),
        (
            1,
            None,
            "latent_dim=1 counts all levels of hierarchy=two_level; it must be at "
            "least 2",
        ),
    ],
)
def test_levels_that_do_not_fit_the_latent_dimensions_are_refused(
    latent_dim: int, top_dim: int | None, problem: str
) -> None:
    plain = values(
        "train",
        "hierarchy=two_level",
        "latent_dim=9",
        latent_dim=latent_dim,
        hierarchy__top_dim=top_dim,
    )
    assert problems(plain) == [problem]


@pytest.mark.parametrize(("latent_dim", "top_dim"), [(4, 3), (2, 1), (2, "null")])
def test_levels_that_leave_the_bottom_a_dimension_are_taken(
    latent_dim: int, top_dim: int | str
) -> None:
    levels = ["hierarchy=two_level", f"hierarchy.top_dim={top_dim}"]
    assert composed("train", [*levels, f"latent_dim={latent_dim}"])


@pytest.mark.parametrize(
    ("layers", "way_out"),
    [
        ("architecture.dropout=0.1", "use architecture.dropout=0"),
        ("architecture.normalization=batch", "use architecture.normalization=layer"),
    ],
)
@pytest.mark.parametrize(
    "gradient",
    [
        ("objective=iwae", "objective.doubly_reparameterized=true"),
        ("objective.sticking_the_landing=true",),
    ],
)
def test_pathwise_gradient_of_two_levels_refuses_layers_that_couple_images(
    gradient: tuple[str, ...], layers: str, way_out: str
) -> None:
    assert composed("train", [*gradient, layers])
    assert composed("train", [*gradient, "hierarchy=two_level"])
    with pytest.raises(ConfigError) as refused:
        composed("train", [*gradient, layers, "hierarchy=two_level"])
    assert way_out in str(refused.value)


def test_problems_about_z_are_told_together() -> None:
    plain = values(
        "train",
        *("hierarchy=two_level", "objective=iwae"),
        free_bits=0.5,
        latent_dim=2,
        hierarchy__top_dim=2,
        objective__doubly_reparameterized=True,
        architecture__dropout=0.1,
    )
    assert [problem.split("=")[0] for problem in problems(plain)] == [
        *("free_bits", "hierarchy.top_dim", "objective.doubly_reparameterized")
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"importance_samples": 0}, "importance_samples=0 must be at least 1"),
        ({"num_images": 0}, "num_images=0 must be at least 1"),
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"chunk_size": 0}, "chunk_size=0 must be at least 1"),
        ({"memory_mb": 0}, "memory_mb=0 must be at least 1"),
        ({"seed": -1}, "seed=-1 must be at least 0"),
        (
            {"split": "foo"},
            "split=foo is not available; choose one of: train, validation, test",
        ),
        (
            {"importance_sample": 3},
            "importance_sample is not a key; did you mean importance_samples?",
        ),
    ],
    ids=str,
)
def test_evaluate_refuses_what_it_can_not_do(changes: Values, message: str) -> None:
    assert problems(values("evaluate", **changes), EvaluateConfig) == [message]


@pytest.mark.parametrize("key", ["importance_samples", "num_images", "seed", "output"])
def test_evaluate_takes_null_for_what_can_be_left_out(key: str) -> None:
    assert getattr(composed("evaluate", [f"{key}=null"]), key) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dims": [0, 0]}, "dims=[0, 0] must name two different dimensions"),
        ({"dims": []}, "dims=[] must name two different dimensions"),
        ({"dims": [0, 1, 2]}, "dims=[0, 1, 2] must name two different dimensions"),
        ({"gif": "a.gif"}, "gif= needs mode=interpolation, got mode=prior"),
        (
            {"mode": "manifold", "num_images": 4},
            "num_images= needs mode=prior, got mode=manifold; use rows= and columns=",
        ),
    ],
)
def test_generate_refuses_keys_its_mode_does_not_read(
    changes: Values, message: str
) -> None:
    assert problems(values("generate", **changes), GenerateConfig) == [message]


def test_plot_latent_refuses_dims_that_its_method_does_not_read() -> None:
    plain = values("plot_latent", method="pca", dims=[0, 0])
    assert problems(plain, PlotLatentConfig) == [
        "dims=[0, 0] must name two different dimensions",
        "dims= needs method=dims, got method=pca",
    ]
