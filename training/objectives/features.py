"""Small networks whose features describe digits: classifiers that learn for a few epochs, and one that never does.

`training.objectives.moments` compares the moments of their features. They are fitted to the digits that generators are trained
on, and share neither layers nor weights with the classifier that models are evaluated by.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from training.augmentation import shift, warp
from training.data import Digits
from training.networks.activations import ACTIVATIONS
from training.networks.generator import CLASSES
from training.networks.initialization import LINEAR_MAPS
from training.run.cache import Arrays, cached
from training.run.device import Compute

BATCH_SIZE = 100
WEIGHT_DECAY = 0.02
VERSION = 1  # of how networks learn; to raise when it changes, as they are cached


class Layer(NamedTuple):
    """One convolution."""

    channels: int
    kernel: int
    stride: int


class Shape(NamedTuple):
    """A network, how it learns, and which of its features are compared."""

    layers: Sequence[Layer]
    normalised: bool  # batch norm after every convolution, and the last one's means as the final features
    peak_learning_rate: float  # 0: never learns; its final features are left out, and those before are compared


class Panel(NamedTuple):
    """Networks that look together, and how digits are moved while they learn."""

    shapes: Sequence[Shape]
    move: partial[Tensor]  # of images (N, 28, 28)


_STRIDED = Shape((Layer(32, 5, 2), Layer(64, 3, 2), Layer(128, 3, 2)), normalised=False, peak_learning_rate=2e-3)
_FULL_SIZE = Shape(
    (Layer(24, 3, 1), Layer(48, 3, 2), Layer(96, 3, 2), Layer(128, 3, 2)), normalised=True, peak_learning_rate=4e-3
)
_RANDOM = Shape((Layer(32, 5, 2), Layer(64, 3, 2), Layer(64, 3, 2)), normalised=False, peak_learning_rate=0.0)

# What the first no longer see, those of the second do: EXPERIMENTS.md, "What the refinement's networks did not see".
PANELS: Mapping[str, Panel] = {
    "three": Panel((_STRIDED, _FULL_SIZE, _RANDOM), partial(shift, pixels=1)),
    "seven": Panel(
        (
            _STRIDED,
            _FULL_SIZE,
            _RANDOM,
            Shape((Layer(32, 5, 2), Layer(64, 5, 2), Layer(128, 3, 2)), normalised=True, peak_learning_rate=4e-3),
            Shape(
                (Layer(32, 3, 2), Layer(64, 3, 1), Layer(96, 3, 2), Layer(128, 3, 2)),
                normalised=True,
                peak_learning_rate=4e-3,
            ),
            Shape((Layer(48, 7, 3), Layer(96, 3, 2), Layer(128, 3, 1)), normalised=True, peak_learning_rate=4e-3),
            Shape(
                (Layer(32, 5, 2), Layer(48, 3, 1), Layer(64, 3, 2), Layer(96, 3, 1), Layer(128, 3, 2)),
                normalised=True,
                peak_learning_rate=4e-3,
            ),
        ),
        partial(warp, strength=0.7),
    ),
}


class FeatureNetwork(nn.Module):
    """Digits to features from every depth, and to one score a class."""

    FINAL = 128

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.layers = nn.ModuleList()
        inputs, width = 1, 28
        for channels, kernel, stride in shape.layers:
            convolution = nn.Conv2d(inputs, channels, kernel, stride, kernel // 2, bias=not shape.normalised)
            norm = nn.BatchNorm2d(channels) if shape.normalised else nn.Identity()
            self.layers.append(nn.Sequential(convolution, norm, ACTIVATIONS["leaky-relu"]()))
            inputs, width = channels, (width + stride - 1) // stride
        self.final = nn.Identity() if shape.normalised else nn.Linear(inputs * width * width, self.FINAL)
        self.head = nn.Linear(inputs if shape.normalised else self.FINAL, CLASSES)
        for layer in self.modules():
            if isinstance(layer, LINEAR_MAPS):
                nn.init.kaiming_normal_(layer.weight, a=0.2)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images float32 (N, 1, 28, 28), ink 1 -> means of the hidden maps (N, H), and final features (N, F)."""
        maps = images.contiguous(memory_format=torch.channels_last)
        means = []
        for layer in self.layers:
            maps = layer(maps)
            means.append(_MeanOfMaps.apply(maps))
        if self.shape.normalised:
            *hidden, final = means
        else:
            hidden, final = means, F.leaky_relu(self.final(maps.flatten(1)), 0.2).float()
        return torch.cat(hidden, dim=1), final

    @property
    def has_learned(self) -> bool:
        """Whether it is one of those that learn."""
        return self.shape.peak_learning_rate > 0

    @property
    def sizes(self) -> list[int]:
        """How many features there are in each group of `compared`."""
        channels = [layer.channels for layer in self.shape.layers]
        hidden = sum(channels[:-1] if self.shape.normalised else channels)
        return [hidden, self.head.in_features] if self.has_learned else [hidden]

    def compared(self, images: Tensor) -> list[Tensor]:
        """The groups of features to compare: the hidden maps' means, and of networks that learn the final features."""
        hidden, final = self.features(images)
        return [hidden, final] if self.has_learned else [hidden]

    def forward(self, images: Tensor) -> Tensor:
        """Images float32 (N, 1, 28, 28) -> logits (N, 10)."""
        logits: Tensor = self.head(self.features(images)[1])
        return logits


class _MeanOfMaps(torch.autograd.Function):
    """Maps (N, C, H, W) -> means float32 (N, C); its gradient is spread out by strides, where torch's fills memory."""

    @staticmethod
    def forward(context: Any, maps: Tensor) -> Tensor:
        context.shape, context.dtype = maps.shape, maps.dtype
        return maps.mean(dim=(2, 3), dtype=torch.float32)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        size = context.shape[2] * context.shape[3]
        spread: Tensor = (gradient / size).to(context.dtype)[:, :, None, None].expand(context.shape)
        return spread


def fit_networks(digits: Digits, panel: str, epochs: int, compute: Compute, seed: int) -> list[FeatureNetwork]:
    """The networks of a row of PANELS after so many epochs, for reading alone; from the user's cache where they are.

    Leaves torch's global random state changed.
    """
    shapes, move = PANELS[panel]
    sources: dict[str, str | int] = {
        "digits": hashlib.sha256(digits.images.cpu().numpy().data).hexdigest(),
        "epochs": epochs,
        "compute": repr(compute),
        "torch": str(torch.__version__),
        "version": VERSION,
    }
    networks = []
    for index, shape in enumerate(shapes):
        torch.manual_seed(seed + index)
        network = compute.place(FeatureNetwork(shape))
        if network.has_learned:
            own: dict[str, str | int] = {
                "shape": repr(shape),
                "move": repr((move.func.__name__, move.keywords)),
                "seed": seed + index,
            }
            learned = cached("feature-network", sources | own, partial(_fit, network, digits, move, epochs, compute))
            network.load_state_dict({name: torch.from_numpy(value) for name, value in learned.items()})
        networks.append(network.eval().requires_grad_(False))
    return networks


def _fit(network: FeatureNetwork, digits: Digits, move: partial[Tensor], epochs: int, compute: Compute) -> Arrays:
    """Let it learn in place, and give its weights."""
    size = min(BATCH_SIZE, len(digits))
    batches = len(digits) // size
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY, fused=True)
    schedule = OneCycleLR(optimizer, network.shape.peak_learning_rate, total_steps=epochs * batches)
    for _ in range(epochs):
        for indices in torch.randperm(len(digits)).to(digits.images.device).split(size)[:batches]:
            images = move(digits.images[indices].float())[:, None] / 255
            with compute.autocast():
                logits = network(images)
            loss: Any = F.cross_entropy(logits.float(), digits.labels[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return {name: value.cpu().numpy() for name, value in network.state_dict().items()}
