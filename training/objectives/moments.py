"""How far the means and covariances of generated digits' features are from real ones', as a loss for the generator.

For features whose covariance has the eigenvalues l_i, the squared Fréchet distance of a Gaussian whose mean is off by
m and whose covariance by E is, to second order and in the basis of the eigenvectors, |m|² + ½ Σ E_ij² / (l_i + l_j): D.
Dowson and B. Landau, "The Fréchet distance between multivariate normal distributions", 1982, expanded. Its gradient at
one digit's features y is that of 2 m·y + Σ y_i y_j E_ij / (l_i + l_j), which is linear in m and E: means over digits
that were generated a moment ago estimate it without bias, where the distance of a sample is always too large. In the
same spirit: Y. Mroueh et al., "McGan: Mean and Covariance Feature Matching GAN", 2017 (arXiv:1702.08398).
"""

import torch
from torch import Tensor

FLOOR = 1e-3  # of the mean eigenvalue, added to every sum of two


class Moments:
    """Moments of K populations, each of D features: those of real digits, and a running mean of generated ones'.

    `memory` is how many batches the running mean reaches back to.
    """

    def __init__(self, populations: list[Tensor], memory: float) -> None:
        """Populations are real digits' features, float32 (N_k, D)."""
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
        self.weight = torch.zeros((), device=sums.device)  # of all that went into both

    def loss(self, features: Tensor, weights: Tensor) -> Tensor:
        """What generated digits of features (K, N, D) and weights (K, N), which sum to 1, are to lower; (K,).

        Its gradient by the features is that of the distance, and its value means nothing.
        """
        y = (features - self.mean) @ self.basis
        mean, excess = self._difference()
        linear = 2 * (y * mean[:, None]).sum(dim=2)
        square = (y @ (excess / self.sums) * y).sum(dim=2)
        losses: Tensor = (weights * (linear + square)).sum(dim=1)
        return losses

    @torch.no_grad()
    def remember(self, features: Tensor, weights: Tensor) -> None:
        """Update the running mean by generated digits: features (K, N, D), weights (K, N)."""
        y = (features - self.mean) @ self.basis
        weighted = y * weights[..., None]
        share = 1 - self.decay
        self.first.mul_(self.decay).add_(weighted.sum(dim=1), alpha=share)
        self.second.mul_(self.decay).add_(weighted.transpose(1, 2) @ y, alpha=share)
        self.weight.mul_(self.decay).add_(share)

    def distances(self) -> Tensor:
        """The squared Fréchet distance of each population (K,), to second order; chance is part of it."""
        mean, excess = self._difference()
        squares: Tensor = mean.square().sum(dim=1) + (excess.square() / self.sums).sum(dim=(1, 2)) / 2
        return squares

    def state(self) -> dict[str, Tensor]:
        """The running mean, which `remember` changes in place."""
        return {"first": self.first, "second": self.second, "weight": self.weight}

    def _difference(self) -> tuple[Tensor, Tensor]:
        """Generated digits' mean (K, D) less the real ones', and the second moment about it (K, D, D) less theirs."""
        return self.first / self.weight, self.second / self.weight - torch.diag_embed(self.variances)
