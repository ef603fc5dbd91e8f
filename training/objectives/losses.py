"""LOSSES: adversarial losses, each a small class with one signature, so that the loop never asks which it has.

The rows and their sources:

bce, bce-with-logits      the generator maximises log D(G(z)), the form that does not saturate: I. Goodfellow et al.,
                          "Generative Adversarial Nets", 2014 (arXiv:1406.2661), section 3
bce-with-logits-smoothed  the same; the discriminator's targets are drawn near 1 and near 0: T. Salimans et al.,
                          "Improved Techniques for Training GANs", 2016 (arXiv:1606.03498), section 3.4
minimax                   the generator minimises log(1 - D(G(z))), which saturates: Goodfellow 2014, equation 1
hinge                     J. H. Lim, J. C. Ye, "Geometric GAN", 2017 (arXiv:1705.02894), section 3; as written in
                          T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018
                          (arXiv:1802.05957), equations 16 and 17
least-squares             X. Mao et al., "Least Squares Generative Adversarial Networks", 2017 (arXiv:1611.04076),
                          equation 9: a = 0, b = c = 1
wasserstein               M. Arjovsky et al., "Wasserstein GAN", 2017 (arXiv:1701.07875), section 3; something else has
                          to keep the score Lipschitz, such as the gradient penalty of training.objectives.penalties
relativistic              A. Jolicoeur-Martineau, "The relativistic discriminator: a key element missing from standard
                          GAN", 2018 (arXiv:1807.00734), section 4; Y. Huang et al., "The GAN is dead; long live the
                          GAN! A Modern GAN Baseline", 2024 (arXiv:2501.05441), section 2, with penalties r1 and r2
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


class Loss(Protocol):
    """What the loop asks of a loss. Scores are (N,) float32, as the discriminator gives them; results are scalars.

    Nothing is raised for scores that are not numbers: the result is NaN, and the loop says at which step.
    """

    @property
    def paired(self) -> bool:
        """Whether the generator's loss needs the real digits' scores too."""
        ...

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """What the discriminator minimises."""
        ...

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """What the generator minimises. A loss that is not paired takes no notice of the real digits' scores."""
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
    paired: ClassVar[bool] = False

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """The cross entropy on real digits plus that on generated ones."""
        real_loss = self._cross_entropy(real_scores, _draw(self.real_targets, real_scores))
        fake_loss = self._cross_entropy(fake_scores, _draw(self.fake_targets, fake_scores))
        return real_loss + fake_loss

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
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


@dataclass(frozen=True)
class Separate:
    """A loss that weighs every score by itself: means of elementwise functions of (N,) float32 scores."""

    real: Callable[[Tensor], Tensor]  # what the discriminator minimises at a real digit's score
    fake: Callable[[Tensor], Tensor]  # and at a generated digit's
    generated: Callable[[Tensor], Tensor]  # what the generator minimises there
    reading: Callable[[Tensor], Tensor]  # the score as a number from 0 to 1 that grows with it
    paired: ClassVar[bool] = False

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """The mean over real digits plus that over generated ones."""
        return self.real(real_scores).mean() + self.fake(fake_scores).mean()

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """The mean over generated digits."""
        return self.generated(fake_scores).mean()

    def probability(self, scores: Tensor) -> Tensor:
        """The mean of the readings, 0 to 1. A probability for minimax alone: the others put a score on that scale."""
        return self.reading(scores).mean()


@dataclass(frozen=True)
class Relativistic:
    """The logistic loss of each real digit's score less that of the generated digit beside it, both (N,) float32."""

    paired: ClassVar[bool] = True

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """The mean of -log sigmoid(real - fake): every real digit is to score above its generated one."""
        return F.softplus(fake_scores - real_scores).mean()

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """The mean of -log sigmoid(fake - real). Raises TypeError without the real digits' scores.

        Those have to come from the discriminator that gave the others, after its step.
        """
        if real_scores is None:
            raise TypeError("real_scores: a paired loss expects the real digits' scores, got None")
        return F.softplus(real_scores - fake_scores).mean()

    def probability(self, scores: Tensor) -> Tensor:
        """The mean of sigmoid(score), 0 to 1: the chance against a digit that scores 0.

        The loss knows differences alone, so that real and generated digits' means compare with one another, and not
        from step to step.
        """
        return torch.sigmoid(scores).mean()


def _draw(bounds: tuple[float, float], like: Tensor) -> Tensor:
    """Targets drawn uniformly between the bounds, one for each score; nothing is drawn where the bounds are equal."""
    low, high = bounds
    if low == high:
        return torch.full_like(like, low)
    return torch.empty_like(like).uniform_(low, high)


LOSSES: dict[str, Callable[[], Loss]] = {
    "bce": lambda: BinaryCrossEntropy(logits=False),
    "bce-with-logits": lambda: BinaryCrossEntropy(logits=True),
    "bce-with-logits-smoothed": lambda: BinaryCrossEntropy(
        logits=True, real_targets=(0.8, 1.0), fake_targets=(0.0, 0.2)
    ),
    "minimax": lambda: Separate(
        real=lambda scores: F.softplus(-scores),  # -log D
        fake=F.softplus,  # -log(1 - D)
        generated=lambda scores: -F.softplus(scores),
        reading=torch.sigmoid,
    ),
    "hinge": lambda: Separate(
        real=lambda scores: F.relu(1 - scores),
        fake=lambda scores: F.relu(1 + scores),
        generated=torch.neg,
        reading=torch.sigmoid,  # 1/2 on the separating hyperplane
    ),
    "least-squares": lambda: Separate(
        real=lambda scores: (scores - 1).square() / 2,
        fake=lambda scores: scores.square() / 2,
        generated=lambda scores: (scores - 1).square() / 2,
        reading=lambda scores: scores.clamp(0, 1),  # at its optimum the score is the probability
    ),
    "wasserstein": lambda: Separate(
        real=torch.neg,
        fake=torch.positive,
        generated=torch.neg,
        reading=torch.sigmoid,  # where its zero lies means nothing: real and generated digits compare, steps do not
    ),
    "relativistic": Relativistic,
}
