import pytest

from vae_cli.training.distribution import Distribution


@pytest.mark.parametrize(
    "workers, command",
    [
        (1, "vae-train resume=runs/a"),
        (3, "vae launch --workers 3 train resume=runs/a"),
    ],
)
def test_a_run_goes_on_with_as_many_workers_as_it_had(workers, command):
    distribution = Distribution()
    distribution.workers = workers
    assert distribution.resume_command("runs/a") == command
