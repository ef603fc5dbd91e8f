"""Generators: what they are made of, their interface, inputs and images, and copies of them in training.

Sources of the EMA: T. Karras et al., "Progressive Growing of GANs", 2018 (arXiv:1710.10196), section 5; T. Karras et
al., "Training Generative Adversarial Networks with Limited Data", 2020 (arXiv:2006.06676), appendix C (half-life in
images, and its ramp). P. Izmailov et al., "Averaging Weights", 2018 (arXiv:1803.05407), section 3.2 (batch norm).
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.optim.swa_utils import get_ema_multi_avg_fn, update_bn

from mnistgen._arrays import UInt8
from mnistgen._loaded import to_uint8
from training.config import EMA

CLASS_SCALE = 2.0  # of class weights, so that one label has an effect next to dozens of normal latents
CHUNK = 500  # images per forward pass
LINEAR_MAPS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": partial(nn.LeakyReLU, 0.2),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "none": nn.Identity,
}

# The pixel values (background, ink) of a generator, by its final activation.
IMAGE_RANGES: dict[str, tuple[float, float]] = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}


class GeneratorNetwork(nn.Module):
    """Maps latents (N, D) to images (N, 1, 28, 28) in `image_range`: a stack of layers and a final activation.

    A conditional generator also takes class weights (N, K), whose rows sum to 1.
    """

    layers: nn.Sequential
    final: nn.Module
    image_range: tuple[float, float]  # pixel values of background and ink
    latent_dim: int
    classes: int = 0  # K; 0 for an unconditional generator

    @property
    def conditional(self) -> bool:
        """Whether it takes class weights in addition to latents."""
        return self.classes > 0


def concatenate_inputs(latents: Tensor, classes: Tensor | None) -> Tensor:
    """Concatenate latents (N, D) and scaled class weights (N, K) to (N, D + K). Without classes: the latents."""
    return latents if classes is None else torch.cat([latents, CLASS_SCALE * classes], dim=1)


# --- inputs and images ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inputs:
    """Latents float32 (N, D) and, for a conditional generator, class weights float32 (N, K)."""

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
    """Convert labels int64 (N,), 0 to K - 1, to the class arguments of a generator: one-hot float32 (N, K), or none."""
    return (one_hot(labels, generator.classes).float(),) if generator.conditional else ()


def fixed_inputs(generator: GeneratorNetwork, seed: int, labels: Tensor) -> Inputs:
    """Inputs for labels (N,), on the CPU, with latents from the seed, not from torch's global random state."""
    source = torch.Generator().manual_seed(seed)
    latents = torch.randn(len(labels), generator.latent_dim, generator=source)
    return Inputs(latents, classes_of(generator, labels.cpu()))


def cyclic_labels(count: int, classes: int) -> Tensor:
    """Labels int64 (count,): 0 to classes - 1, cyclically; all 0 without classes."""
    return torch.arange(count) % max(classes, 1)


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


# --- copies -----------------------------------------------------------------------------------------------------------


def frozen_copy(generator: GeneratorNetwork) -> GeneratorNetwork:
    """Copy the generator, in evaluation mode and without gradients, e.g. as the EMA copy."""
    return copy.deepcopy(generator).eval().requires_grad_(False)


@torch.no_grad()
def update_ema(
    ema: GeneratorNetwork, generator: GeneratorNetwork, config: EMA, images_before: int, images: int
) -> None:
    """Update the EMA in place after a step on `images` images, which followed `images_before` earlier ones."""
    half_life = min(config.half_life, config.ramp * images_before)
    decay = 0.5 ** (images / half_life) if half_life > 0 else 0.0
    get_ema_multi_avg_fn(decay)(list(ema.parameters()), list(generator.parameters()), 0)
    for averaged, current in zip(ema.buffers(), generator.buffers(), strict=True):
        averaged.copy_(current)


@torch.no_grad()
def as_saved(generator: GeneratorNetwork, batch_norm_samples: int = 0, seed: int = 0) -> GeneratorNetwork:
    """A frozen copy with the exact weights that its file will contain.

    Recomputes the running statistics of batch norm from so many latents, drawn with the seed; 0 keeps them. Does not
    change torch's global random state.
    """
    network = frozen_copy(generator)
    if batch_norm_samples:
        device = next(network.parameters()).device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            update_bn(_latents(network.latent_dim, batch_norm_samples, seed, device), network)
        network.eval()
    for parameter in network.parameters():
        parameter.copy_(stored(parameter))
    return network


def _latents(latent_dim: int, samples: int, seed: int, device: torch.device) -> Iterator[Tensor]:
    torch.manual_seed(seed)
    for _ in range(max(1, samples // CHUNK)):
        yield torch.randn(CHUNK, latent_dim).to(device)


def stored(value: Tensor) -> Tensor:
    """Convert a tensor to its dtype in files: float16, except for vectors, e.g. those of batch norm."""
    return value.half() if value.is_floating_point() and value.ndim > 1 else value


# --- initialisation ---------------------------------------------------------------------------------------------------
# With PyTorch's default, the variance of the signal shrinks from layer to layer of an MLP. A generator then starts with
# nearly the same image for all latents, and rarely recovers without smoothed targets. He initialisation preserves the
# variance. A discriminator with small initial weights gives the generator time to learn.


def default(layers: nn.Sequential) -> None:
    """PyTorch's default: uniform within 1 / sqrt(inputs)."""


def he(layers: nn.Sequential) -> None:
    """Hidden layers normal with variance about 2 / inputs, biases 0; the last layer keeps PyTorch's default.

    Source: K. He et al., "Delving Deep into Rectifiers", 2015 (arXiv:1502.01852), section 2.2.
    """
    hidden = [layer for layer in layers if isinstance(layer, LINEAR_MAPS)][:-1]
    for layer in hidden:
        nn.init.kaiming_normal_(layer.weight, a=0.2)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def dcgan(layers: nn.Sequential) -> None:
    """Weights normal(0, 0.02), batch-norm scales normal(1, 0.02), biases 0.

    Source: A. Radford et al., 2016 (arXiv:1511.06434), section 4.
    """
    for layer in layers:
        if isinstance(layer, LINEAR_MAPS):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)


INITIALIZATIONS: dict[str, Callable[[nn.Sequential], None]] = {"default": default, "he": he, "dcgan": dcgan}
