"""Comparison of generated and real digits by the moments of their features, as a loss for the generator.

Let the covariance of the real features have eigenvalues l_i. In the basis of its eigenvectors, let the generated mean
differ by m, and the covariance by E. To second order, the squared Fréchet distance (D. Dowson and B. Landau, "The
Fréchet distance between multivariate normal distributions", 1982) is |m|² + ½ Σ E_ij² / (l_i + l_j). Its gradient with
respect to the features y of one digit is that of 2 m·y + Σ y_i y_j E_ij / (l_i + l_j), which is linear in m and E.
Running means of recently generated digits therefore give an unbiased estimate of the gradient, while the distance
itself is biased upwards for a finite sample. A related loss: Y. Mroueh et al., "McGan: Mean and Covariance Feature
Matching GAN", 2017 (arXiv:1702.08398).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from training.config import MomentMatching
from training.data import Images
from training.device import Compute

# Images float32 (N, 1, 28, 28), ink 1 -> groups of features float32 (N, F), the final ones last.
Extract = Callable[[Tensor], list[Tensor]]
CHUNK = 500  # real digits per forward pass
MIN_DEVIATION = 0.02  # minimum standard deviation for standardizing a feature, relative to the mean over all features
FLOOR = 1e-3  # added to l_i + l_j, relative to the mean eigenvalue


class Moments(nn.Module):
    """Moments of D features of K populations: fixed ones of real digits, and running means of generated digits.

    Only the running means are buffers, and so in checkpoints.
    """

    first: Tensor
    second: Tensor
    weight: Tensor

    def __init__(self, populations: list[Tensor], memory: float) -> None:
        """`populations` are features of real digits, float32 (N_k, D). Running means average over `memory` batches."""
        super().__init__()
        covariances = torch.stack([torch.cov(rows.T.double()) for rows in populations])  # (K, D, D)
        variances, basis = torch.linalg.eigh(covariances)
        self.mean = torch.stack([rows.mean(dim=0) for rows in populations])[:, None]  # (K, 1, D)
        self.basis = basis.float()
        self.variances = variances.clamp(min=0).float()  # (K, D)
        sums = self.variances[:, :, None] + self.variances[:, None, :]
        self.sums = sums + FLOOR * self.variances.mean(dim=1)[:, None, None]
        self.decay = 1 - 1 / memory
        self.register_buffer("first", torch.zeros_like(self.variances))  # (K, D): running mean of y
        self.register_buffer("second", torch.zeros_like(sums))  # (K, D, D): of y yᵀ
        self.register_buffer("weight", torch.zeros((), device=sums.device))  # of both, for bias correction

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

    def _difference(self) -> tuple[Tensor, Tensor]:
        """The mean (K, D) and the second moment (K, D, D) of generated digits, minus those of real ones."""
        return self.first / self.weight, self.second / self.weight - torch.diag_embed(self.variances)


class Comparison:
    """Compares the feature moments of generated digits with those of real ones.

    Each group of features is compared over all digits and, `by_class`, the final one also within each class. Batches
    contain N / K digits of each class, sorted by class.
    """

    def __init__(
        self, extract: Extract, digits: Images, config: MomentMatching, compute: Compute, *, by_class: bool
    ) -> None:
        self.extract, self.compute, self.within_weight = extract, compute, config.within_class
        device = digits.images.device
        classes = max(1, len(digits.classes))
        rows = max(1, config.batch_size // classes)
        self.labels = torch.arange(classes, device=device).repeat_interleave(rows)  # of each batch
        memory = config.memory / (rows * classes)
        self.shares = digits.counts().float() / len(digits)  # (K,)
        self.weights = (self.shares / rows).repeat_interleave(rows)[None]  # (1, N): weights classes as in real digits
        self.uniform = torch.full((classes, rows), 1 / rows, device=device)

        with torch.no_grad():
            chunks = torch.arange(len(digits), device=device).split(CHUNK)
            parts = zip(*(self._groups(digits.batch(chunk, (0.0, 1.0))) for chunk in chunks), strict=True)
            groups = [torch.cat(part) for part in parts]
        self.sizes = [group.shape[1] for group in groups]
        self.mean = torch.cat([group.mean(dim=0) for group in groups])
        deviations = [group.std(dim=0) for group in groups]
        self.deviation = torch.cat([torch.maximum(each, each.mean() * MIN_DEVIATION) for each in deviations])
        *hidden, final = self._split((torch.cat(groups, dim=1) - self.mean) / self.deviation)
        self.overall = [Moments([group], memory) for group in (*hidden, final)]
        self.within: Moments | None = None
        if by_class:
            self.within = Moments([final[digits.labels == label] for label in range(classes)], memory)

    def features(self, images: Tensor) -> Tensor:
        """Images float32 (N, 1, 28, 28) in [0, 1], ink 1 -> all features, standardized, float32 (N, F)."""
        return (torch.cat(self._groups(images), dim=1) - self.mean) / self.deviation

    def loss(self, features: Tensor) -> Tensor:
        """A scalar to minimise for the features (N, F) of a batch. Only its gradient is meaningful."""
        groups = self._split(features)
        pairs = zip(self.overall, groups, strict=True)
        total = torch.cat([moments.loss(group[None], self.weights) for moments, group in pairs]).sum()
        if self.within:
            losses = self.within.loss(groups[-1].unflatten(0, (len(self.shares), -1)), self.uniform)  # of (K, N / K, D)
            total = total + self.within_weight * (self.shares * losses).sum()
        return total

    def update(self, features: Tensor) -> None:
        """Update the running moments with the features (N, F) of a batch."""
        groups = self._split(features.detach())
        for moments, group in zip(self.overall, groups, strict=True):
            moments.update(group[None], self.weights)
        if self.within:
            self.within.update(groups[-1].unflatten(0, (len(self.shares), -1)), self.uniform)

    def distance(self) -> Tensor:
        """The sum over feature groups of the distances over all digits, a scalar. Includes sampling noise."""
        return torch.cat([moments.distances() for moments in self.overall]).sum()

    def running(self) -> nn.ModuleList:
        """The running moments, for checkpoints."""
        return nn.ModuleList([*self.overall, *([self.within] if self.within else [])])

    def _groups(self, images: Tensor) -> list[Tensor]:
        with self.compute.autocast():
            return self.extract(images)

    def _split(self, features: Tensor) -> tuple[Tensor, ...]:
        groups: tuple[Tensor, ...] = features.split(self.sizes, dim=-1)
        return groups
