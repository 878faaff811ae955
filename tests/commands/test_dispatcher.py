import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import Finished
from vae_cli import __version__
from vae_cli.cli import COMMANDS, TOOLS
from vae_cli.config.commands import PRESETS
from vae_cli.config.compose import composed
from vae_cli.paths import configs_dir
from vae_cli.registry import OPTIONS as GROUPS
from vae_cli.runs.files import write_json
from vae_cli.runs.folder import RunFolder

Command = Callable[..., Finished]


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every command in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run folder as training leaves it, without weights."""
    folder = RunFolder(tmp_path / "outputs" / "run")
    folder.create()
    folder.save_config(composed("train", ["beta=4", "latent_dim=3", "epochs=2"]))
    folder.write_status("finished", 2)
    return folder


def refused(done: Finished, *parts: str, status: int = 1) -> None:
    assert (done.status, done.stdout) == (status, "")
    for part in parts:
        assert part in done.stderr


def test_unknown_command_names_the_closest_one(command: Command) -> None:
    assert command("trian") == Finished(
        2, "", "vae: trian is not a command.\n  did you mean vae train?\n"
    )


def test_command_like_no_other_is_told_where_to_look(command: Command) -> None:
    refused(command("qqqq"), "vae --help lists the commands", status=2)


def test_no_command_prints_the_help_as_wrong_usage(command: Command) -> None:
    nothing, helped = command(), command("--help")
    assert (nothing.status, helped.status) == (2, 0)
    assert nothing.stdout == helped.stdout
    assert "vae plot-latent" in helped.stdout
    assert "vae evaluate " in helped.stdout


def test_version_is_printed(command: Command) -> None:
    assert command("--version") == Finished(0, f"vae-cli {__version__}\n", "")


def test_list_names_every_group_with_its_options(command: Command) -> None:
    lines = command("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*GROUPS, *PRESETS]
    assert "architecture            conv, dense, gated_dense, residual_conv" in lines


@pytest.mark.parametrize("group", [*GROUPS, *PRESETS])
def test_list_of_a_group_says_what_each_option_is(group: str, command: Command) -> None:
    lines = command("list", group).stdout.splitlines()
    files = sorted(file.stem for file in (configs_dir() / group).glob("*.yaml"))
    assert [line.split()[0] for line in lines] == files
    assert all(len(line.split()) > 2 for line in lines)


@pytest.mark.parametrize("flag", ["--config-dir mine", "--config-dir=mine", "-cd mine"])
def test_list_and_copy_know_own_variants(flag: str, command: Command) -> None:
    command("copy", "architecture/conv", "mine/architecture")
    wide = Path("mine/architecture/conv.yaml").rename("mine/architecture/wide.yaml")
    wide.write_text(f"# Wider than conv.\n{wide.read_text()}")
    listed = command("list", "architecture", *flag.split())
    assert "wide                    Wider than conv." in listed.stdout
    assert "residual_conv, wide" in command("list", *flag.split()).stdout
    copied = command("copy", "architecture/wide", "other/architecture", *flag.split())
    assert (copied.status, Path("other/architecture/wide.yaml").exists()) == (0, True)


def test_list_refuses_folders_and_flags_that_it_has_not(command: Command) -> None:
    refused(command("list", "--config-dir", "nowhere"), "nowhere does not exist.")
    refused(command("list", "--config-dir"), "takes a folder", status=2)
    refused(command("list", "--all"), "--all is not a flag of vae list.", status=2)


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_prints_its_own_help_with_examples(tool: str, command: Command) -> None:
    done = command(tool, "--help")
    assert (done.status, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"vae {tool}: {TOOLS[tool].does}"
    assert any(line.startswith(f"  vae {tool} ") for line in lines)
    assert "Examples" in lines
    assert max(map(len, lines)) <= 80


def test_help_of_a_group_is_printed(command: Command) -> None:
    done = command("train", "--help", "optimizer")
    assert "optimizer=adamw" in done.stdout
    refused(command("train", "--help", "optimiser"), "did you mean optimizer?")


def test_list_of_an_unknown_group_names_the_closest_one(command: Command) -> None:
    refused(
        command("list", "liklihood"),
        "liklihood is not a config group.",
        "did you mean vae list likelihood?",
    )


def test_show_prints_the_resolved_config_as_yaml(command: Command) -> None:
    done = command("show", "train", "experiment=beta_vae", "beta=7")
    shown = yaml.safe_load(done.stdout)
    assert (done.status, done.stderr) == (0, "")
    assert (shown["beta"], shown["latent_dim"]) == (7.0, 10)
    assert shown["epochs"] == 10


@pytest.mark.parametrize("name", ["plot-latent", "plot_latent"])
def test_show_takes_a_command_by_either_spelling(name: str, command: Command) -> None:
    assert yaml.safe_load(command("show", name, "seed=5").stdout)["seed"] == 5


@pytest.mark.parametrize("tool", ["show", "validate"])
@pytest.mark.parametrize("arguments", [(), ("trian",)], ids=["none", "unknown"])
def test_tool_without_a_command_lists_them(
    tool: str, arguments: tuple[str, ...], command: Command
) -> None:
    refused(
        command(tool, *arguments),
        f"vae {tool} takes a command: {', '.join(COMMANDS)}.",
        status=2,
    )


def test_validate_says_valid(command: Command) -> None:
    assert command("validate", "train", "beta=4") == Finished(0, "valid\n", "")


def test_validate_takes_the_options_of_evaluate(command: Command) -> None:
    done = command("validate", "evaluate", "importance_samples=5")
    assert done == Finished(0, "valid\n", "")
    refused(
        command("validate", "evaluate", "importance_sample=5"),
        "did you mean importance_samples?",
    )


@pytest.mark.parametrize("tool", ["show", "validate"])
def test_tool_takes_several_runs_as_evaluate_does(tool: str, command: Command) -> None:
    done = command(tool, "evaluate", "run=outputs/a,outputs/b")
    assert (done.status, done.stderr) == (0, "")


def test_evaluate_takes_several_runs_in_its_config(command: Command) -> None:
    done = command("evaluate", "run=outputs/a,outputs/b", "--cfg", "job")
    assert (done.status, done.stderr) == (0, "")
    assert yaml.safe_load(done.stdout)["run"] == "outputs/a,outputs/b"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["beta=x"], "beta=x must be a number, got text\n"),
        (
            ["latent_dim=0", "epochs=0"],
            "2 problems:\n- latent_dim=0 must be at least 1\n"
            "- epochs=0 must be at least 1\n",
        ),
    ],
    ids=["type", "range"],
)
def test_validate_refuses_what_the_command_would(
    overrides: list[str], message: str, command: Command
) -> None:
    assert command("validate", "train", *overrides) == Finished(1, "", message)


@pytest.mark.parametrize("override", ["kl_annealing=null", "kl_annealing=3", "=3"])
def test_validate_refuses_a_group_that_is_no_name(
    override: str, command: Command
) -> None:
    done = command("validate", "train", override)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr != ""


def test_validate_leaves_no_file(command: Command, tmp_path: Path) -> None:
    assert command("validate", "train", "run_dir=here").status == 0
    assert list(tmp_path.iterdir()) == []


def test_flag_that_a_tool_has_not_is_wrong_usage(command: Command) -> None:
    refused(command("validate", "train", "--cfg"), "--cfg is not a flag here", status=2)


def test_config_dir_that_is_missing_is_refused(command: Command) -> None:
    refused(
        command("show", "train", "--config-dir", "nowhere"),
        "--config-dir",
        "nowhere does not exist.",
    )


def test_config_dir_without_a_folder_is_wrong_usage(command: Command) -> None:
    refused(command("validate", "train", "--config-dir"), "--config-dir", status=2)


def test_copy_writes_the_shipped_file_and_says_how_to_use_it(command: Command) -> None:
    done = command("copy", "architecture/conv", "mine/architecture")
    assert (done.status, done.stdout) == (0, "mine/architecture/conv.yaml\n")
    assert "vae-train --config-dir mine architecture=" in done.stderr
    shipped = configs_dir() / "architecture" / "conv.yaml"
    assert Path("mine/architecture/conv.yaml").read_bytes() == shipped.read_bytes()


def test_copy_says_when_its_folder_would_not_be_searched(command: Command) -> None:
    done = command("copy", "architecture/conv", "mine")
    assert done.status == 0
    assert "it must lie in a folder called architecture/" in done.stderr


@pytest.mark.parametrize("flag", ["--config-dir mine", "--config-dir=mine", "-cd mine"])
def test_copied_and_renamed_option_is_used_through_config_dir(
    flag: str, command: Command
) -> None:
    command("copy", "architecture/conv", "mine/architecture")
    wide = Path("mine/architecture/conv.yaml").rename("mine/architecture/wide.yaml")
    wide.write_text(wide.read_text().replace("filters: null", "filters: [8, 8, 8]"))
    done = command("show", "train", *flag.split(), "architecture=wide")
    assert done.stderr == ""
    assert yaml.safe_load(done.stdout)["architecture"]["filters"] == [8, 8, 8]


def test_copy_overwrites_nothing(command: Command) -> None:
    Path("conv.yaml").write_text("# mine\n")
    refused(
        command("copy", "architecture/conv", "."),
        "conv.yaml exists already and is left as it is.",
    )
    assert Path("conv.yaml").read_text() == "# mine\n"


def test_copy_below_a_regular_file_is_refused(command: Command) -> None:
    Path("file").write_text("")
    refused(
        command("copy", "architecture/conv", "file/architecture"),
        "can't be written",
    )


@pytest.mark.parametrize("arguments", [(), ("architecture/conv",), ("a", "b", "c")])
def test_copy_takes_an_option_and_a_folder(
    arguments: tuple[str, ...], command: Command
) -> None:
    refused(
        command("copy", *arguments), "vae copy takes an option and a folder", status=2
    )


def test_copy_of_an_unknown_option_names_the_closest_one(command: Command) -> None:
    refused(
        command("copy", "architecture/con", "mine"),
        "architecture/con is not an option.",
        "did you mean vae copy architecture/conv?",
    )
    assert not Path("mine").exists()


@pytest.mark.parametrize(
    "option",
    [
        "../outside",
        "architecture/../train",
        "{here}/outside",
        "train",
    ],
)
def test_copy_takes_nothing_but_an_option(
    option: str, command: Command, tmp_path: Path
) -> None:
    Path("outside.yaml").write_text("# not ours\n")
    name = option.format(here=tmp_path)
    refused(command("copy", name, "mine"), "is not an option.")
    assert not Path("mine").exists()


def test_runs_prints_one_line_a_run(command: Command, run: RunFolder) -> None:
    done = command("runs")
    header, line = done.stdout.splitlines()
    assert header.split()[:2] == ["state", "epochs"]
    assert line.split() == [
        *("finished", "2/2", "mnist", "conv", "3", "4", "bernoulli", "none"),
        *("-", "-", "-"),
        "outputs/run",
    ]


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ({"variants": {"architecture": "wide"}}, "wide"),
        ({"variants": {}}, "conv"),
        ({"variants": "damaged"}, "conv"),
        ({}, "conv"),
    ],
)
def test_runs_names_the_variant_that_a_run_was_made_with(
    recorded: dict[str, object], shown: str, command: Command, run: RunFolder
) -> None:
    write_json(run.environment_file, recorded)
    assert command("runs").stdout.splitlines()[1].split()[3] == shown


def test_runs_takes_a_folder(command: Command, run: RunFolder) -> None:
    done = command("runs", str(run.path.parent))
    assert done.stdout.splitlines()[1].endswith(str(run.path))


def test_runs_of_an_empty_folder_says_so(command: Command) -> None:
    Path("empty").mkdir()
    assert command("runs", "empty") == Finished(0, "", "no runs below empty/\n")


def test_runs_of_a_missing_folder_is_refused(command: Command) -> None:
    refused(command("runs", "nowhere"), "nowhere is not a folder.")


def test_runs_takes_one_folder(command: Command) -> None:
    refused(command("runs", "a", "b"), "vae runs takes one folder.", status=2)


def test_runs_shows_the_best_epoch_and_the_test_result(
    command: Command, run: RunFolder
) -> None:
    from vae_cli.runs.metrics_file import append_row

    for epoch, score in ((1, 150.456), (2, 151.0)):
        append_row(run.metrics_csv, {"epoch": epoch, "val_neg_elbo": score})
    write_json(run.metrics_json, {"test": {"neg_elbo": 149.5}})
    assert command("runs").stdout.splitlines()[1].split()[8:11] == [
        *("1", "150.46", "149.50")
    ]


def test_runs_shows_the_best_epoch_by_the_bound_that_chose_it(
    command: Command, run: RunFolder
) -> None:
    from vae_cli.runs.metrics_file import append_row

    run.save_config(composed("train", ["objective=iwae", "epochs=2"]))
    for epoch, elbo, bound in ((1, 150.0, 148.0), (2, 151.0, 147.0)):
        values = {"epoch": epoch, "val_neg_elbo": elbo, "val_neg_iwae": bound}
        append_row(run.metrics_csv, {**values, "neg_iwae": bound})
    assert command("runs").stdout.splitlines()[1].split()[8] == "2"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config.yaml", "latent_dim: 0\n"),
        ("config.yaml", "a: [\n"),
        ("status.json", "{"),
        ("status.json", "{}"),
        ("metrics.json", "{"),
        ("metrics.csv", "epoch\nnot,a,row\n"),
        ("metrics.csv", "epoch\n" + "x," * 14 + "x\n"),
    ],
)
def test_unreadable_run_does_not_hide_the_others(
    file: str, text: str, command: Command, run: RunFolder
) -> None:
    broken = RunFolder(run.path.parent / "broken")
    broken.create()
    broken.save_config(composed("train", []))
    broken.write_status("finished", 1)
    (broken.path / file).write_text(text)
    done = command("runs")
    assert done.status == 0, done.stderr
    lines = done.stdout.splitlines()[1:]
    assert sorted(line.split()[-1] for line in lines) == [
        "outputs/broken",
        "outputs/run",
    ]


@pytest.mark.parametrize("name", ["train", "generate", "plot-latent", "evaluate"])
def test_command_prints_its_own_help(name: str, command: Command) -> None:
    done = command(name, "--help")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith(f"`vae-{name}`: ")


def test_command_is_handed_its_own_name(command: Command) -> None:
    command("train", "--help")
    assert sys.argv == ["vae-train", "--help"]
