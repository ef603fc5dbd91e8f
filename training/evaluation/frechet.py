"""The Fréchet distance between Gaussians fitted to two sets of features.

Source: D. Dowson and B. Landau, "The Fréchet distance between multivariate normal distributions", 1982; for generators:
M. Heusel et al., 2017 (arXiv:1706.08500), equation 6.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from training.errors import EvaluationError

Float64 = NDArray[np.float64]


class Gaussian(NamedTuple):
    """Mean (D,) and covariance (D, D), float64."""

    mean: Float64
    covariance: Float64


def gaussian(features: NDArray[np.floating]) -> Gaussian:
    """Mean and unbiased covariance of features (N, D), in float64. Raises EvaluationError for fewer than two rows."""
    if len(features) < 2:
        raise EvaluationError(f"Fréchet distance: expected at least 2 samples, got {len(features)}")
    rows = features.astype(np.float64)
    return Gaussian(rows.mean(axis=0), np.cov(rows, rowvar=False).reshape(rows.shape[1], -1))


def distance(first: Gaussian, second: Gaussian) -> float:
    """The squared distance |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½), >= 0."""
    # C1 C2 is similar to C1^½ C2 C1^½, so its eigenvalues are real and non-negative, up to rounding.
    eigenvalues = scipy.linalg.eigvals(first.covariance @ second.covariance).real
    overlap = np.sqrt(eigenvalues.clip(min=0)).sum()
    difference = first.mean - second.mean
    squared = difference @ difference + np.trace(first.covariance) + np.trace(second.covariance) - 2 * overlap
    return max(float(squared), 0.0)
