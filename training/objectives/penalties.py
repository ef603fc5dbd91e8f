"""PENALTIES: what the discriminator pays for steep scores, each a function of score, real digits and generated digits.

A penalty is added to the discriminator's loss times a weight, and differentiates with respect to the discriminator's
parameters (double backpropagation). The rows and their sources:

r1, r2    half the mean squared norm of the score's gradient, at real and at generated digits: L. Mescheder et al.,
          "Which Training Methods for GANs do actually Converge?", 2018 (arXiv:1801.04406), section 4.1, equations 9
          and 10; both at once in Y. Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024
          (arXiv:2501.05441), section 2. The half belongs to the penalty, so that the weight is the papers' gamma.
gradient  the mean squared distance of the gradient's norm from 1, between real and generated digits: I. Gulrajani et
          al., "Improved Training of Wasserstein GANs", 2017 (arXiv:1704.00028), section 4, equation 3. The weight is
          the paper's lambda.

The caller chooses the precision of the score by autocast; the penalty itself is float32. The gradient at an image is
its own where no other image's score depends on it, which batch norm in a discriminator breaks.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Score = Callable[[Tensor], Tensor]  # images (N, 1, 28, 28) float32 -> scores (N,) float32
# score, real, fake, both (N, 1, 28, 28) float32, and uniform draws (N, 1, 1, 1), 0 to 1 -> scalar float32
Penalty = Callable[[Score, Tensor, Tensor, Tensor], Tensor]


def r1(score: Score, real: Tensor, fake: Tensor, shares: Tensor) -> Tensor:
    """1/2 E||∇D(x)||² over the real digits x, so that gamma times it is gamma/2 E||∇D(x)||²; a scalar, 0 or more."""
    return _gradients(score, real).square().sum(dim=1).mean() / 2


def r2(score: Score, real: Tensor, fake: Tensor, shares: Tensor) -> Tensor:
    """The same over the generated digits, into which no gradient flows; a scalar, 0 or more."""
    return _gradients(score, fake).square().sum(dim=1).mean() / 2


def gradient(score: Score, real: Tensor, fake: Tensor, shares: Tensor) -> Tensor:
    """E[(||∇D(x)|| - 1)²] over points x between each real digit and its generated one; a scalar, 0 or more.

    The points are uniform on the segments: `shares` of the way.
    """
    norms: Tensor = torch.linalg.vector_norm(_gradients(score, torch.lerp(real, fake, shares)), dim=1)
    return (norms - 1).square().mean()


def _gradients(score: Score, images: Tensor) -> Tensor:
    """The score's gradient at each image (N, 1, 28, 28), flat: (N, 784), differentiable by the score's parameters."""
    points = images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(score(points).sum(), points, create_graph=True)
    return gradients.flatten(1)


PENALTIES: dict[str, Penalty] = {"r1": r1, "r2": r2, "gradient": gradient}
