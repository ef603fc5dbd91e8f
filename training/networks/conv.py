"""Convolutional networks: DCGAN-style ones without pooling, and class-conditional ones without normalisation.

Sources: A. Radford, L. Metz, S. Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks", 2016 (arXiv:1511.06434), section 3; K. He et al., "Deep Residual Learning", 2016
(arXiv:1512.03385); H. Zhang, Y. Dauphin, T. Ma, "Fixup Initialization", 2019 (arXiv:1901.09321) (zero-initialised
branches); T. Miyato, M. Koyama, "cGANs with Projection Discriminator", 2018 (arXiv:1802.05637), equation 3.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torchvision.ops import Permute

from training.networks.generator import (
    ACTIVATIONS,
    IMAGE_RANGES,
    INITIALIZATIONS,
    LINEAR_MAPS,
    GeneratorNetwork,
    concatenate_inputs,
)

ACTIVATION = "leaky-relu"
WIDTH = 7  # of the first feature maps, in pixels
# One layer: output channels, kernel size, stride, padding.
Layer = tuple[int, int, int, int]


def convolutions(
    channels: int,
    rows: Sequence[Layer],
    *,
    transposed: bool,
    activation: str,
    bias: bool,
    normalised: range,
) -> nn.Sequential:
    """A stack of (transposed) convolutions, with batch norm after those in `normalised`, and no final activation."""
    convolution = nn.ConvTranspose2d if transposed else nn.Conv2d
    layers: list[nn.Module] = []
    for index, (outputs, kernel, stride, padding) in enumerate(rows):
        layers.append(convolution(channels, outputs, kernel, stride, padding, bias=bias))
        if index in normalised:
            layers.append(nn.BatchNorm2d(outputs))
        if index < len(rows) - 1:
            layers.append(ACTIVATIONS[activation]())
        channels = outputs
    return nn.Sequential(*layers)


class ConvGenerator(GeneratorNetwork):
    """Transposed convolutions from latents to images, with batch norm after all but the last."""

    def __init__(
        self,
        *,
        latent_dim: int,
        classes: int,
        layers: Sequence[Layer],
        activation: str,
        final: str,
        bias: bool,
        init: str,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.layers = convolutions(
            latent_dim,
            layers,
            transposed=True,
            activation=activation,
            bias=bias,
            normalised=range(len(layers) - 1),
        )
        INITIALIZATIONS[init](self.layers)
        self.final = ACTIVATIONS[final]()
        self.image_range = IMAGE_RANGES[final]

    def forward(self, latents: Tensor) -> Tensor:
        """Latents (N, D) float -> images (N, 1, 28, 28) float32 in `image_range`."""
        maps = latents[:, :, None, None]  # (N, D) -> (N, D, 1, 1)
        images: Tensor = self.final(self.layers(maps).float())  # -> (N, 1, 28, 28), float32 also under autocast
        return images


class ConvDiscriminator(nn.Module):
    """Strided convolutions from images to scores, with batch norm after all but the first and the last."""

    def __init__(
        self, *, classes: int, layers: Sequence[Layer], activation: str, final: str, bias: bool, init: str
    ) -> None:
        super().__init__()
        self.layers = convolutions(
            1, layers, transposed=False, activation=activation, bias=bias, normalised=range(1, len(layers) - 1)
        )
        INITIALIZATIONS[init](self.layers)
        self.final = ACTIVATIONS[final]()

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) -> scores (N,) float32: probabilities after a sigmoid, else logits."""
        logits = self.layers(images).flatten()  # (N, 1, 1, 1) -> (N,)
        # In bfloat16, the sigmoid would round probabilities above 0.996 to 1, where log(1 - p) has no gradient.
        scores: Tensor = self.final(logits.float())
        return scores


# --- without normalisation --------------------------------------------------------------------------------------------


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


class UpsamplingGenerator(GeneratorNetwork):
    """Linear layers to 7x7 feature maps, then a transposed convolution with stride 2 for each further channel count.

    A 3x3 convolution follows each transposed convolution; the last one has a single output channel, the image.
    """

    def __init__(
        self, *, latent_dim: int, classes: int, hidden: Sequence[int], channels: Sequence[int], final: str
    ) -> None:
        super().__init__()
        self.latent_dim, self.classes = latent_dim, classes
        layers: list[nn.Module] = []
        inputs = latent_dim + classes
        for outputs in (*hidden, channels[0] * WIDTH * WIDTH):
            layers += [nn.Linear(inputs, outputs), ACTIVATIONS[ACTIVATION]()]
            inputs = outputs
        layers += [nn.Unflatten(1, (WIDTH, WIDTH, channels[0])), Permute([0, 3, 1, 2])]  # channels last in memory
        for (before, after), end in zip(pairwise(channels), (*channels[1:-1], 1), strict=True):
            layers += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), ACTIVATIONS[ACTIVATION]()]
            layers += [nn.Conv2d(after, end, 3, padding=1), ACTIVATIONS[ACTIVATION]()]
        self.layers = nn.Sequential(*layers[:-1])
        initialise(self)
        self.final = ACTIVATIONS[final]()
        self.image_range = IMAGE_RANGES[final]

    def forward(self, latents: Tensor, classes: Tensor) -> Tensor:
        """Latents (N, D), classes (N, K) float -> images (N, 1, 28, 28) float32 in `image_range`."""
        logits = self.layers(concatenate_inputs(latents, classes))  # -> (N, 1, 28, 28)
        images: Tensor = self.final(logits.float())  # float32 also under autocast
        return images


class ResidualDiscriminator(nn.Module):
    """Residual layers and a projection of the class."""

    def __init__(self, *, classes: int, channels: Sequence[int], hidden: int) -> None:
        super().__init__()
        self.layers = residual_layers(channels, hidden)
        self.score = nn.Linear(hidden, 1)
        self.projection = nn.Linear(classes, hidden, bias=False)
        initialise(self)

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Images (N, 1, 28, 28), classes (N, K) float -> scores (N,) float32, unbounded."""
        features = self.layers(images)  # (N, 1, 28, 28) -> (N, hidden)
        projected = (features * self.projection(classes)).sum(dim=1) / features.shape[1] ** 0.5
        scores: Tensor = self.score(features).flatten().float() + projected.float()
        return scores


class ResidualEncoder(nn.Module):
    """Residual layers and a linear layer to latents and label logits."""

    def __init__(self, *, latent_dim: int, classes: int, channels: Sequence[int], hidden: int) -> None:
        super().__init__()
        self.layers = residual_layers(channels, hidden)
        self.latents = nn.Linear(hidden, latent_dim)
        self.label_logits = nn.Linear(hidden, classes)
        initialise(self)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 1, 28, 28), 0 to 1, ink 1 -> latents (N, D) and label logits (N, K), both float32."""
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
