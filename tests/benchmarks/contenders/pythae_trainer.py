"""pythae's trainer on the dense task, its tensors in memory."""

import logging
import tempfile

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import nn

from tests.benchmarks.contenders.task import Task, Turns
from tests.benchmarks.contenders.torch_eager import networks


class Encoder(BaseEncoder):
    """The task's encoder under pythae's names."""

    def __init__(self, network: nn.Module) -> None:
        BaseEncoder.__init__(self)
        self.network = network

    def forward(self, x: torch.Tensor) -> ModelOutput:
        """Encode."""
        mean, log_var = self.network(x).chunk(2, dim=1)
        return ModelOutput(embedding=mean, log_covariance=log_var)


class Decoder(BaseDecoder):
    """The task's decoder; pythae's cross-entropy takes pixels in [0, 1]."""

    def __init__(self, network: nn.Module) -> None:
        BaseDecoder.__init__(self)
        self.network = network

    def forward(self, z: torch.Tensor) -> ModelOutput:
        """Decode."""
        return ModelOutput(reconstruction=torch.sigmoid(self.network(z)))


class Clock(TrainingCallback):
    """Times epochs."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def on_epoch_begin(self, training_config: object, **kwargs: object) -> None:
        """Start."""
        self._turns.begin()

    def on_epoch_end(self, training_config: object, **kwargs: object) -> None:
        """Stop."""
        self._turns.end()


def main() -> None:
    """Train until ended."""
    task = Task.from_command_line()
    logging.disable(logging.INFO)
    images = torch.from_numpy(task.images()).permute(0, 3, 1, 2).float() / 255
    encoder, decoder = networks(task)
    shape = (1, task.size, task.size)
    config = VAEConfig(
        input_dim=shape, latent_dim=task.latent_dim, reconstruction_loss="bce"
    )
    turns = Turns(task)
    with tempfile.TemporaryDirectory() as folder:
        BaseTrainer(
            model=VAE(config, Encoder(encoder), Decoder(decoder)),
            train_dataset=BaseDataset(images, torch.ones(len(images))),
            training_config=BaseTrainerConfig(
                output_dir=folder,
                learning_rate=1e-3,
                per_device_train_batch_size=task.batch_size,
                num_epochs=10**6,
                optimizer_cls="Adam",
                no_cuda=True,
            ),
            callbacks=[Clock(turns)],
        ).train()


if __name__ == "__main__":
    main()
