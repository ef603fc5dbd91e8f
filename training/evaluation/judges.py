"""The judges: an ensemble of feature extractors for evaluation, none of which is used in training generators.

Each network's features ignore something; those of a classifier, for example, are insensitive to weak noise. For
evaluation with an untrained network, see M. Naeem et al., 2020 (arXiv:2002.09797), section 4.2.
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

CHUNK = 500  # images per forward pass
MAX_FEATURES = 128  # the largest number of features of a judge


class Judge(NamedTuple):
    """A network and its training."""

    summary: str  # completes "in the features of ..."
    network: Callable[[], JudgeNetwork]
    phases: tuple[Phase, ...]  # empty: it is not trained, and there is no weights file
    standardized: bool = False  # divide features, whose scales differ, by their standard deviations over real digits


JUDGES: Mapping[str, Judge] = {
    "classifier": Judge("a convolutional classifier", Classifier, (Phase(24, 3e-3, 1.0), Phase(8, 1.5e-3, 0.5))),
    "mixer": Judge("an MLP-Mixer, a classifier of patches without convolutions", Mixer, (Phase(13, 4e-3, 0.5),)),
    "autoencoder": Judge(
        "a denoising autoencoder, which learned without labels", Autoencoder, (Phase(14, 2e-3, 0.7),), standardized=True
    ),
    "untrained": Judge("an untrained convolutional network", Untrained, (), standardized=True),
}


class Predictions(NamedTuple):
    """The classifier's predictions for N digits."""

    labels: Int64  # (N,), the most probable class
    confidence: Float32  # (N,), its probability


@torch.inference_mode()
def features(images: UInt8, judge: str) -> Float32:
    """The features float32 (N, F), F <= 128, of images uint8 (N, 28, 28) by one judge, not standardized."""
    network = load_judge(judge)
    return torch.cat([network.features(chunk) for chunk in torch.from_numpy(images).split(CHUNK)]).numpy()


def panel_features(images: UInt8) -> Features:
    """The features of images uint8 (N, 28, 28) by every judge."""
    return {judge: features(images, judge) for judge in JUDGES}


@torch.inference_mode()
def classify(classifier_features: Float32) -> Predictions:
    """The classifier's predictions from its features (N, 128)."""
    classifier = load_judge("classifier")
    assert isinstance(classifier, Classifier)
    confidence, labels = classifier.head(torch.from_numpy(classifier_features)).softmax(dim=1).max(dim=1)
    return Predictions(labels.numpy(), confidence.numpy())


@cache
def load_judge(name: str) -> JudgeNetwork:
    """Load a judge with its committed weights, on the CPU, for inference. Raises EvaluationError for a damaged file."""
    with torch.random.fork_rng(devices=[]):  # keep the random state of training
        network = JUDGES[name].network()
    if JUDGES[name].phases:
        path = weights_path(name)
        try:
            network.load_state_dict(load(path.read_bytes()))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise EvaluationError(f"{path}: not the weights of judge {name} ({error}); restore the file") from None
    return network.ready()


def weights_path(name: str) -> Path:
    """The weights file of a judge."""
    return WEIGHTS / f"{name}.safetensors"


@cache
def checksums() -> dict[str, str]:
    """The SHA-256 of the weights of each trained judge, for reports and cache keys."""
    return {
        name: hashlib.sha256(weights_path(name).read_bytes()).hexdigest()
        for name, judge in JUDGES.items()
        if judge.phases
    }
