"""Multilayer perceptrons: one parametric stack serves every MLP preset.

Source: I. Goodfellow et al., "Generative Adversarial Nets", 2014 (arXiv:1406.2661), section 5.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from training.networks.activations import ACTIVATIONS, IMAGE_RANGES
from training.networks.generator import CLASSES, GeneratorNetwork, joined
from training.networks.initialization import INITIALIZATIONS

PIXELS = 28 * 28


def perceptron(
    sizes: Sequence[int], *, activation: str, batch_norm: bool = False, dropout: float = 0.0
) -> nn.Sequential:
    """Linear layers from sizes[0] to sizes[-1]; normalisation, activation and dropout between, nothing at the end."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers.append(nn.Linear(inputs, outputs))
        if batch_norm:
            layers.append(nn.BatchNorm1d(outputs))
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


class MLPGenerator(GeneratorNetwork):
    """Latents to images through fully connected layers."""

    def __init__(
        self,
        *,
        latent_dim: int,
        widths: Sequence[int],
        activation: str,
        final: str,
        init: str,
        batch_norm: bool = False,
        dropout: float = 0.0,
        conditional: bool = False,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.conditional = conditional
        inputs = latent_dim + CLASSES * conditional
        self.layers = perceptron(
            (inputs, *widths, PIXELS), activation=activation, batch_norm=batch_norm, dropout=dropout
        )
        INITIALIZATIONS[init](self.layers)
        self.final = ACTIVATIONS[final]()
        self.image_range = IMAGE_RANGES[final]

    def forward(self, latents: Tensor, classes: Tensor | None = None) -> Tensor:
        """Latents (N, D), classes (N, 10) where conditional -> images (N, 1, 28, 28) float32 in `image_range`."""
        inputs = joined(latents, classes)
        pixels: Tensor = self.final(self.layers(inputs).float())  # -> (N, 784), float32 also under autocast
        return pixels.reshape(-1, 1, 28, 28)


class MLPDiscriminator(nn.Module):
    """Images to scores through fully connected layers."""

    def __init__(self, *, widths: Sequence[int], activation: str, final: str, init: str, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = perceptron((PIXELS, *widths, 1), activation=activation, dropout=dropout)
        INITIALIZATIONS[init](self.layers)
        self.final = ACTIVATIONS[final]()

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) -> scores (N,) float32: probabilities after a sigmoid, else logits."""
        logits = self.layers(images.flatten(1))  # (N, 784) -> (N, 1)
        # A sigmoid in bfloat16 rounds everything past 0.996 to 1, and its logarithm's gradient to nothing.
        scores: Tensor = self.final(logits.float())
        return scores.flatten()
