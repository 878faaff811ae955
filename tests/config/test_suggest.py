import pytest

from vae_cli.config.commands import COMMANDS
from vae_cli.config.compose import composed
from vae_cli.config.keys import all_keys
from vae_cli.config.suggest import FLAGS, refuse_unknown_flags
from vae_cli.config.synonyms import SYNONYMS
from vae_cli.errors import ConfigError, UsageError


def message(*words: str) -> str:
    """What a training with these overrides is refused with, first line."""
    with pytest.raises(ConfigError) as refused:
        composed("train", list(words))
    return str(refused.value).splitlines()[0]


@pytest.mark.parametrize("word", SYNONYMS)
def test_every_synonym_names_keys_that_exist(word: str) -> None:
    known = {key for schema in COMMANDS.values() for key in all_keys(schema)}
    assert word not in all_keys(COMMANDS["train"])
    assert set(SYNONYMS[word]) <= known


@pytest.mark.parametrize(
    ("word", "guess"),
    [
        ("learning_rate=0.1", "optimizer.learning_rate"),
        ("lr=0.1", "optimizer.learning_rate"),
        ("z_dim=8", "latent_dim"),
        ("filters=[8]", "architecture.filters"),
        ("dropout=0.1", "architecture.dropout"),
        ("dropuot=0.1", "architecture.dropout"),
        ("patience=3", "early_stopping.patience"),
        ("device=GPU", "distribution.devices (with distribution=mirrored)"),
        ("warmup=3", "kl_annealing or learning_rate_schedule.warmup_epochs"),
        ("optimiser=adam", "optimizer"),
        ("optimizer.lr=1", "optimizer.learning_rate"),
        ("architecture.filter=[8]", "architecture.filters"),
        ("latentdim=3", "latent_dim"),
        ("+learning_rate=1", "optimizer.learning_rate"),
    ],
)
def test_unknown_key_is_searched_in_groups_and_among_synonyms(
    word: str, guess: str
) -> None:
    key = word.lstrip("+").partition("=")[0]
    assert message(word) == f"{key} is not a key; did you mean {guess}?"


@pytest.mark.parametrize("choice", ["architecture=dense", "experiment=gated_vae"])
def test_keys_of_active_options_come_first(choice: str) -> None:
    assert message(choice, "hidden_units=[100]") == (
        "hidden_units is not a key; did you mean architecture.hidden_units?"
    )


def test_key_of_options_that_are_not_active_says_with_which() -> None:
    assert message("hidden_units=[100]") == (
        "hidden_units is not a key; did you mean architecture.hidden_units (with "
        "architecture=dense), posterior.hidden_units (with posterior=iaf) or "
        "prior.hidden_units (with prior=realnvp or prior=iaf)?"
    )


def test_key_like_no_other_gets_no_list_of_all() -> None:
    assert message("qqq=1") == "qqq is not a key"


def test_misspelled_option_names_the_closest_one() -> None:
    with pytest.raises(ConfigError) as refused:
        composed("train", ["likelihood=gausian"])
    assert refused.value.args[:3] == (
        "likelihood=gausian is not available.",
        "did you mean likelihood=gaussian?",
        "choose one of: bernoulli, continuous_bernoulli, discretized_logistic, "
        "gaussian",
    )


def test_unknown_option_says_what_a_copy_and_what_a_plugin_can_do() -> None:
    with pytest.raises(ConfigError) as refused:
        composed("train", ["optimizer=sgd"])
    _, choices, copy, plugin = refused.value.args
    assert choices == "choose one of: adam, adamax, adamw"
    assert copy.startswith("the same option with other defaults: vae copy optimizer/")
    assert "--plugin FILE" in plugin


def test_unknown_preset_is_written_as_a_file() -> None:
    with pytest.raises(ConfigError) as refused:
        composed("train", ["experiment=cave"])
    assert "did you mean experiment=cvae?" in refused.value.args
    assert "--plugin" not in str(refused.value)


@pytest.mark.parametrize(
    ("words", "override"),
    [
        (["--epochs", "5"], "epochs=5"),
        (["--beta=4"], "beta=4"),
        (["--lr", "1e-3"], "optimizer.learning_rate=1e-3"),
        (["--latent-dim", "8"], "latent_dim=8"),
        (["-e", "5"], "epochs=5"),
        (["--batch-size", "beta=1"], "batch_size=..."),
        (["-m", "--epochs", "5"], "epochs=5"),
        (["--qqq"], "key=value; every key: vae-train --help"),
    ],
)
def test_key_written_as_a_flag_is_wrong_usage(words: list[str], override: str) -> None:
    with pytest.raises(UsageError) as refused:
        refuse_unknown_flags("train", words)
    assert refused.value.args[1] == (
        f"overrides are written without dashes: {override}"
    )


def test_flags_are_those_of_hydra_but_its_completion() -> None:
    from hydra._internal.utils import get_args_parser

    known = {flag for a in get_args_parser()._actions for flag in a.option_strings}
    assert known - {"--shell-completion", "-sc"} == {*FLAGS} - {"--plugin"}
