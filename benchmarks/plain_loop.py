"""The training loop against a simple one: python -m benchmarks.plain_loop [PRESET] [--data FOLDER].

The simple loop follows PyTorch's DCGAN example: float32, a DataLoader that converts PIL images to tensors in two
processes, separate backward passes for real and generated digits, and losses read at every step. Both train the same
networks on all available CPUs.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import MNIST

from benchmarks.training_rate import STEPS, WARM_UP, rate
from mnistgen._runtime import usable_cpus
from training.config import Preset
from training.networks import build_discriminator, build_generator
from training.presets import PRESETS

ROUNDS = 3
BAR = 3.0


def plain_rate(preset: Preset, data: Path) -> float:
    """The median images/s of the simple loop."""
    torch.set_num_threads(usable_cpus())
    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    dataset = MNIST(data, train=True, transform=steps)
    batch_size = preset.adversarial.batch_size
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True, num_workers=2)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = build_generator(preset.network, preset.latent_dim, classes=10).to(device)
    discriminator = build_discriminator(preset.adversarial.discriminator, classes=10).to(device)
    optimizers = [torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (generator, discriminator)]
    ends = [time.perf_counter()]
    batches: Iterator[tuple[Tensor, Tensor]] = iter(loader)
    for real, _ in itertools.islice(batches, STEPS):
        plain_step(generator, discriminator, optimizers, real.to(device), preset.latent_dim)
        ends.append(time.perf_counter())
    seconds = [end - start for start, end in itertools.pairwise(ends)]
    return batch_size / statistics.median(seconds[WARM_UP:])


def plain_step(
    generator: nn.Module, discriminator: nn.Module, optimizers: list[torch.optim.Adam], real: Tensor, latent_dim: int
) -> None:
    """One step of the discriminator and the generator."""
    criterion = nn.BCELoss()
    ones, zeros = torch.ones(len(real), device=real.device), torch.zeros(len(real), device=real.device)
    discriminator.zero_grad()
    real_loss = criterion(discriminator(real), ones)
    real_loss.backward()
    fake = generator(torch.randn(len(real), latent_dim, device=real.device))
    fake_loss = criterion(discriminator(fake.detach()), zeros)
    fake_loss.backward()
    optimizers[1].step()
    generator.zero_grad()
    generator_loss = criterion(discriminator(fake), ones)
    generator_loss.backward()
    optimizers[0].step()
    real_loss.item(), fake_loss.item(), generator_loss.item()


def main(
    name: Annotated[str, typer.Argument(metavar="PRESET")] = "dcgan",
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw.")] = Path("data"),
) -> None:
    """Measure alternately, and print both rates and their ratio."""
    preset = PRESETS[name]
    ours, plain = [], []
    for _ in range(ROUNDS):
        plain.append(plain_rate(preset, data))
        with tempfile.TemporaryDirectory() as folder:
            ours.append(rate(preset, data, Path(folder) / "run"))
    fast, slow = statistics.median(ours), statistics.median(plain)
    print(f"{name}: this loop {fast:,.1f} images/s, the simple loop {slow:,.1f}")
    print(f"  ratio {fast / slow:.2f} (must be >= {BAR})")


if __name__ == "__main__":
    typer.run(main)
