"""Multilayer perceptrons.

Source: I. Goodfellow et al., "Generative Adversarial Nets", 2014 (arXiv:1406.2661), section 5.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from training.networks.generator import ACTIVATIONS, IMAGE_RANGES, INITIALIZATIONS, GeneratorNetwork, concatenate_inputs

PIXELS = 28 * 28


def perceptron(
    sizes: Sequence[int], *, activation: str, batch_norm: bool = False, dropout: float = 0.0
) -> nn.Sequential:
    """Linear layers from sizes[0] to sizes[-1], with normalisation, activation and dropout after all but the last."""
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
    """Fully connected layers from latents to images."""

    def __init__(
        self,
        *,
        latent_dim: int,
        classes: int,
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
        self.classes = classes if conditional else 0
        self.layers = perceptron(
            (latent_dim + self.classes, *widths, PIXELS), activation=activation, batch_norm=batch_norm, dropout=dropout
        )
        INITIALIZATIONS[init](self.layers)
        self.final = ACTIVATIONS[final]()
        self.image_range = IMAGE_RANGES[final]

    def forward(self, latents: Tensor, classes: Tensor | None = None) -> Tensor:
        """Latents (N, D) and, if conditional, classes (N, K) -> images (N, 1, 28, 28) float32 in `image_range`."""
        inputs = concatenate_inputs(latents, classes)
        pixels: Tensor = self.final(self.layers(inputs).float())  # -> (N, 784), float32 also under autocast
        return pixels.reshape(-1, 1, 28, 28)


class MLPDiscriminator(nn.Module):
    """Fully connected layers from images to scores."""

    def __init__(
        self, *, classes: int, widths: Sequence[int], activation: str, final: str, init: str, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.layers = perceptron((PIXELS, *widths, 1), activation=activation, dropout=dropout)
        INITIALIZATIONS[init](self.layers)
        self.final = ACTIVATIONS[final]()

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) -> scores (N,) float32: probabilities after a sigmoid, else logits."""
        logits = self.layers(images.flatten(1))  # (N, 784) -> (N, 1)
        # In bfloat16, the sigmoid would round probabilities above 0.996 to 1, where log(1 - p) has no gradient.
        scores: Tensor = self.final(logits.float())
        return scores.flatten()
