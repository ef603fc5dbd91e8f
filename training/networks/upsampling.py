"""A class-conditional convolutional generator that upsamples 7x7 feature maps to 28x28 pixels, for use as a teacher.

It has no normalisation layers. Source: A. Radford, L. Metz, S. Chintala, "Unsupervised Representation Learning with
Deep Convolutional Generative Adversarial Networks", 2016 (arXiv:1511.06434), section 3 (learned upsampling).
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torchvision.ops import Permute

from training.networks.activations import ACTIVATIONS, IMAGE_RANGES
from training.networks.generator import CLASSES, GeneratorNetwork, concatenate_inputs
from training.networks.residual import ACTIVATION, initialise

WIDTH = 7  # of the first feature maps, in pixels


class UpsamplingGenerator(GeneratorNetwork):
    """Linear layers to 7x7 feature maps, then a transposed convolution with stride 2 for each further channel count.

    A 3x3 convolution follows each transposed convolution; the last one has a single output channel, the image.
    """

    conditional = True

    def __init__(self, *, latent_dim: int, hidden: Sequence[int], channels: Sequence[int], final: str) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        layers: list[nn.Module] = []
        inputs = latent_dim + CLASSES
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
        """Latents (N, D), classes (N, 10) float -> images (N, 1, 28, 28) float32 in `image_range`."""
        logits = self.layers(concatenate_inputs(latents, classes))  # -> (N, 1, 28, 28)
        images: Tensor = self.final(logits.float())  # float32 also under autocast
        return images
