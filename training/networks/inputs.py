"""What a generator is asked for: latents, and from a conditional one classes too."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from training.networks.generator import CLASSES, GeneratorNetwork


@dataclass(frozen=True)
class Inputs:
    """Latents float32 (N, D), and class weights float32 (N, 10) for a conditional generator, else none."""

    latents: Tensor
    classes: tuple[Tensor, ...]  # one or none: what a player takes after its first argument

    def __iter__(self) -> Iterator[Tensor]:
        """The arguments of the generator, in its order."""
        return iter((self.latents, *self.classes))

    def split(self, size: int) -> Iterator["Inputs"]:
        """In parts of at most `size` rows."""
        parts = zip(*(tensor.split(size) for tensor in self), strict=True)
        return (Inputs(latents, tuple(classes)) for latents, *classes in parts)

    def to(self, device: torch.device) -> "Inputs":
        """The same on this device."""
        return Inputs(self.latents.to(device), tuple(part.to(device) for part in self.classes))


def classes_of(generator: GeneratorNetwork, labels: Tensor) -> tuple[Tensor, ...]:
    """Labels int64 (N,), 0 to 9, as what the players take after their first argument: one-hot rows, or nothing."""
    return (one_hot(labels, CLASSES).float(),) if generator.conditional else ()


def fixed_inputs(generator: GeneratorNetwork, seed: int, labels: Tensor) -> Inputs:
    """Inputs for the labels (N,) that depend on the seed alone, drawn apart from torch's global random state."""
    source = torch.Generator().manual_seed(seed)
    latents = torch.randn(len(labels), generator.latent_dim, generator=source)
    return Inputs(latents, classes_of(generator, labels.cpu()))


def every_digit(count: int) -> Tensor:
    """Labels int64 (count,): 0 to 9 in turn."""
    return torch.arange(count) % CLASSES
