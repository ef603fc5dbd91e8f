"""LOSSES and PENALTIES: adversarial losses, and gradient penalties for the discriminator, each with one signature.

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
                          constraint, such as the gradient penalty below
relativistic              A. Jolicoeur-Martineau, "The relativistic discriminator: a key element missing from standard
                          GAN", 2018 (arXiv:1807.00734), section 4; Y. Huang et al., "The GAN is dead; long live the
                          GAN! A Modern GAN Baseline", 2024 (arXiv:2501.05441), section 2, with penalties r1 and r2

`discriminator` and `generator` are the losses of the two networks, scalars, from the discriminator's scores of real and
generated images, float32 (N,). `probability` is the mean probability of "real" according to the discriminator, 0 to 1,
for logging. The generator's loss of a `paired` one also needs the scores of the real images. NaN scores give a NaN
loss, not an exception; the training loop reports the step.

The penalties and their sources:

r1, r2    half the mean squared norm of the score's gradient, at real and at generated digits: L. Mescheder et al.,
          "Which Training Methods for GANs do actually Converge?", 2018 (arXiv:1801.04406), section 4.1, equations 9
          and 10; both combined in Y. Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024
          (arXiv:2501.05441), section 2. The factor 1/2 is included, so that the weight is the papers' gamma.
gradient  the mean squared difference of the gradient's norm from 1, between real and generated digits: I. Gulrajani et
          al., "Improved Training of Wasserstein GANs", 2017 (arXiv:1704.00028), section 4, equation 3. The weight is
          the paper's lambda.

A penalty is weighted and added to the discriminator's loss. It is differentiable with respect to the discriminator's
parameters (double backpropagation). The caller chooses the precision of the score by autocast; the penalty itself is
float32. Per-image gradients require that scores do not depend on other images, so discriminators must not use batch
norm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Classes = tuple[Tensor, ...]  # the discriminator's class weights (N, K), or none
# discriminator, classes, real and fake images (N, 1, 28, 28) float32, uniform random numbers (N, 1, 1, 1) in [0, 1)
# -> float32 scalar
Penalty = Callable[[nn.Module, Classes, Tensor, Tensor, Tensor], Tensor]


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


Loss: TypeAlias = BinaryCrossEntropy | ElementwiseLoss | Relativistic
LOSSES: dict[str, Loss] = {
    "bce": BinaryCrossEntropy(logits=False),
    "bce-with-logits": BinaryCrossEntropy(logits=True),
    "bce-with-logits-smoothed": BinaryCrossEntropy(logits=True, real_targets=(0.8, 1.0), fake_targets=(0.0, 0.2)),
    # of real images, of generated images, of the generator, squashed score
    "minimax": ElementwiseLoss(
        lambda scores: F.softplus(-scores), F.softplus, lambda scores: -F.softplus(scores), torch.sigmoid
    ),
    "hinge": ElementwiseLoss(
        lambda scores: F.relu(1 - scores), lambda scores: F.relu(1 + scores), torch.neg, torch.sigmoid
    ),
    "least-squares": ElementwiseLoss(
        lambda scores: (scores - 1).square() / 2,
        lambda scores: scores.square() / 2,
        lambda scores: (scores - 1).square() / 2,
        lambda scores: scores.clamp(0, 1),  # the optimal score is the probability
    ),
    "wasserstein": ElementwiseLoss(torch.neg, torch.positive, torch.neg, torch.sigmoid),
    "relativistic": Relativistic(),
}


def r1(discriminator: nn.Module, classes: Classes, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """1/2 E||∇D(x)||² over the real digits x; a scalar >= 0."""
    return _gradients(discriminator, classes, real).square().sum(dim=1).mean() / 2


def r2(discriminator: nn.Module, classes: Classes, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """1/2 E||∇D(x)||² over the generated digits x, without a gradient to the generator; a scalar >= 0."""
    return _gradients(discriminator, classes, fake).square().sum(dim=1).mean() / 2


def gradient(discriminator: nn.Module, classes: Classes, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """E[(||∇D(x)|| - 1)²] over points x = (1 - mix) real + mix fake; a scalar >= 0."""
    norms: Tensor = torch.linalg.vector_norm(_gradients(discriminator, classes, torch.lerp(real, fake, mix)), dim=1)
    return (norms - 1).square().mean()


def _gradients(discriminator: nn.Module, classes: Classes, images: Tensor) -> Tensor:
    """The score's gradients (N, 784) at images (N, 1, 28, 28), differentiable with respect to its parameters."""
    points = images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(discriminator(points, *classes).sum(), points, create_graph=True)
    return gradients.flatten(1)


PENALTIES: dict[str, Penalty] = {"r1": r1, "r2": r2, "gradient": gradient}
