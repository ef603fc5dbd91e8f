"""What refinement compares: features of generated digits against those of real ones, group by group."""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.config import Refinement
from training.data import Digits
from training.networks.generator import CLASSES
from training.objectives.features import FeatureNetwork
from training.objectives.moments import Moments
from training.run.device import Compute

CHUNK = 500  # real digits at once
FAINT = 0.02  # of the mean deviation: features that vary less are standardised as if they varied so much


class Comparison:
    """Moments of generated digits' features against those of real digits.

    Each network gives one or two groups of features. Every group is compared over all digits, and the final features
    of the networks that have learned also within each class.
    """

    def __init__(self, networks: Sequence[FeatureNetwork], digits: Digits, how: Refinement, compute: Compute) -> None:
        self.networks, self.compute = networks, compute
        device = digits.images.device
        self.shares = digits.counts().float() / len(digits)  # (10,)
        rows = how.batch_size // CLASSES
        self.labels = torch.arange(CLASSES, device=device).repeat_interleave(rows)  # (N,), class after class
        self.weights = (self.shares[self.labels] / rows)[None]  # (1, N): digits as often as among real ones
        self.even = torch.full((CLASSES, rows), 1 / rows, device=device)
        self.within_weight = how.within

        with torch.no_grad():
            chunks = torch.arange(len(digits), device=device).split(CHUNK)
            raw = torch.cat([self._raw(digits.batch(chunk, (0.0, 1.0))) for chunk in chunks])
        self.mean, deviation = raw.mean(dim=0), raw.std(dim=0)
        floors = [group.mean().mul(FAINT).expand_as(group) for group in self._groups(deviation)]
        self.deviation = torch.maximum(deviation, torch.cat(floors))
        groups = self._groups((raw - self.mean) / self.deviation)
        memory = how.memory / how.batch_size
        self.overall = [Moments([group], memory) for group in groups]
        self.within = {
            index: Moments([groups[index][digits.labels == label] for label in range(CLASSES)], memory)
            for index in self._final
        }

    def features(self, images: Tensor) -> Tensor:
        """Images float32 (N, 1, 28, 28), ink 1, paper 0 -> all features, standardised (N, F)."""
        return (self._raw(images) - self.mean) / self.deviation

    def loss(self, features: Tensor) -> Tensor:
        """What the batch (N, F), of `labels`, is to lower: a scalar whose gradient alone means something."""
        groups = self._groups(features)
        total = torch.stack(
            [moments.loss(group[None], self.weights).sum() for moments, group in zip(self.overall, groups, strict=True)]
        ).sum()
        for index, moments in self.within.items():
            by_class = groups[index].unflatten(0, (CLASSES, -1))  # (10, N / 10, D)
            total = total + self.within_weight * (self.shares * moments.loss(by_class, self.even)).sum()
        return total

    def remember(self, features: Tensor) -> None:
        """Take the batch (N, F) into the running moments."""
        groups = self._groups(features.detach())
        for moments, group in zip(self.overall, groups, strict=True):
            moments.remember(group[None], self.weights)
        for index, moments in self.within.items():
            moments.remember(groups[index].unflatten(0, (CLASSES, -1)), self.even)

    def distance(self) -> Tensor:
        """The sum of the distances over all digits, a scalar; chance is part of it."""
        return torch.cat([moments.distances() for moments in self.overall]).sum()

    def parts(self) -> dict[str, Moments]:
        """All moments by name, for checkpoints."""
        overall = {f"overall-{index}": moments for index, moments in enumerate(self.overall)}
        return overall | {f"within-{index}": moments for index, moments in self.within.items()}

    def _raw(self, images: Tensor) -> Tensor:
        with self.compute.autocast():
            return torch.cat([group for network in self.networks for group in network.compared(images)], dim=1)

    @property
    def _sizes(self) -> list[int]:
        return [size for network in self.networks for size in network.sizes]

    def _groups(self, features: Tensor) -> tuple[Tensor, ...]:
        groups: tuple[Tensor, ...] = features.split(self._sizes, dim=-1)
        return groups

    @property
    def _final(self) -> list[int]:
        """Which groups are final features."""
        counts = [1 + network.has_learned for network in self.networks]
        ends = torch.tensor(counts).cumsum(0) - 1
        return [int(end) for end, network in zip(ends, self.networks, strict=True) if network.has_learned]
