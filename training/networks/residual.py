"""Class-conditional residual networks without normalisation: the generator works on 7x7 cells of 4x4 pixels.

The generator is made of matrix products and 3x3 convolutions at 7x7, which every engine runs fast; the pixels of a cell
come out as channels. Sources: W. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
Sub-Pixel Convolutional Neural Network", 2016 (arXiv:1609.05158), section 3 (pixels as channels); K. He et al., "Deep
Residual Learning", 2016 (arXiv:1512.03385); H. Zhang, Y. Dauphin, T. Ma, "Fixup Initialization", 2019
(arXiv:1901.09321) (branches that end in zeros); T. Miyato, M. Koyama, "cGANs with Projection Discriminator", 2018
(arXiv:1802.05637), equation 3.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.ops import Permute

from training.networks.activations import ACTIVATIONS, IMAGE_RANGES
from training.networks.generator import CLASSES, GeneratorNetwork, joined
from training.networks.initialization import LINEAR_MAPS

GRID = 7  # cells across and down
CELL = 4  # pixels across and down in each
ACTIVATION = "leaky-relu"


class ResidualBlock(nn.Module):
    """x + two 3x3 convolutions, the second of which begins as zero, so that the block begins as the identity."""

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


class ResidualGenerator(GeneratorNetwork):
    """Latents and classes to images: linear layers to 7x7 cells, residual blocks, and each cell's 4x4 pixels."""

    conditional = True

    def __init__(self, *, latent_dim: int, hidden: Sequence[int], channels: int, blocks: int, final: str) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        layers: list[nn.Module] = []
        inputs = latent_dim + CLASSES
        for outputs in (*hidden, channels * GRID * GRID):
            layers += [nn.Linear(inputs, outputs), ACTIVATIONS[ACTIVATION]()]
            inputs = outputs
        self.layers = nn.Sequential(
            *layers,
            nn.Unflatten(1, (GRID, GRID, channels)),
            Permute([0, 3, 1, 2]),  # channels last in memory
            *(ResidualBlock(channels) for _ in range(blocks)),
            nn.Conv2d(channels, CELL * CELL, 3, padding=1),
        )
        initialise(self)
        self.final = ACTIVATIONS[final]()
        self.image_range = IMAGE_RANGES[final]

    def forward(self, latents: Tensor, classes: Tensor) -> Tensor:
        """Latents (N, D), classes (N, 10) float -> images (N, 1, 28, 28) float32 in `image_range`."""
        cells = self.final(self.layers(joined(latents, classes)).float())  # (N, 16, 7, 7), float32 also under autocast
        # A pixel shuffle in pieces that engines copy fast: four times (N, 7, 7, 4), side by side (N, 7, 28), stacked.
        rows = [part.flatten(2) for part in cells.permute(0, 2, 3, 1).chunk(CELL, dim=3)]
        return torch.stack(rows, dim=2).reshape(-1, 1, GRID * CELL, GRID * CELL)


class ResidualDiscriminator(nn.Module):
    """Images and classes to scores: strided convolutions, residual blocks from the second on, a projected label."""

    def __init__(self, *, channels: Sequence[int], hidden: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs, width = 1, GRID * CELL
        for index, outputs in enumerate(channels):  # 28 -> 14 -> 7 -> 4 pixels wide
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), ACTIVATIONS[ACTIVATION]()]
            if index > 0:
                layers.append(ResidualBlock(outputs))
            inputs, width = outputs, (width + 1) // 2
        layers += [nn.Flatten(), nn.Linear(inputs * width * width, hidden), ACTIVATIONS[ACTIVATION]()]
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(hidden, 1)
        self.projection = nn.Linear(CLASSES, hidden, bias=False)
        initialise(self)

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Images (N, 1, 28, 28), classes (N, 10) float -> scores (N,) float32, without bounds."""
        features = self.layers(images)  # (N, 1, 28, 28) -> (N, hidden)
        projected = (features * self.projection(classes)).sum(dim=1) / features.shape[1] ** 0.5
        scores: Tensor = self.score(features).flatten().float() + projected.float()
        return scores


def initialise(network: nn.Module) -> None:
    """He initialisation of hidden layers (2015, arXiv:1502.01852); the ends of residual branches begin as zero."""
    for layer in network.modules():
        if isinstance(layer, LINEAR_MAPS):
            nn.init.kaiming_normal_(layer.weight, a=0.2)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for block in network.modules():
        if isinstance(block, ResidualBlock):
            nn.init.zeros_(cast(nn.Conv2d, block.branch[-1]).weight)
