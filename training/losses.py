"""LOSSES: adversarial losses, each a small class with one signature, so that the loop never asks which it has.

Source: I. Goodfellow et al., "Generative Adversarial Nets", 2014 (arXiv:1406.2661), section 3; the generator maximises
log D(G(z)), the form that does not saturate. One-sided or two-sided smoothing of the targets: T. Salimans et al.,
"Improved Techniques for Training GANs", 2016 (arXiv:1606.03498), section 3.4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


class Loss(Protocol):
    """What the loop asks of a loss. Scores are (N,) float32, as the discriminator gives them; results are scalars."""

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """What the discriminator minimises."""
        ...

    def generator(self, fake_scores: Tensor) -> Tensor:
        """What the generator minimises."""
        ...

    def probability(self, scores: Tensor) -> Tensor:
        """The mean probability, 0 to 1, that the discriminator gives to "real": for the log."""
        ...


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """Cross entropy on logits, or on probabilities where the discriminator ends with a sigmoid.

    `real_targets` and `fake_targets` bound the discriminator's uniformly drawn targets; the generator's target is 1.
    """

    logits: bool
    real_targets: tuple[float, float] = (1.0, 1.0)
    fake_targets: tuple[float, float] = (0.0, 0.0)

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """The cross entropy on real digits plus that on generated ones."""
        real_loss = self._cross_entropy(real_scores, _draw(self.real_targets, real_scores))
        fake_loss = self._cross_entropy(fake_scores, _draw(self.fake_targets, fake_scores))
        return real_loss + fake_loss

    def generator(self, fake_scores: Tensor) -> Tensor:
        """The cross entropy of generated digits taken for real."""
        return self._cross_entropy(fake_scores, torch.ones_like(fake_scores))

    def probability(self, scores: Tensor) -> Tensor:
        """The mean of the probabilities, 0 to 1."""
        return (torch.sigmoid(scores) if self.logits else scores).mean()

    def _cross_entropy(self, scores: Tensor, targets: Tensor) -> Tensor:
        if self.logits:
            return F.binary_cross_entropy_with_logits(scores, targets)
        # PyTorch aborts on NaN here, on CUDA the whole process: let NaN pass on to the loop, which names the step.
        return F.binary_cross_entropy(scores.nan_to_num(0.5), targets) + 0 * scores.detach().sum()


def _draw(bounds: tuple[float, float], like: Tensor) -> Tensor:
    """Targets drawn uniformly between the bounds, one for each score; nothing is drawn where the bounds are equal."""
    low, high = bounds
    if low == high:
        return torch.full_like(like, low)
    return torch.empty_like(like).uniform_(low, high)


LOSSES: dict[str, Callable[[], Loss]] = {
    "bce": lambda: BinaryCrossEntropy(logits=False),
    "bce-with-logits-smoothed": lambda: BinaryCrossEntropy(
        logits=True, real_targets=(0.8, 1.0), fake_targets=(0.0, 0.2)
    ),
}
