"""What TensorBoard finds in a run folder, read by TensorBoard itself."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from tests.conftest import SMALL, Finished, train_here
from vae_cli.entry import load

Command = Callable[..., Finished]

ASKED = """
import sys
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig
from tensorboard.plugins.projector.projector_plugin import _read_tensor_binary_file
from pathlib import Path
folder = Path(sys.argv[1])
config = ProjectorConfig()
text_format.Parse((folder / "projector_config.pbtxt").read_text(), config)
(one,) = config.embeddings
codes = _read_tensor_binary_file(str(folder / one.tensor_path), one.tensor_shape)
print(*codes.shape, one.metadata_path, one.sprite.image_path,
      *one.sprite.single_image_dim)
"""


def test_hparams_hold_config_and_results_of_a_run(trained: Path) -> None:
    events = EventAccumulator(str(trained / "tensorboard"))
    events.Reload()
    found = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    session = plugin_data_pb2.HParamsPluginData.FromString(found).session_start_info
    assert session.hparams["latent_dim"].number_value == 3
    assert session.hparams["architecture.filters"].string_value == "[4, 8]"
    assert session.hparams["free_bits"].number_value == 0
    assert "run_dir" not in session.hparams
    assert "_hparams_/session_end_info" in events.summary_metadata
    metrics = load(trained).folder.read_json(trained / "metrics.json")
    (best,) = events.Tensors("best_neg_elbo")
    assert best.step == 6
    value = np.float32(metrics["best_neg_elbo"])
    assert np.frombuffer(best.tensor_proto.tensor_content, "<f4") == value or (
        np.float32(best.tensor_proto.float_val[0]) == value
    )


def test_projector_shows_the_codes_labels_and_images_of_validation(
    trained: Path,
) -> None:
    board = trained / "tensorboard"
    done = subprocess.run(
        [sys.executable, "-c", ASKED, str(board)], capture_output=True, text=True
    )
    assert done.stdout.split() == ["60", "3", "labels.tsv", "sprite.png", "12", "12"]
    run = load(trained)
    images = run.split("validation")
    codes = np.fromfile(board / "codes.bytes", "<f4").reshape(60, 3)
    np.testing.assert_allclose(codes, run.encode(images.images[:]).mean, atol=1e-4)
    header, *lines = (board / "labels.tsv").read_text().splitlines()
    assert header == "label\timage"
    names = [run.spec.class_name(int(label)) for label in images.labels]
    assert [line.split("\t")[0] for line in lines] == names
    sprite = np.asarray(Image.open(board / "sprite.png"))
    assert sprite.shape == (8 * 12, 8 * 12)
    shown = sprite[12:24, 24:36]  # row 1, column 2 of 8
    np.testing.assert_array_equal(shown, images.images[10][..., 0])


def test_resumed_run_is_one_row_of_hparams_and_two_dimensions_are_filled_up(
    tmp_path: Path, command: Command
) -> None:
    run = train_here(tmp_path / "run", *SMALL, "epochs=1", "latent_dim=2")
    assert command("train", f"resume={run}", "epochs=2").status == 0
    (events,) = (run / "tensorboard").glob("events.*")
    read = EventAccumulator(str(events))
    read.Reload()
    assert [event.step for event in read.Tensors("best_neg_elbo")] == [2]
    codes = np.fromfile(run / "tensorboard" / "codes.bytes", "<f4").reshape(-1, 3)
    assert codes[:, :2].any() and not codes[:, 2].any()
