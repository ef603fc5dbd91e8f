"""The features of generated digits against those of real ones, as one feature network sees them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from training.config import MomentMatching
from training.data import Digits
from training.networks.generator import CLASSES
from training.objectives.features import FeatureNetwork
from training.objectives.moments import Moments
from training.run.device import Compute

CHUNK = 500  # real digits at once
FAINT = 0.02  # of the mean deviation: features that vary less are standardized as if they varied that much


class Comparison:
    """Moments of generated digits' features against those of real digits.

    Every group of the network's features is compared over all digits, and the final features of a network that has
    learned labels also within each class. Batches hold the same number of each class, class after class.
    """

    def __init__(self, network: FeatureNetwork, digits: Digits, stage: MomentMatching, compute: Compute) -> None:
        self.network, self.compute, self.within_weight = network, compute, stage.within_class
        device = digits.images.device
        rows, memory = stage.batch_size // CLASSES, stage.memory / stage.batch_size
        self.shares = digits.counts().float() / len(digits)  # (10,)
        self.weights = (self.shares / rows).repeat_interleave(rows)[None]  # (1, N): digits as often as among real ones
        self.even = torch.full((CLASSES, rows), 1 / rows, device=device)

        with torch.no_grad():
            chunks = torch.arange(len(digits), device=device).split(CHUNK)
            parts = zip(*(self._groups(digits.batch(chunk, (0.0, 1.0))) for chunk in chunks), strict=True)
            groups = [torch.cat(part) for part in parts]
        self.sizes = [group.shape[1] for group in groups]
        self.mean = torch.cat([group.mean(dim=0) for group in groups])
        deviations = [group.std(dim=0) for group in groups]
        self.deviation = torch.cat([torch.maximum(each, each.mean() * FAINT) for each in deviations])
        *hidden, final = self._split((torch.cat(groups, dim=1) - self.mean) / self.deviation)
        self.overall = [Moments([group], memory) for group in (*hidden, final)]
        self.within: Moments | None = None
        if network.shape.task == "labels":
            self.within = Moments([final[digits.labels == label] for label in range(CLASSES)], memory)

    def features(self, images: Tensor) -> Tensor:
        """Images float32 (N, 1, 28, 28), ink 1, paper 0 -> all features, standardized (N, F)."""
        return (torch.cat(self._groups(images), dim=1) - self.mean) / self.deviation

    def loss(self, features: Tensor) -> Tensor:
        """What the batch's features (N, F) are to lower: a scalar whose gradient alone means something."""
        groups = self._split(features)
        pairs = zip(self.overall, groups, strict=True)
        total = torch.cat([moments.loss(group[None], self.weights) for moments, group in pairs]).sum()
        if self.within:
            losses = self.within.loss(groups[-1].unflatten(0, (CLASSES, -1)), self.even)  # of (10, N / 10, D)
            total = total + self.within_weight * (self.shares * losses).sum()
        return total

    def remember(self, features: Tensor) -> None:
        """Update the running moments by the batch's features (N, F)."""
        groups = self._split(features.detach())
        for moments, group in zip(self.overall, groups, strict=True):
            moments.remember(group[None], self.weights)
        if self.within:
            self.within.remember(groups[-1].unflatten(0, (CLASSES, -1)), self.even)

    def distance(self) -> Tensor:
        """The sum of the groups' distances over all digits, a scalar; chance is part of it."""
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
