"""Training of the judges, and their cards."""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from safetensors.torch import save
from torch import Tensor
from torch.optim.swa_utils import update_bn

from mnistgen._files import whole_file
from training.augmentation import warp
from training.data import Digits, Mnist, load_mnist
from training.errors import EvaluationError
from training.evaluation.judges import JUDGES, Judge
from training.evaluation.networks import ClassifierNetwork, JudgeNetwork
from training.fitting import fit
from training.run.device import Compute, choose, make_deterministic

TRAINABLE = [name for name, judge in JUDGES.items() if judge.phases]


def train_judges(judges: list[str] | None, data: Path, out: Path, seed: int, device: str) -> None:
    """Train judges by name, by default all trainable ones, and write their weights and cards into a folder.

    Raises EvaluationError for other names.
    """
    names = judges or TRAINABLE
    if unknown := [name for name in names if name not in TRAINABLE]:
        raise EvaluationError(f"judges: expected {', '.join(TRAINABLE)}, got {', '.join(unknown)}")
    compute = choose(device)
    make_deterministic(compute)
    mnist = load_mnist(data, compute.device)
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        network = train_judge(JUDGES[name], mnist.seen, seed, compute, name)
        weights = save({key: stored(value) for key, value in network.state_dict().items()})
        described = card(name, network, mnist, seed) | {"sha256": hashlib.sha256(weights).hexdigest()}
        for suffix, content in (("safetensors", weights), ("json", json.dumps(described, indent=2).encode() + b"\n")):
            with whole_file(out / f"{name}.{suffix}") as file:
                file.write(content)
        print(f"{out / name}.safetensors: loss {described['loss']['test']:.4f} on the test set")


def train_judge(judge: Judge, digits: Digits, seed: int, compute: Compute, title: str) -> JudgeNetwork:
    """Train a judge phase by phase; its weights are the mean of those at the ends of the phases.

    Source: P. Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018
    (arXiv:1803.05407), with one cycle per phase.
    """
    torch.manual_seed(seed)
    network = compute.place(judge.network())
    ends = []
    for index, phase in enumerate(judge.phases):
        torch.manual_seed(seed + index)  # so that a phase can be repeated from the weights of the previous one
        progress: Callable[[Any], Any] = partial(track, description=f"{title}, phase {index + 1}")
        fit(network, network.loss, digits.images, digits.labels, phase, autocast=compute.autocast, epochs=progress)
        ends.append({name: value.clone() for name, value in network.state_dict().items()})
    if len(ends) > 1:
        network.load_state_dict(
            {
                name: torch.stack([end[name] for end in ends]).mean(dim=0) if value.is_floating_point() else value
                for name, value in ends[0].items()
            }
        )
        some = digits.images[torch.randperm(len(digits)).to(digits.images.device)[:10_000]]
        strength = sum(phase.strength for phase in judge.phases) / len(judge.phases)
        update_bn((warp(images.float(), strength) for images in some.split(500)), network)
    return network.eval()


def stored(value: Tensor) -> Tensor:
    """Convert a tensor for storage. Half precision changes features by less than 1 % of their standard deviation."""
    return (value.half() if value.is_floating_point() else value).cpu().contiguous()


def card(name: str, network: JudgeNetwork, mnist: Mnist, seed: int) -> dict[str, Any]:
    """The card of a judge, for NAME.json."""
    sets = {"test": mnist.test, "unseen training digits": mnist.unseen, "seen training digits": mnist.seen}
    return {
        "name": name,
        "summary": JUDGES[name].summary,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "data": {"name": f"{len(mnist.seen):,} MNIST training images", "sha256": mnist.train.sha256},
        "phases": [phase._asdict() for phase in JUDGES[name].phases],
        "seed": seed,
        "loss": {key: mean(network.loss, digits) for key, digits in sets.items()},
        "accuracy": {key: mean(network.accuracy, digits) for key, digits in sets.items()}
        if isinstance(network, ClassifierNetwork)
        else None,
        "versions": {"torch": str(torch.__version__)},
    }


@torch.no_grad()
def mean(figure: Callable[[Tensor, Tensor], Tensor], digits: Digits) -> float:
    """The mean of a per-batch mean, such as the loss, over digits."""
    parts = zip(digits.images.split(1000), digits.labels.split(1000), strict=True)
    return sum(figure(images.float(), labels).item() * len(labels) for images, labels in parts) / len(digits)
