"""LOSSES: adversarial losses with a common interface, `Loss`.

The losses and their sources:

bce, bce-with-logits      the generator maximises log D(G(z)), the non-saturating form: I. Goodfellow et al.,
                          "Generative Adversarial Nets", 2014 (arXiv:1406.2661), section 3
bce-with-logits-smoothed  the same with noisy label smoothing of the discriminator's targets: T. Salimans et al.,
                          "Improved Techniques for Training GANs", 2016 (arXiv:1606.03498), section 3.4
minimax                   the generator minimises log(1 - D(G(z))), the saturating form: Goodfellow 2014, equation 1
hinge                     J. H. Lim, J. C. Ye, "Geometric GAN", 2017 (arXiv:1705.02894), section 3; as written in
                          T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018
                          (arXiv:1802.05957), equations 16 and 17
least-squares             X. Mao et al., "Least Squares Generative Adversarial Networks", 2017 (arXiv:1611.04076),
                          equation 9: a = 0, b = c = 1
wasserstein               M. Arjovsky et al., "Wasserstein GAN", 2017 (arXiv:1701.07875), section 3; needs a Lipschitz
                          constraint, such as the gradient penalty of training.objectives.penalties
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
    """The interface of losses. Scores are the discriminator's outputs, float32 (N,); results are scalars.

    NaN scores give a NaN loss, not an exception; the training loop reports the step.
    """

    @property
    def paired(self) -> bool:
        """Whether the generator's loss also needs the scores of the real digits."""
        ...

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """The discriminator's loss."""
        ...

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """The generator's loss. Only a paired loss uses the scores of the real digits."""
        ...

    def probability(self, scores: Tensor) -> Tensor:
        """The mean probability, 0 to 1, of "real" according to the discriminator; for logging."""
        ...


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """Binary cross-entropy on logits or, for a discriminator that ends with a sigmoid, on probabilities.

    The discriminator's targets are drawn uniformly from `real_targets` and `fake_targets`. The generator's target is 1.
    """

    logits: bool
    real_targets: tuple[float, float] = (1.0, 1.0)
    fake_targets: tuple[float, float] = (0.0, 0.0)
    paired: ClassVar[bool] = False

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """The cross-entropy of the real digits plus that of the generated ones."""
        real_loss = self._cross_entropy(real_scores, _draw(self.real_targets, real_scores))
        fake_loss = self._cross_entropy(fake_scores, _draw(self.fake_targets, fake_scores))
        return real_loss + fake_loss

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """The cross-entropy of the generated digits with target 1."""
        return self._cross_entropy(fake_scores, torch.ones_like(fake_scores))

    def probability(self, scores: Tensor) -> Tensor:
        """The mean probability, 0 to 1."""
        return (torch.sigmoid(scores) if self.logits else scores).mean()

    def _cross_entropy(self, scores: Tensor, targets: Tensor) -> Tensor:
        if self.logits:
            return F.binary_cross_entropy_with_logits(scores, targets)
        # PyTorch aborts on NaN here (on CUDA, the whole process). Propagate NaN instead, for the loop to report it.
        return F.binary_cross_entropy(scores.nan_to_num(0.5), targets) + 0 * scores.detach().sum()


@dataclass(frozen=True)
class ElementwiseLoss:
    """A loss that is the mean of elementwise functions of the scores, float32 (N,)."""

    real: Callable[[Tensor], Tensor]  # discriminator loss of a real digit
    fake: Callable[[Tensor], Tensor]  # discriminator loss of a generated digit
    generated: Callable[[Tensor], Tensor]  # generator loss of a generated digit
    squash: Callable[[Tensor], Tensor]  # monotonically maps scores to [0, 1]
    paired: ClassVar[bool] = False

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """The mean over the real digits plus the mean over the generated ones."""
        return self.real(real_scores).mean() + self.fake(fake_scores).mean()

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """The mean over the generated digits."""
        return self.generated(fake_scores).mean()

    def probability(self, scores: Tensor) -> Tensor:
        """The mean squashed score, 0 to 1. A true probability for minimax only."""
        return self.squash(scores).mean()


@dataclass(frozen=True)
class Relativistic:
    """The logistic loss of the difference between the scores of paired real and generated digits, float32 (N,)."""

    paired: ClassVar[bool] = True

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """The mean of -log sigmoid(real - fake)."""
        return F.softplus(fake_scores - real_scores).mean()

    def generator(self, fake_scores: Tensor, real_scores: Tensor | None = None) -> Tensor:
        """The mean of -log sigmoid(fake - real). Raises TypeError without real scores.

        Both scores must come from the discriminator after its step.
        """
        if real_scores is None:
            raise TypeError("real_scores: expected the scores of the real digits for a paired loss, got None")
        return F.softplus(real_scores - fake_scores).mean()

    def probability(self, scores: Tensor) -> Tensor:
        """The mean of sigmoid(score), 0 to 1: the probability of being more real than a digit that scores 0.

        The loss depends only on score differences. Compare the means of real and generated digits with each other, not
        between steps.
        """
        return torch.sigmoid(scores).mean()


def _draw(bounds: tuple[float, float], like: Tensor) -> Tensor:
    """Targets shaped like `like`, drawn uniformly between the bounds; constant, without a draw, if these are equal."""
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
    "minimax": lambda: ElementwiseLoss(
        real=lambda scores: F.softplus(-scores),  # -log D
        fake=F.softplus,  # -log(1 - D)
        generated=lambda scores: -F.softplus(scores),
        squash=torch.sigmoid,
    ),
    "hinge": lambda: ElementwiseLoss(
        real=lambda scores: F.relu(1 - scores),
        fake=lambda scores: F.relu(1 + scores),
        generated=torch.neg,
        squash=torch.sigmoid,  # 1/2 on the separating hyperplane
    ),
    "least-squares": lambda: ElementwiseLoss(
        real=lambda scores: (scores - 1).square() / 2,
        fake=lambda scores: scores.square() / 2,
        generated=lambda scores: (scores - 1).square() / 2,
        squash=lambda scores: scores.clamp(0, 1),  # the optimal score is the probability
    ),
    "wasserstein": lambda: ElementwiseLoss(
        real=torch.neg,
        fake=torch.positive,
        generated=torch.neg,
        squash=torch.sigmoid,  # the zero of the score is arbitrary: not comparable between steps
    ),
    "relativistic": Relativistic,
}
