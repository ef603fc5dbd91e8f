"""Comparison of generated and real digits by the moments of one feature network's features."""

from collections.abc import Mapping

import torch
from torch import Tensor

from training.config import MomentMatching
from training.data import Digits
from training.networks.generator import CLASSES
from training.objectives.features import FeatureNetwork
from training.objectives.moments import Moments
from training.run.device import Compute

CHUNK = 500  # real digits per forward pass
MIN_DEVIATION = 0.02  # minimum standard deviation for standardizing a feature, relative to the mean over all features


class Comparison:
    """Compares the feature moments of generated digits with those of real ones.

    Each group of features is compared over all digits. The final features of a classifier are also compared within each
    class. Batches contain N / 10 digits of each class, sorted by class.
    """

    def __init__(self, network: FeatureNetwork, digits: Digits, stage: MomentMatching, compute: Compute) -> None:
        self.network, self.compute, self.within_weight = network, compute, stage.within_class
        device = digits.images.device
        rows, memory = stage.batch_size // CLASSES, stage.memory / stage.batch_size
        self.shares = digits.counts().float() / len(digits)  # (10,)
        self.weights = (self.shares / rows).repeat_interleave(rows)[None]  # (1, N): weights classes as in real digits
        self.uniform = torch.full((CLASSES, rows), 1 / rows, device=device)

        with torch.no_grad():
            chunks = torch.arange(len(digits), device=device).split(CHUNK)
            parts = zip(*(self._groups(digits.batch(chunk, (0.0, 1.0))) for chunk in chunks), strict=True)
            groups = [torch.cat(part) for part in parts]
        self.sizes = [group.shape[1] for group in groups]
        self.mean = torch.cat([group.mean(dim=0) for group in groups])
        deviations = [group.std(dim=0) for group in groups]
        self.deviation = torch.cat([torch.maximum(each, each.mean() * MIN_DEVIATION) for each in deviations])
        *hidden, final = self._split((torch.cat(groups, dim=1) - self.mean) / self.deviation)
        self.overall = [Moments([group], memory) for group in (*hidden, final)]
        self.within: Moments | None = None
        if network.shape.task == "labels":
            self.within = Moments([final[digits.labels == label] for label in range(CLASSES)], memory)

    def features(self, images: Tensor) -> Tensor:
        """Images float32 (N, 1, 28, 28) in [0, 1], ink 1 -> all features, standardized, float32 (N, F)."""
        return (torch.cat(self._groups(images), dim=1) - self.mean) / self.deviation

    def loss(self, features: Tensor) -> Tensor:
        """A scalar to minimise for the features (N, F) of a batch. Only its gradient is meaningful."""
        groups = self._split(features)
        pairs = zip(self.overall, groups, strict=True)
        total = torch.cat([moments.loss(group[None], self.weights) for moments, group in pairs]).sum()
        if self.within:
            losses = self.within.loss(groups[-1].unflatten(0, (CLASSES, -1)), self.uniform)  # of (10, N / 10, D)
            total = total + self.within_weight * (self.shares * losses).sum()
        return total

    def update(self, features: Tensor) -> None:
        """Update the running moments with the features (N, F) of a batch."""
        groups = self._split(features.detach())
        for moments, group in zip(self.overall, groups, strict=True):
            moments.update(group[None], self.weights)
        if self.within:
            self.within.update(groups[-1].unflatten(0, (CLASSES, -1)), self.uniform)

    def distance(self) -> Tensor:
        """The sum over feature groups of the distances over all digits, a scalar. Includes sampling noise."""
        return torch.cat([moments.distances() for moments in self.overall]).sum()

    def state(self) -> Mapping[str, Tensor]:
        """The running moments by name, for checkpoints."""
        parts = {f"overall-{index}": moments for index, moments in enumerate(self.overall)}
        parts |= {"within": self.within} if self.within else {}
        return {f"{name}.{key}": value for name, moments in parts.items() for key, value in moments.state().items()}

    def _groups(self, images: Tensor) -> list[Tensor]:
        with self.compute.autocast():
            return self.network.groups(images)

    def _split(self, features: Tensor) -> tuple[Tensor, ...]:
        groups: tuple[Tensor, ...] = features.split(self.sizes, dim=-1)
        return groups
