"""An ensemble of small feature extractors: classifiers, autoencoders and untrained networks.

`training.comparison` compares the moments of their features. They share neither architecture nor weights with
the judges that evaluate models.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.data import Images
from training.device import Compute
from training.fit import Phase, fit, memory
from training.networks.generator import LINEAR_MAPS

PEAK_LEARNING_RATE = 4e-3
WARP = 0.7  # strength
SLOPE = 0.2  # of the leaky ReLU

Task = Literal["labels", "pixels", "none"]


class Layer(NamedTuple):
    """A convolutional layer."""

    channels: int
    kernel: int
    stride: int = 1


class Shape(NamedTuple):
    """The architecture and the task of a feature network.

    The input is space-to-depth transformed: each block of `block` x `block` pixels becomes one pixel with `block`²
    channels, since a convolution at full resolution would cost as much as all others together. With a block of 28, the
    convolutions are fully connected layers.
    """

    block: int
    layers: Sequence[Layer]
    code: int = 0  # size of the final linear layer, whose outputs are the final features; 0: pooled feature maps
    task: Task = "labels"  # classification, reconstruction from the final features, or untrained


POOL: Mapping[str, Shape] = {
    "means": Shape(1, (Layer(24, 5, 2), Layer(48, 3, 2), Layer(96, 3), Layer(128, 3, 2))),
    "deep-means": Shape(2, (Layer(32, 3), Layer(64, 3, 2), Layer(64, 3), Layer(128, 3, 2))),
    "deeper-means": Shape(2, (Layer(32, 3), Layer(48, 3, 2), Layer(64, 3), Layer(96, 3, 2), Layer(128, 3))),
    "code": Shape(2, (Layer(32, 3), Layer(64, 3, 2), Layer(64, 3, 2)), code=96),
    "wide-code": Shape(1, (Layer(32, 5, 2), Layer(64, 5, 2)), code=96),
    "patches": Shape(4, (Layer(96, 1), Layer(96, 3)), code=96),
    "dense": Shape(28, (Layer(384, 1), Layer(256, 1)), code=96),
    "autoencoder": Shape(2, (Layer(32, 3), Layer(64, 3, 2), Layer(64, 3, 2)), code=64, task="pixels"),
    "patch-autoencoder": Shape(4, (Layer(64, 3), Layer(96, 3)), code=64, task="pixels"),
    "dense-autoencoder": Shape(28, (Layer(384, 1),), code=64, task="pixels"),
    "fine-means": Shape(1, (Layer(16, 5), Layer(32, 3, 2), Layer(64, 3, 2), Layer(96, 3), Layer(128, 3, 2))),
    "fine-wide-means": Shape(1, (Layer(24, 3), Layer(48, 3, 2), Layer(64, 3, 2), Layer(128, 3, 2))),
    "untrained-means": Shape(2, (Layer(48, 3), Layer(64, 3, 2), Layer(64, 3, 2)), task="none"),
    "untrained-deep-means": Shape(
        2, (Layer(48, 3), Layer(64, 3), Layer(64, 3, 2), Layer(96, 3), Layer(96, 3, 2)), task="none"
    ),
    "untrained-fine-means": Shape(
        1, (Layer(16, 5), Layer(32, 3, 2), Layer(48, 3), Layer(64, 3, 2), Layer(96, 3, 2)), task="none"
    ),
    "untrained-code": Shape(4, (Layer(64, 3), Layer(64, 3)), code=64, task="none"),
}


class FeatureNetwork(nn.Module):
    """Maps images to features of all layers, and to the output that its loss is computed from."""

    def __init__(self, shape: Shape, classes: int) -> None:
        super().__init__()
        self.shape = shape
        trained = shape.task != "none"
        channels, width = shape.block**2, 28 // shape.block
        self.blocks = nn.PixelUnshuffle(shape.block)
        self.layers = nn.ModuleList()
        for layer in shape.layers:
            convolution = nn.Conv2d(
                channels, layer.channels, layer.kernel, layer.stride, layer.kernel // 2, bias=not trained
            )
            norm = nn.BatchNorm2d(layer.channels) if trained else nn.Identity()
            self.layers.append(nn.Sequential(convolution, norm, nn.LeakyReLU(SLOPE)))
            channels, width = layer.channels, (width + layer.stride - 1) // layer.stride
        self.code = nn.Linear(channels * width * width, shape.code) if shape.code else None
        self.head = nn.Linear(shape.code or channels, classes if shape.task == "labels" else 28 * 28)
        for module in self.modules():
            if isinstance(module, LINEAR_MAPS):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
                if module.bias is not None:
                    nn.init.normal_(module.bias, std=0.0 if trained else 0.3)

    def groups(self, images: Tensor) -> list[Tensor]:
        """Images float32 (N, 1, 28, 28), ink 1 -> groups of features float32 (N, F).

        The last group are the final features. The group before it, if any, are the pooled hidden feature maps.
        """
        maps = self.blocks(images.contiguous(memory_format=torch.channels_last))
        maps = maps.contiguous(memory_format=torch.channels_last)
        means = []
        for layer in self.layers:
            maps = layer(maps)
            means.append(_MeanOfMaps.apply(maps))
        if self.code is None:
            means, final = means[:-1], means[-1]
        else:
            final = self.code(maps.permute(0, 2, 3, 1).flatten(1)).float()
            final = F.leaky_relu(final, SLOPE) if self.shape.task == "labels" else final
        hidden = [] if self.shape.block == 28 else [torch.cat(means, dim=1)]
        return [*hidden, final]

    def forward(self, images: Tensor) -> Tensor:
        """Images float32 (N, 1, 28, 28) -> logits (N, K), or pixels (N, 784)."""
        output: Tensor = self.head(self.groups(images)[-1])
        return output

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The mean loss for images (N, 28, 28), ink 255, and labels int64 (N,)."""
        pixels = images.float()[:, None] / 255
        output = self(pixels).float()
        return F.cross_entropy(output, labels) if self.shape.task == "labels" else F.mse_loss(output, pixels.flatten(1))

    def frozen(self) -> "FeatureNetwork":
        """Prepare the network, in place, for inference: fold batch norm into the convolutions."""
        self.eval().requires_grad_(False)
        if self.shape.task != "none":
            fused = [nn.Sequential(fuse_conv_bn_eval(layer[0], layer[1]), layer[2]) for layer in self.layers]  # type: ignore[index]
            self.layers = nn.ModuleList(fused)
        return self


class _MeanOfMaps(torch.autograd.Function):
    """Global average pooling: feature maps (N, C, H, W) -> float32 (N, C).

    A matrix product, whose gradient is expanded without a copy. With torch.mean, a step takes a third longer.
    """

    @staticmethod
    def forward(context: Any, maps: Tensor) -> Tensor:
        context.shape, context.dtype = maps.shape, maps.dtype
        count, channels, height, width = maps.shape
        pixels = maps.permute(0, 2, 3, 1).reshape(count, height * width, channels)
        means = torch.bmm(pixels.new_full((count, 1, height * width), 1 / (height * width)), pixels)
        return means[:, 0].float()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        size = context.shape[2] * context.shape[3]
        spread: Tensor = (gradient / size).to(context.dtype)[:, :, None, None].expand(context.shape)
        return spread


def fit_networks(
    images: Images, epochs: int, compute: Compute, seed: int, say: Callable[[str], None] = lambda text: None
) -> list[FeatureNetwork]:
    """Train the networks of POOL on images, or load them from the user's cache; for inference.

    Those that learn labels are left out for unlabelled images. Changes torch's global random state.
    """
    parts = images.images, images.labels
    sha256 = hashlib.sha256(b"".join(part.cpu().numpy().tobytes() for part in parts)).hexdigest()
    networks = []
    for index, (name, shape) in enumerate(POOL.items()):
        if shape.task == "labels" and not images.classes:
            continue
        say(f"feature network {index + 1} of {len(POOL)}: {name}")
        torch.manual_seed(seed + index)
        network = compute.place(FeatureNetwork(shape, len(images.classes)))
        if shape.task != "none":
            key = sha256, len(images.classes), shape, epochs, seed + index, str(compute), torch.__version__
            network.load_state_dict(_train(key, network, epochs, images, compute))
        networks.append(compute.place(network.frozen()))
    return networks


@memory.cache(ignore=["network", "epochs", "images", "compute"])  # type: ignore[untyped-decorator]
def _train(
    key: tuple[Any, ...], network: FeatureNetwork, epochs: int, images: Images, compute: Compute
) -> dict[str, Tensor]:
    """Train a network in place, and return its weights, on the CPU. The key is all that they depend on."""
    phase = Phase(epochs, PEAK_LEARNING_RATE, WARP)
    fit(network, network.loss, images.images, images.labels, phase, autocast=compute.autocast)
    return {name: value.cpu() for name, value in network.state_dict().items()}
