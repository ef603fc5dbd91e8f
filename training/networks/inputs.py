"""The inputs of generators, latents and classes, and their images."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from mnistgen._arrays import UInt8
from mnistgen._loaded import to_uint8
from training.networks.generator import CLASSES, GeneratorNetwork

CHUNK = 500  # images per forward pass


@dataclass(frozen=True)
class Inputs:
    """Latents float32 (N, D) and, for a conditional generator, class weights float32 (N, 10)."""

    latents: Tensor
    classes: tuple[Tensor, ...]  # empty for an unconditional generator

    def __iter__(self) -> Iterator[Tensor]:
        """Iterate over the arguments of the generator, in order."""
        return iter((self.latents, *self.classes))

    def split(self, size: int) -> Iterator["Inputs"]:
        """Split into parts of at most `size` rows."""
        parts = zip(*(tensor.split(size) for tensor in self), strict=True)
        return (Inputs(latents, tuple(classes)) for latents, *classes in parts)

    def to(self, device: torch.device) -> "Inputs":
        """Copy to a device."""
        return Inputs(self.latents.to(device), tuple(part.to(device) for part in self.classes))


def classes_of(generator: GeneratorNetwork, labels: Tensor) -> tuple[Tensor, ...]:
    """Convert labels int64 (N,), 0 to 9, to the class arguments of a network: one-hot rows float32 (N, 10), or none."""
    return (one_hot(labels, CLASSES).float(),) if generator.conditional else ()


def fixed_inputs(generator: GeneratorNetwork, seed: int, labels: Tensor) -> Inputs:
    """Inputs for labels (N,), on the CPU, with latents from the seed, not from torch's global random state."""
    source = torch.Generator().manual_seed(seed)
    latents = torch.randn(len(labels), generator.latent_dim, generator=source)
    return Inputs(latents, classes_of(generator, labels.cpu()))


def cyclic_labels(count: int) -> Tensor:
    """Labels int64 (count,): 0 to 9, cyclically."""
    return torch.arange(count) % CLASSES


def draw(generator: GeneratorNetwork, seed: int, labels: Tensor) -> UInt8:
    """Generate images uint8 (N, 28, 28) for labels (N,), from latents that depend only on the seed."""
    inputs = fixed_inputs(generator, seed, labels).to(next(generator.parameters()).device)
    return np.concatenate([to_images(generator, part) for part in inputs.split(CHUNK)])


@torch.no_grad()
def to_images(generator: GeneratorNetwork, inputs: Inputs) -> UInt8:
    """Run a generator in evaluation mode; images uint8 (N, 28, 28), ink 255."""
    images = generator(*inputs)
    low, high = generator.image_range
    pixels = ((images - low) / (high - low)).squeeze(1)  # (N, 1, 28, 28) -> (N, 28, 28) in [0, 1]
    return to_uint8(pixels.cpu().contiguous().numpy())
