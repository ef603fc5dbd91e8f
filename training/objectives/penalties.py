"""PENALTIES: gradient penalties for the discriminator.

A penalty is weighted and added to the discriminator's loss. It is differentiable with respect to the discriminator's
parameters (double backpropagation). The penalties and their sources:

r1, r2    half the mean squared norm of the score's gradient, at real and at generated digits: L. Mescheder et al.,
          "Which Training Methods for GANs do actually Converge?", 2018 (arXiv:1801.04406), section 4.1, equations 9
          and 10; both combined in Y. Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024
          (arXiv:2501.05441), section 2. The factor 1/2 is included, so that the weight is the papers' gamma.
gradient  the mean squared difference of the gradient's norm from 1, between real and generated digits: I. Gulrajani et
          al., "Improved Training of Wasserstein GANs", 2017 (arXiv:1704.00028), section 4, equation 3. The weight is
          the paper's lambda.

The caller chooses the precision of the score by autocast; the penalty itself is float32. Per-image gradients require
that scores do not depend on other images, so discriminators must not use batch norm.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Score = Callable[[Tensor], Tensor]  # images (N, 1, 28, 28) float32 -> scores (N,) float32
# score, real and fake images (N, 1, 28, 28) float32, uniform random numbers (N, 1, 1, 1) in [0, 1) -> float32 scalar
Penalty = Callable[[Score, Tensor, Tensor, Tensor], Tensor]


def r1(score: Score, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """1/2 E||∇D(x)||² over the real digits x; a scalar >= 0."""
    return _gradients(score, real).square().sum(dim=1).mean() / 2


def r2(score: Score, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """1/2 E||∇D(x)||² over the generated digits x, without a gradient to the generator; a scalar >= 0."""
    return _gradients(score, fake).square().sum(dim=1).mean() / 2


def gradient(score: Score, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """E[(||∇D(x)|| - 1)²] over points x = (1 - mix) real + mix fake; a scalar >= 0."""
    norms: Tensor = torch.linalg.vector_norm(_gradients(score, torch.lerp(real, fake, mix)), dim=1)
    return (norms - 1).square().mean()


def _gradients(score: Score, images: Tensor) -> Tensor:
    """The score's gradients (N, 784) at images (N, 1, 28, 28), differentiable with respect to its parameters."""
    points = images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(score(points).sum(), points, create_graph=True)
    return gradients.flatten(1)


PENALTIES: dict[str, Penalty] = {"r1": r1, "r2": r2, "gradient": gradient}
