"""Digits to features: by the classifier, and by a network that has learned nothing.

What a classifier has never had to look at, such as a little noise, its features may hide; those of a random network,
standardised, are a check on it. Source of the idea: M. Naeem et al., 2020 (arXiv:2002.09797), section 4.2.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mnistgen import latents
from training.evaluation.classifier import Classifier, load_classifier, ready

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

CHUNK = 500  # images at once


class Judged(NamedTuple):
    """What the classifier makes of N digits."""

    features: Float32  # (N, 128)
    labels: Int64  # (N,), the likeliest class
    confidence: Float32  # (N,), its probability


@torch.inference_mode()
def judge(images: UInt8) -> Judged:
    """Features, labels and confidence of images uint8 (N, 28, 28)."""
    classifier = load_classifier()
    features = torch.cat([classifier.features(torch.from_numpy(chunk)) for chunk in _chunks(images)])
    confidence, labels = classifier.head(features).softmax(dim=1).max(dim=1)
    return Judged(features.numpy(), labels.numpy(), confidence.numpy())


@torch.inference_mode()
def random_features(images: UInt8) -> Float32:
    """Features (N, 128) of images uint8 (N, 28, 28) by the random network, not yet standardised."""
    network = random_network()
    return torch.cat([network.features(torch.from_numpy(chunk)) for chunk in _chunks(images)]).numpy()


@cache
def random_network() -> Classifier:
    """The classifier's layers with weights from N(0, 2 / inputs), the same on every machine."""
    with torch.random.fork_rng(devices=[]):
        network = Classifier()
    for index, layer in enumerate(network.layers):
        if isinstance(layer, torch.nn.Conv2d):
            inputs = layer.weight[0].numel()
            draws, _ = latents.draw(seed=index, start=0, count=layer.out_channels, latent_dim=inputs)
            weights = torch.from_numpy(draws).reshape(layer.weight.shape) * (2 / inputs) ** 0.5
            layer.weight.data.copy_(weights)
    return ready(network)


def _chunks(images: UInt8) -> list[UInt8]:
    return [images[first : first + CHUNK] for first in range(0, len(images), CHUNK)]
