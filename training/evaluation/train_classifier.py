"""Train the classifier that digits are judged by: python training/evaluation/train_classifier.py.

It learns from 50,000 training digits, turned, scaled, slanted and moved a little. The other 10,000 it never sees, so
that they can stand for fresh real digits in every report; the test set is looked at once, at the end.
"""

if __name__ == "__main__":  # before all that takes long to import, so that Ctrl-C is one line there too
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[2])  # the repository, whatever folder this is called from
    from training.run.script import run

    run("training.evaluation.train_classifier")

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import update_bn
from tqdm import trange

from mnistgen.files import whole_file
from training.augmentation import warp
from training.data import Digits, load_mnist
from training.evaluation.classifier import WEIGHTS, Classifier, weights_sha256
from training.run.device import choose, make_deterministic

BATCH_SIZE = 125
WEIGHT_DECAY = 0.02


class Phase(NamedTuple):
    """A stretch of training, over which the learning rate rises and falls once."""

    epochs: int
    peak_learning_rate: float
    strength: float  # of the moves, as a share of their bounds


PHASES = (Phase(24, 3e-3, 1.0), Phase(8, 1.5e-3, 0.5))  # the second with digits nearer to real ones


def main(
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw; downloaded there if absent.")] = Path("data"),
    out: Annotated[Path, typer.Option(help="Weights to write; the card goes beside them.")] = WEIGHTS,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train the classifier that digits are judged by, and write its weights and card."""
    compute = choose(device, "conv", "float32")
    make_deterministic(compute)
    mnist = load_mnist(data, compute.device)
    torch.manual_seed(seed)
    classifier = compute.place(Classifier())
    ends = []
    for index, phase in enumerate(PHASES):
        if index:
            torch.manual_seed(seed + index)  # a phase can be repeated from the weights of the one before
        fit(classifier, mnist.seen, phase)
        ends.append({name: value.clone() for name, value in classifier.state_dict().items()})
    average(classifier, ends, mnist.seen)
    tensors = {name: value.cpu().contiguous() for name, value in classifier.state_dict().items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(out) as file:
        file.write(save(tensors))
    card = {
        "name": "classifier",
        "summary": "3x3 convolutions with batch norm; 128 features, ten classes",
        "parameters": sum(parameter.numel() for parameter in classifier.parameters()),
        "data": {"name": "50,000 MNIST training images", "sha256": mnist.train.sha256},
        "phases": [phase._asdict() for phase in PHASES],
        "seed": seed,
        "sha256": weights_sha256(out),
        "accuracy": {
            "test": accuracy(classifier, mnist.test),
            "unseen training digits": accuracy(classifier, mnist.unseen),
            "seen training digits": accuracy(classifier, mnist.seen),
        },
        "versions": {"torch": str(torch.__version__)},
    }
    with whole_file(out.with_suffix(".json")) as file:
        file.write(json.dumps(card, indent=2).encode() + b"\n")
    print(json.dumps(card["accuracy"], indent=2))


def fit(classifier: Classifier, digits: Digits, phase: Phase) -> None:
    """Train in place with AdamW, the learning rate rising and falling once (L. Smith, 2017, arXiv:1708.07120)."""
    batches = len(digits) // BATCH_SIZE
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = OneCycleLR(optimizer, phase.peak_learning_rate, epochs=phase.epochs, steps_per_epoch=batches)
    for _ in trange(phase.epochs, unit="epoch"):
        classifier.train()
        for indices in torch.randperm(len(digits)).to(digits.images.device).split(BATCH_SIZE)[:batches]:
            images = warp(digits.images[indices].float(), phase.strength)
            loss: Any = F.cross_entropy(classifier(images), digits.labels[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def average(classifier: Classifier, ends: Sequence[Mapping[str, Tensor]], digits: Digits) -> None:
    """Give the classifier the mean of the weights at the ends of the phases, and measure its batch norm anew.

    Source: P. Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018
    (arXiv:1803.05407), with one cycle a phase.
    """
    means = {
        name: torch.stack([end[name] for end in ends]).mean(dim=0) if value.is_floating_point() else value
        for name, value in ends[0].items()
    }
    classifier.load_state_dict(means)
    torch.manual_seed(0)
    some = digits.images[torch.randperm(len(digits)).to(digits.images.device)[:10_000]]
    strength = sum(phase.strength for phase in PHASES) / len(PHASES)
    update_bn((warp(images.float(), strength) for images in some.split(500)), classifier)


@torch.no_grad()
def accuracy(classifier: nn.Module, digits: Digits) -> float:
    """The share of digits read rightly, with the classifier in evaluation mode."""
    classifier.eval()
    right = [
        (classifier(images).argmax(dim=1) == labels).sum()
        for images, labels in zip(digits.images.split(1000), digits.labels.split(1000), strict=True)
    ]
    return torch.stack(right).sum().item() / len(digits)
