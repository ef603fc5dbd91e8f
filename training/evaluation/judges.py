"""The panel of judges: unlike networks, none of which takes part in training, whose features digits are compared in.

One network's opinion is that network's: what a classifier never had to look at, such as a little noise, its features
may hide. An untrained network as a check on it: M. Naeem et al., 2020 (arXiv:2002.09797), section 4.2.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from mnistgen._arrays import Float32, Int64, UInt8
from training.errors import EvaluationError
from training.evaluation import WEIGHTS as WEIGHTS
from training.evaluation.networks import Autoencoder, Classifier, JudgeNetwork, Mixer, Untrained
from training.fitting import Phase

Features = Mapping[str, Float32]  # by judge, (N, F)

CHUNK = 500  # images at once
MOST_FEATURES = 128  # of a judge


class Judge(NamedTuple):
    """A network and how it learned."""

    summary: str  # after "in the features of "
    network: Callable[[], JudgeNetwork]
    phases: tuple[Phase, ...]  # none: it learns nothing, and has no file of weights
    standardized: bool = False  # its features have scales of their own: divided by the deviation over real digits


JUDGES: Mapping[str, Judge] = {
    "classifier": Judge("a convolutional classifier", Classifier, (Phase(24, 3e-3, 1.0), Phase(8, 1.5e-3, 0.5))),
    "mixer": Judge("an MLP-Mixer, a classifier of patches without convolutions", Mixer, (Phase(13, 4e-3, 0.5),)),
    "autoencoder": Judge(
        "a denoising autoencoder, which learned without labels", Autoencoder, (Phase(14, 2e-3, 0.7),), standardized=True
    ),
    "untrained": Judge("an untrained convolutional network", Untrained, (), standardized=True),
}


class Reading(NamedTuple):
    """What the classifier takes N digits for."""

    labels: Int64  # (N,), the likeliest class
    confidence: Float32  # (N,), its probability


@torch.inference_mode()
def features(images: UInt8, judge: str) -> Float32:
    """Features (N, F), F at most 128, of images uint8 (N, 28, 28) by one judge, not yet standardized."""
    network = load_judge(judge)
    return torch.cat([network.features(chunk) for chunk in torch.from_numpy(images).split(CHUNK)]).numpy()


def panel_features(images: UInt8) -> Features:
    """The features of images uint8 (N, 28, 28) by every judge."""
    return {judge: features(images, judge) for judge in JUDGES}


@torch.inference_mode()
def read(classifier_features: Float32) -> Reading:
    """Labels and confidence from the classifier's features (N, 128)."""
    classifier = load_judge("classifier")
    assert isinstance(classifier, Classifier)
    confidence, labels = classifier.head(torch.from_numpy(classifier_features)).softmax(dim=1).max(dim=1)
    return Reading(labels.numpy(), confidence.numpy())


@cache
def load_judge(name: str) -> JudgeNetwork:
    """A judge with its committed weights, on the CPU, for inference. Raises EvaluationError for a damaged file."""
    with torch.random.fork_rng(devices=[]):  # training goes on with the random state that it had
        network = JUDGES[name].network()
    if JUDGES[name].phases:
        path = weights_path(name)
        try:
            network.load_state_dict(load(path.read_bytes()))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise EvaluationError(f"{path}: not the {name}'s weights ({error}); check them out again") from None
    return network.ready()


def weights_path(name: str) -> Path:
    """The file of a judge's weights."""
    return WEIGHTS / f"{name}.safetensors"


@cache
def checksums() -> dict[str, str]:
    """SHA-256 of the weights of every judge that has learned: what names the panel in reports and caches."""
    return {
        name: hashlib.sha256(weights_path(name).read_bytes()).hexdigest()
        for name, judge in JUDGES.items()
        if judge.phases
    }
