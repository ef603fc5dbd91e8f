"""The networks of the evaluation: the judges' (a classifier, an MLP-Mixer, an autoencoder) and a small classifier.

Each takes images uint8 or float (N, 28, 28), ink 255, background 0, and is built for K classes. `features` returns the
features that are compared, float32 (N, F); `loss` is the training loss.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mnistgen import _latents as latents

CHUNK = 500  # images per forward pass


class JudgeNetwork(nn.Module):
    """The interface of all networks here."""

    def features(self, images: Tensor) -> Tensor:
        """Images (N, 28, 28) -> features float32 (N, F)."""
        raise NotImplementedError

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The mean loss for images (N, 28, 28) and labels int64 (N,)."""
        raise NotImplementedError

    def ready(self) -> Self:
        """Prepare the network, in place, for inference."""
        return self.eval().requires_grad_(False)


class ClassifierNetwork(JudgeNetwork):
    """A classifier: a linear layer on the features."""

    head: nn.Linear

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 28, 28) -> logits float32 (N, K)."""
        logits: Tensor = self.head(self.features(images))
        return logits

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy."""
        return F.cross_entropy(self(images), labels)

    @torch.inference_mode()
    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """The accuracy in evaluation mode, from 0 to 1, for images (N, 28, 28) and labels int64 (N,)."""
        self.eval()
        predicted = torch.cat([self(chunk).argmax(dim=1) for chunk in images.split(CHUNK)])
        return float((predicted == labels).double().mean())


def convolutions(layers: Iterable[tuple[int, int, int, int]]) -> list[nn.Module]:
    """Convolutions with batch norm and ReLU: (input channels, output channels, kernel size, stride) of each."""
    modules: list[nn.Module] = []
    for inputs, outputs, kernel, stride in layers:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        modules += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return modules


def as_maps(images: Tensor) -> Tensor:
    """Images (N, 28, 28) -> float32 (N, 1, 28, 28) from 0 to 1, channels last."""
    return images.unsqueeze(1).float().div(255).contiguous(memory_format=torch.channels_last)


class Classifier(ClassifierNetwork):
    """A classifier of 3x3 convolutions with batch norm and 128 features."""

    # 28 -> 28 -> 14 -> 14 -> 7 -> 7 -> 4 pixels wide
    LAYERS = ((1, 32, 3, 1), (32, 32, 3, 2), (32, 64, 3, 1), (64, 64, 3, 2), (64, 128, 3, 1), (128, 128, 3, 2))

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*convolutions(self.LAYERS))
        self.head = nn.Linear(128, classes)

    def features(self, images: Tensor) -> Tensor:
        """Images (N, 28, 28) -> features float32 (N, 128), >= 0."""
        maps: Tensor = self.layers(as_maps(images))  # (N, 1, 28, 28) -> (N, 128, 4, 4)
        return maps.mean(dim=(2, 3))

    def ready(self) -> Self:
        """Prepare for inference. Folds batch norm into the convolutions, which saves a quarter of the time."""
        super().ready()
        layers: list[nn.Module] = []
        for layer in self.layers:
            if isinstance(layer, nn.BatchNorm2d):
                layers[-1] = fuse_conv_bn_eval(layers[-1], layer)  # type: ignore[type-var]  # a convolution is before it
            else:
                layers.append(layer)
        self.layers = nn.Sequential(*layers)
        return self.to(memory_format=torch.channels_last)


class Untrained(Classifier):
    """The classifier's layers with random weights from N(0, 2 / inputs), the same on every machine."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        for index, layer in enumerate(self.layers):
            if isinstance(layer, nn.Conv2d):
                inputs = layer.weight[0].numel()
                draws, _ = latents.draw(seed=index, start=0, count=layer.out_channels, latent_dim=inputs)
                weights = torch.from_numpy(draws).reshape(layer.weight.shape) * (2 / inputs) ** 0.5
                layer.weight.data.copy_(weights)


class Student(ClassifierNetwork):
    """The small classifier of the accuracy score. A change to it would make scores incomparable with earlier ones."""

    LAYERS = ((1, 16, 5, 2), (16, 32, 3, 2), (32, 64, 3, 2))  # 28 -> 14 -> 7 -> 4 pixels wide

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*convolutions(self.LAYERS), nn.Flatten())
        self.head = nn.Linear(64 * 4 * 4, classes)

    def features(self, images: Tensor) -> Tensor:
        """Images (N, 28, 28) -> features float32 (N, 1024)."""
        features: Tensor = self.layers(as_maps(images))
        return features


class Block(nn.Module):
    """A Mixer block: an MLP over patches, shared by all channels, and an MLP over channels, shared by all patches."""

    def __init__(self, patches: int, channels: int, patches_hidden: int, channels_hidden: int) -> None:
        super().__init__()
        self.patch_norm, self.channel_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.spread, self.gather = nn.Linear(patches, patches_hidden), nn.Linear(patches_hidden, patches)
        self.channels = nn.Sequential(
            nn.Linear(channels, channels_hidden), nn.ReLU(inplace=True), nn.Linear(channels_hidden, channels)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, patches, channels) -> the same shape."""
        # Multiply by the weights from the left, as these act on patches; transposing would double the time.
        hidden = F.relu(self.spread.weight @ self.patch_norm(tokens) + self.spread.bias[:, None])
        tokens = tokens + self.gather.weight @ hidden + self.gather.bias[:, None]
        mixed: Tensor = tokens + self.channels(self.channel_norm(tokens))
        return mixed


class Mixer(ClassifierNetwork):
    """An MLP-Mixer over 49 patches of 4x4 pixels with 64 features.

    Source: I. Tolstikhin et al., "MLP-Mixer: An all-MLP Architecture for Vision", 2021 (arXiv:2105.01601).
    """

    FEATURES = 64
    PATCH, PATCHES, BLOCKS = 4, 49, 3
    HIDDEN = (32, 128)  # of the MLPs over patches and over channels

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(self.PATCH**2, self.FEATURES)
        self.blocks = nn.Sequential(*(Block(self.PATCHES, self.FEATURES, *self.HIDDEN) for _ in range(self.BLOCKS)))
        self.norm = nn.LayerNorm(self.FEATURES)
        self.head = nn.Linear(self.FEATURES, classes)

    def features(self, images: Tensor) -> Tensor:
        """Images (N, 28, 28) -> features float32 (N, 64)."""
        pixels = images.float().div(255).reshape(-1, 7, self.PATCH, 7, self.PATCH)
        patches = pixels.transpose(2, 3).reshape(-1, self.PATCHES, self.PATCH**2)
        tokens: Tensor = self.norm(self.blocks(self.embedding(patches)))  # (N, 49, 16) -> (N, 49, 64)
        return tokens.mean(dim=1)


class Autoencoder(JudgeNetwork):
    """A fully connected denoising autoencoder with 64 features, trained without labels.

    Source: P. Vincent et al., "Extracting and Composing Robust Features with Denoising Autoencoders", 2008.
    """

    NOISE = 0.2  # standard deviation of the training noise, for pixels from 0 to 1
    WIDTHS = (784, 256, 128, 64)

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder, self.decoder = self._layers(self.WIDTHS), self._layers(self.WIDTHS[::-1])

    @staticmethod
    def _layers(widths: tuple[int, ...]) -> nn.Sequential:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers[:-1])

    def features(self, images: Tensor) -> Tensor:
        """Images (N, 28, 28) -> features float32 (N, 64)."""
        features: Tensor = self.encoder(images.flatten(1).float().div(255))
        return features

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy of the clean pixels, reconstructed from noisy ones. Labels are not used."""
        clean = images.flatten(1).float().div(255)
        noisy = clean + self.NOISE * torch.randn_like(clean)
        reconstructed = self.decoder(self.features(noisy.clamp(0, 1).mul(255)))  # logits (N, 784)
        return F.binary_cross_entropy_with_logits(reconstructed, clean)
