"""Residual networks without normalisation: a class-conditional discriminator, and an encoder.

Sources: K. He et al., "Deep Residual Learning", 2016 (arXiv:1512.03385); H. Zhang, Y. Dauphin, T. Ma, "Fixup
Initialization", 2019 (arXiv:1901.09321) (zero-initialised branches); T. Miyato, M. Koyama, "cGANs with Projection
Discriminator", 2018 (arXiv:1802.05637), equation 3.
"""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from training.networks.activations import ACTIVATIONS
from training.networks.generator import CLASSES
from training.networks.initialization import LINEAR_MAPS

ACTIVATION = "leaky-relu"


class ResidualBlock(nn.Module):
    """A residual block of two 3x3 convolutions. The second is initialised to zero, so that the branch adds nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            ACTIVATIONS[ACTIVATION](),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.activation = ACTIVATIONS[ACTIVATION]()

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, C, H, W) -> the same shape."""
        result: Tensor = self.activation(features + self.branch(features))
        return result


def residual_layers(channels: Sequence[int], hidden: int) -> nn.Sequential:
    """Strided convolutions, each but the first followed by a residual block: (N, 1, 28, 28) -> (N, hidden)."""
    layers: list[nn.Module] = []
    inputs, width = 1, 28
    for index, outputs in enumerate(channels):  # 28 -> 14 -> 7 -> 4 pixels wide
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), ACTIVATIONS[ACTIVATION]()]
        if index > 0:
            layers.append(ResidualBlock(outputs))
        inputs, width = outputs, (width + 1) // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * width * width, hidden), ACTIVATIONS[ACTIVATION]())


class ResidualDiscriminator(nn.Module):
    """Residual layers and a projection of the class."""

    def __init__(self, *, channels: Sequence[int], hidden: int) -> None:
        super().__init__()
        self.layers = residual_layers(channels, hidden)
        self.score = nn.Linear(hidden, 1)
        self.projection = nn.Linear(CLASSES, hidden, bias=False)
        initialise(self)

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Images (N, 1, 28, 28), classes (N, 10) float -> scores (N,) float32, unbounded."""
        features = self.layers(images)  # (N, 1, 28, 28) -> (N, hidden)
        projected = (features * self.projection(classes)).sum(dim=1) / features.shape[1] ** 0.5
        scores: Tensor = self.score(features).flatten().float() + projected.float()
        return scores


class ResidualEncoder(nn.Module):
    """Residual layers and a linear layer to latents and label logits."""

    def __init__(self, *, latent_dim: int, channels: Sequence[int], hidden: int) -> None:
        super().__init__()
        self.layers = residual_layers(channels, hidden)
        self.latents = nn.Linear(hidden, latent_dim)
        self.label_logits = nn.Linear(hidden, CLASSES)
        initialise(self)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 1, 28, 28), 0 to 1, ink 1 -> latents (N, D) and label logits (N, 10), both float32."""
        features = self.layers(images)  # -> (N, hidden)
        return self.latents(features).float(), self.label_logits(features).float()


def initialise(network: nn.Module) -> None:
    """He initialisation (2015, arXiv:1502.01852); the last convolutions of residual branches are zero."""
    for layer in network.modules():
        if isinstance(layer, LINEAR_MAPS):
            nn.init.kaiming_normal_(layer.weight, a=0.2)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for block in network.modules():
        if isinstance(block, ResidualBlock):
            nn.init.zeros_(cast(nn.Conv2d, block.branch[-1]).weight)
