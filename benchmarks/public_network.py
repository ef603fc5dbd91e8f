"""Images per second against a typical PyTorch network: python -m benchmarks.public_network [MODEL] [N].

Compares `Generator(MODEL).sample(N)` to the architecture of the best published class-conditional student network, in
PyTorch's eager mode on all cores: 100 latents and a label embedding of size 10, a linear layer to 6272 (128 channels of
7x7), two transposed convolutions to 28x28, tanh, uint8. Its weights are random; its batch size is the best of several.
"""

import sys

import torch
from torch import Tensor, nn

from benchmarks.timing import medians, show
from mnistgen import Generator
from mnistgen._model import DEFAULT_MODEL
from mnistgen._runtime import usable_cpus

BATCHES = (64, 256, 1000)


class PublicNetwork(nn.Module):
    """The published architecture: 7.3 million multiply-adds per image."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 10)
        self.layers = nn.Sequential(
            nn.Linear(110, 6272),
            nn.BatchNorm1d(6272),
            nn.ReLU(),
            nn.Unflatten(1, (128, 7, 7)),
            nn.ConvTranspose2d(128, 64, 4, 2, 1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 1, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """Latents float32 (N, 100), labels int64 (N,) -> images uint8 (N, 28, 28)."""
        images: Tensor = self.layers(torch.cat([latents, self.embedding(labels)], dim=1))
        return images.squeeze(1).add(1).mul(127.5).round().to(torch.uint8)


def main(model: str = DEFAULT_MODEL, count: str = "40000") -> None:
    """Measure and print the ratio."""
    n = int(count)
    torch.set_num_threads(usable_cpus())
    generator, network = Generator(model), PublicNetwork().eval()

    @torch.inference_mode()
    def public(batch: int) -> None:
        for start in range(0, n, batch):
            rows = min(batch, n - start)
            network(torch.randn(rows, 100), torch.randint(10, (rows,)))

    contestants = {f"PyTorch eager, batches of {batch}": lambda batch=batch: public(batch) for batch in BATCHES}
    seconds = medians(contestants | {"mnistgen": lambda: generator.sample(n, seed=1)}, rounds=5)
    ours = seconds["mnistgen"]
    best = min(value for name, value in seconds.items() if name != "mnistgen")
    show(f"{n:,} digits from {model}, {generator.threads} threads", seconds, best / ours, "at least 35")
    print(f"  {n / ours:,.0f} against {n / best:,.0f} images/s")


if __name__ == "__main__":
    main(*sys.argv[1:])
