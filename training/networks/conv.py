"""DCGAN-style convolutional networks without pooling.

Source: A. Radford, L. Metz, S. Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks", 2016 (arXiv:1511.06434), section 3.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from training.networks.activations import ACTIVATIONS, IMAGE_RANGES
from training.networks.generator import GeneratorNetwork
from training.networks.initialization import INITIALIZATIONS

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

    def __init__(self, *, layers: Sequence[Layer], activation: str, final: str, bias: bool, init: str) -> None:
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
