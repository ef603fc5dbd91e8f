"""The classifier that digits are judged by: ten classes, and 128 features before them.

Its weights are committed; `train_classifier.py` beside this file makes them again.
"""

import hashlib
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.errors import EvaluationError

WEIGHTS = Path(__file__).parent / "weights" / "classifier.safetensors"
FEATURES = 128

# channels in, channels out, stride: 28 -> 28 -> 14 -> 14 -> 7 -> 7 -> 4 pixels wide
LAYERS = ((1, 32, 1), (32, 32, 2), (32, 64, 1), (64, 64, 2), (64, 128, 1), (128, FEATURES, 2))


class Classifier(nn.Module):
    """Digits to features and to one score a class, through 3x3 convolutions with batch norm."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, stride in LAYERS:
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(FEATURES, 10)

    def features(self, images: Tensor) -> Tensor:
        """Images uint8 or float (N, 28, 28), ink 255, paper 0 -> features float32 (N, 128), 0 and above."""
        pixels = images.unsqueeze(1).float().div(255).contiguous(memory_format=torch.channels_last)
        maps: Tensor = self.layers(pixels)  # (N, 1, 28, 28) -> (N, 128, 4, 4)
        return maps.mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 28, 28), ink 255, paper 0 -> logits float32 (N, 10)."""
        logits: Tensor = self.head(self.features(images))
        return logits


@cache
def load_classifier(path: Path = WEIGHTS) -> Classifier:
    """The committed classifier, on the CPU, for reading alone. Raises EvaluationError for a damaged file."""
    with torch.random.fork_rng(devices=[]):  # whoever trains goes on with the random state that it had
        classifier = Classifier().to(memory_format=torch.channels_last)
    try:
        classifier.load_state_dict(load(path.read_bytes()))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise EvaluationError(f"{path}: not the classifier's weights ({error}); check them out again") from None
    return ready(classifier)


def ready(classifier: Classifier) -> Classifier:
    """Make a classifier fast, and fit for reading alone: its batch norm becomes part of the convolutions."""
    classifier.eval().requires_grad_(False)
    layers: list[nn.Module] = []
    for layer in classifier.layers:
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)  # type: ignore[type-var]  # a convolution is before it
        else:
            layers.append(layer)
    classifier.layers = nn.Sequential(*layers)
    return classifier.to(memory_format=torch.channels_last)


def weights_sha256(path: Path = WEIGHTS) -> str:
    """The checksum of the weights, which names the classifier in reports and caches."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
