"""A class-conditional generator that doubles 7x7 cells to 14x14 and to 28x28 pixels by transposed convolutions.

It learns well and draws slowly: a teacher. Nothing in it is normalised. Source: A. Radford, L. Metz, S. Chintala,
"Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks", 2016
(arXiv:1511.06434), section 3 (learned upsampling).
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torchvision.ops import Permute

from training.networks.activations import ACTIVATIONS, IMAGE_RANGES
from training.networks.generator import CLASSES, GeneratorNetwork, joined
from training.networks.residual import ACTIVATION, initialise

GRID = 7  # cells across and down


class UpsamplingGenerator(GeneratorNetwork):
    """Latents and classes to images: linear layers to 7x7 cells, twice as many pixels for every further channel count.

    A 3x3 convolution follows every doubling, the last one to grey levels.
    """

    conditional = True

    def __init__(self, *, latent_dim: int, hidden: Sequence[int], channels: Sequence[int], final: str) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        layers: list[nn.Module] = []
        inputs = latent_dim + CLASSES
        for outputs in (*hidden, channels[0] * GRID * GRID):
            layers += [nn.Linear(inputs, outputs), ACTIVATIONS[ACTIVATION]()]
            inputs = outputs
        layers += [nn.Unflatten(1, (GRID, GRID, channels[0])), Permute([0, 3, 1, 2])]  # channels last in memory
        for (before, after), end in zip(pairwise(channels), (*channels[1:-1], 1), strict=True):
            layers += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), ACTIVATIONS[ACTIVATION]()]
            layers += [nn.Conv2d(after, end, 3, padding=1), ACTIVATIONS[ACTIVATION]()]
        self.layers = nn.Sequential(*layers[:-1])
        initialise(self)
        self.final = ACTIVATIONS[final]()
        self.image_range = IMAGE_RANGES[final]

    def forward(self, latents: Tensor, classes: Tensor) -> Tensor:
        """Latents (N, D), classes (N, 10) float -> images (N, 1, 28, 28) float32 in `image_range`."""
        images: Tensor = self.final(self.layers(joined(latents, classes)).float())  # float32 also under autocast
        return images
