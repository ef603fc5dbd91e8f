"""The judges: an ensemble of feature extractors for evaluation, none of which is used in training generators.

Each network's features ignore something; those of a classifier, for example, are insensitive to weak noise. For
evaluation with an untrained network, see M. Naeem et al., 2020 (arXiv:2002.09797), section 4.2.

The judges of MNIST are bundled. Those of other data are trained on it, for a shorter time, and cached.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import load, save
from torch import Tensor
from torch.optim.swa_utils import update_bn

from mnistgen._arrays import Float32, Int64, UInt8
from training.data import DataSet
from training.device import choose
from training.evaluation import networks
from training.evaluation.networks import CHUNK, ClassifierNetwork, JudgeNetwork
from training.fit import Phase, fit, memory, warp
from training.sources import MNIST_SHA256

Features = Mapping[str, Float32]  # by judge, (N, F)

WEIGHTS = Path(__file__).parent / "weights"  # of MNIST's judges: NAME.safetensors, and NAME.json, which describes them
SEED, MAX_EPOCHS, STRENGTH = 1, 100, 0.3  # of training; the strength of the augmentation


class Judge(NamedTuple):
    """A network and its training on data other than MNIST. The files in WEIGHTS say how MNIST's were trained."""

    summary: str  # completes "in the features of ..."
    network: Callable[[int], JudgeNetwork]  # built for a number of classes
    steps: int = 0  # 0: it is not trained
    peak_learning_rate: float = 0.0
    supervised: bool = False  # a classifier, for labelled data only
    standardized: bool = False  # divide features, whose scales differ, by their standard deviations over real images


# The steps take about 10 minutes on one slow CPU core.
JUDGES: Mapping[str, Judge] = {
    "classifier": Judge("a convolutional classifier", networks.Classifier, 1200, 3e-3, supervised=True),
    "mixer": Judge("an MLP-Mixer, a classifier of patches", networks.Mixer, 1600, 4e-3, supervised=True),
    "autoencoder": Judge("a denoising autoencoder", networks.Autoencoder, 4000, 2e-3, standardized=True),
    "untrained": Judge("an untrained convolutional network", networks.Untrained, standardized=True),
}


@dataclass(frozen=True)
class Judges:
    """The judges of a data set, on the CPU. Without labels there are only those that learn without them."""

    networks: Mapping[str, JudgeNetwork]
    sha256: Mapping[str, str]  # of the weights of those that are trained
    accuracy: Mapping[str, float | None]  # on the test images; None for those that are no classifiers

    @property
    def main(self) -> str:
        """The judge whose features define precision and recall, and the map: the classifier, if there is one."""
        return "classifier" if "classifier" in self.networks else "untrained"

    @torch.inference_mode()
    def features(self, images: UInt8, judge: str) -> Float32:
        """The features float32 (N, F), F <= 128, of images uint8 (N, 28, 28) by one judge."""
        network = self.networks[judge]
        return torch.cat([network.features(chunk) for chunk in torch.from_numpy(images).split(CHUNK)]).numpy()

    def all_features(self, images: UInt8) -> Features:
        """The features of images uint8 (N, 28, 28) by every judge."""
        return {judge: self.features(images, judge) for judge in self.networks}

    @torch.inference_mode()
    def predict(self, features: Float32) -> tuple[Int64, Float32]:
        """The classifier's predicted labels (N,), and their probabilities (N,), from its features (N, F)."""
        classifier = self.networks["classifier"]
        assert isinstance(classifier, ClassifierNetwork)
        confidence, labels = classifier.head(torch.from_numpy(features)).softmax(dim=1).max(dim=1)
        return labels.numpy(), confidence.numpy()

    def label_accuracy(self, images: UInt8, labels: Int64) -> float:
        """The share of images uint8 (N, 28, 28) for which the classifier predicts the label (N,)."""
        predicted, _ = self.predict(self.features(images, "classifier"))
        return float((predicted == labels).mean())


def judges_for(data: DataSet) -> Judges:
    """The bundled judges for MNIST; for other data, judges trained on `data.seen`, which takes minutes once."""
    if data.sha256 == MNIST_SHA256 and len(data.classes) == 10:
        return bundled()
    names = [name for name, judge in JUDGES.items() if data.classes or not judge.supervised]
    parts = [part.cpu().numpy() for each in (data.seen, data.test) for part in (each.images, each.labels)]
    trained = {name: _trained(name, JUDGES[name], len(data.classes), *parts) for name in names if JUDGES[name].steps}
    weights, accuracy = ({name: pair[index] for name, pair in trained.items()} for index in (0, 1))
    return _judges(names, len(data.classes), weights, accuracy)


def bundled() -> Judges:
    """The judges of MNIST."""
    cards = {path.stem: json.loads(path.read_text()) for path in WEIGHTS.glob("*.json")}
    weights = {name: (WEIGHTS / f"{name}.safetensors").read_bytes() for name in cards}
    accuracy = {name: card["accuracy"] and card["accuracy"]["test"] for name, card in cards.items()}
    return _judges(list(JUDGES), 10, weights, accuracy)


def _judges(
    names: Sequence[str], classes: int, weights: Mapping[str, bytes], accuracy: Mapping[str, float | None]
) -> Judges:
    with torch.random.fork_rng(devices=[]):  # keep the random state of training
        built = {name: JUDGES[name].network(max(classes, 1)) for name in names}
    for name, content in weights.items():
        built[name].load_state_dict(load(content))
    checksums = {name: hashlib.sha256(content).hexdigest() for name, content in weights.items()}
    return Judges({name: network.ready() for name, network in built.items()}, checksums, accuracy)


@memory.cache  # type: ignore[untyped-decorator]
def _trained(
    name: str, judge: Judge, classes: int, images: UInt8, labels: Int64, test_images: UInt8, test_labels: Int64
) -> tuple[bytes, float | None]:
    """The weights of a judge as safetensors, and a classifier's accuracy on the test images."""
    phase = Phase(1, judge.peak_learning_rate, STRENGTH)
    most = judge.steps * phase.batch_size  # images, each used once; fewer are used several times
    phase = phase._replace(epochs=min(max(1, most // len(images)), MAX_EPOCHS))
    network = train_judge(name, classes, (phase,), torch.from_numpy(images[:most]), torch.from_numpy(labels[:most]))
    weights = save({key: value.contiguous() for key, value in network.cpu().state_dict().items()})
    test = torch.from_numpy(test_images), torch.from_numpy(test_labels)
    return weights, network.accuracy(*test) if isinstance(network, ClassifierNetwork) else None


def train_judge(name: str, classes: int, phases: Sequence[Phase], images: Tensor, labels: Tensor) -> JudgeNetwork:
    """Train a judge phase by phase; its weights are the mean of those at the ends of the phases.

    Images are uint8 (N, 28, 28), labels int64 (N,). Keeps torch's global random state. Source: P. Izmailov et al.,
    "Averaging Weights Leads to Wider Optima and Better Generalization", 2018 (arXiv:1803.05407), with one cycle per
    phase.
    """
    compute = choose()
    images, labels = images.to(compute.device), labels.to(compute.device)

    def progress(epochs: Iterable[int]) -> Iterable[int]:
        return track(epochs, f"training judge {name}", console=Console(stderr=True))

    ends = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = compute.place(JUDGES[name].network(max(classes, 1)))
        for index, phase in enumerate(phases):
            torch.manual_seed(SEED + index)  # so that a phase can be repeated from the weights of the previous one
            fit(network, network.loss, images, labels, phase, autocast=compute.autocast, epochs=progress)
            ends.append({key: value.clone() for key, value in network.state_dict().items()})
        if len(ends) > 1:
            floats = [key for key, value in ends[0].items() if value.is_floating_point()]
            means = {key: torch.stack([end[key] for end in ends]).mean(dim=0) for key in floats}
            network.load_state_dict(ends[0] | means)
            some = images[torch.randperm(len(images)).to(images.device)[:10_000]]
            strength = sum(phase.strength for phase in phases) / len(phases)
            update_bn((warp(chunk.float(), strength) for chunk in some.split(CHUNK)), network)
    return network.eval()
