"""PyTorch eager: pixels in memory, a permutation an epoch, a plain loop."""

import torch
from torch import nn
from torch.nn import functional

from tests.benchmarks.contenders.task import Task, Turns


def networks(task: Task) -> tuple[nn.Module, nn.Module]:
    """Return encoder (image -> 2 z) and decoder (z -> logits)."""
    grid, pixels = -(-task.size // 4), task.size**2
    if task.model == "conv":
        encoder = nn.Sequential(
            nn.Conv2d(1, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * grid * grid, 2 * task.latent_dim),
        )
        up = {"stride": 2, "padding": 1, "output_padding": 1}
        decoder = nn.Sequential(
            nn.Linear(task.latent_dim, 64 * grid * grid),
            nn.ReLU(),
            nn.Unflatten(1, (64, grid, grid)),
            nn.ConvTranspose2d(64, 64, 3, **up),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 3, **up),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 3, padding=1),
        )
        return encoder, decoder
    encoder = nn.Sequential(
        nn.Flatten(),
        nn.Linear(pixels, 500),
        nn.ReLU(),
        nn.Linear(500, 500),
        nn.ReLU(),
        nn.Linear(500, 2 * task.latent_dim),
    )
    decoder = nn.Sequential(
        nn.Linear(task.latent_dim, 500),
        nn.ReLU(),
        nn.Linear(500, 500),
        nn.ReLU(),
        nn.Linear(500, pixels),
        nn.Unflatten(1, (1, task.size, task.size)),
    )
    return encoder, decoder


def main() -> None:
    """Train until ended."""
    task = Task.from_command_line()
    torch.manual_seed(0)
    images = torch.from_numpy(task.images()).permute(0, 3, 1, 2).float() / 255
    encoder, decoder = networks(task)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    turns = Turns(task)
    while True:
        turns.begin()
        for index in torch.randperm(len(images)).split(task.batch_size):
            x = images[index]
            mean, log_var = encoder(x).chunk(2, dim=1)
            z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
            reconstruction = functional.binary_cross_entropy_with_logits(
                decoder(z), x, reduction="sum"
            )
            kl = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum()
            loss = (reconstruction + kl) / len(x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        turns.end()


if __name__ == "__main__":
    main()
