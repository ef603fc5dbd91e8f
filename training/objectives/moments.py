"""A second-order Fréchet distance between the feature moments of generated and real digits, as a generator loss.

Let the covariance of the real features have eigenvalues l_i. In the basis of its eigenvectors, let the generated mean
differ by m, and the covariance by E. To second order, the squared Fréchet distance (D. Dowson and B. Landau, "The
Fréchet distance between multivariate normal distributions", 1982) is |m|² + ½ Σ E_ij² / (l_i + l_j). Its gradient with
respect to the features y of one digit is that of 2 m·y + Σ y_i y_j E_ij / (l_i + l_j), which is linear in m and E.
Running means of recently generated digits therefore give an unbiased estimate of the gradient, while the distance
itself is biased upwards for a finite sample. A related loss: Y. Mroueh et al., "McGan: Mean and Covariance Feature
Matching GAN", 2017 (arXiv:1702.08398).
"""

import torch
from torch import Tensor

FLOOR = 1e-3  # added to l_i + l_j, relative to the mean eigenvalue


class Moments:
    """Moments of D features of K populations: fixed ones of real digits, and running means of generated digits."""

    def __init__(self, populations: list[Tensor], memory: float) -> None:
        """`populations` are features of real digits, float32 (N_k, D). Running means average over `memory` batches."""
        covariances = torch.stack([torch.cov(rows.T.double()) for rows in populations])  # (K, D, D)
        variances, basis = torch.linalg.eigh(covariances)
        self.mean = torch.stack([rows.mean(dim=0) for rows in populations])[:, None]  # (K, 1, D)
        self.basis = basis.float()
        self.variances = variances.clamp(min=0).float()  # (K, D)
        sums = self.variances[:, :, None] + self.variances[:, None, :]
        self.sums = sums + FLOOR * self.variances.mean(dim=1)[:, None, None]
        self.decay = 1 - 1 / memory
        self.first = torch.zeros_like(self.variances)  # (K, D): running mean of y
        self.second = torch.zeros_like(sums)  # (K, D, D): of y yᵀ
        self.weight = torch.zeros((), device=sums.device)  # total weight of both, for bias correction

    def loss(self, features: Tensor, weights: Tensor) -> Tensor:
        """The losses (K,) of generated digits with features (K, N, D) and weights (K, N), which sum to 1.

        Their gradient with respect to the features is that of the distance; their values are not meaningful.
        """
        y = (features - self.mean) @ self.basis
        mean, excess = self._difference()
        linear = 2 * (y * mean[:, None]).sum(dim=2)
        square = (y @ (excess / self.sums) * y).sum(dim=2)
        losses: Tensor = (weights * (linear + square)).sum(dim=1)
        return losses

    @torch.no_grad()
    def update(self, features: Tensor, weights: Tensor) -> None:
        """Update the running means with the features (K, N, D) and weights (K, N) of generated digits."""
        y = (features - self.mean) @ self.basis
        weighted = y * weights[..., None]
        share = 1 - self.decay
        self.first.mul_(self.decay).add_(weighted.sum(dim=1), alpha=share)
        self.second.mul_(self.decay).add_(weighted.transpose(1, 2) @ y, alpha=share)
        self.weight.mul_(self.decay).add_(share)

    def distances(self) -> Tensor:
        """The squared Fréchet distance of each population (K,), to second order. Includes sampling noise."""
        mean, excess = self._difference()
        squares: Tensor = mean.square().sum(dim=1) + (excess.square() / self.sums).sum(dim=(1, 2)) / 2
        return squares

    def state(self) -> dict[str, Tensor]:
        """The running means, which `update` changes in place."""
        return {"first": self.first, "second": self.second, "weight": self.weight}

    def _difference(self) -> tuple[Tensor, Tensor]:
        """The mean (K, D) and the second moment (K, D, D) of generated digits, minus those of real ones."""
        return self.first / self.weight, self.second / self.weight - torch.diag_embed(self.variances)
