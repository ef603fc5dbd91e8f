"""Figures from nearest neighbours by Euclidean distance: precision, recall, density, coverage and memorisation."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors

from mnistgen._arrays import Float32, Int64, UInt8
from training.errors import EvaluationError

K = 5


class Manifold(NamedTuple):
    """Points (N, D), and the distance (N,) from each to its K-th nearest other point."""

    points: Float32
    radii: Float32


def manifold(points: Float32) -> Manifold:
    """Estimate the manifold of points (N, D). Raises EvaluationError for fewer than K + 1 points."""
    if len(points) <= K:
        raise EvaluationError(f"precision and recall: expected at least {K + 1} samples, got {len(points)}")
    return Manifold(points, nearest_others(points, K)[0][:, -1])


def nearest_others(points: Float32, count: int) -> tuple[Float32, Int64]:
    """Distances and indices (N, count) of each point's nearest other points, nearest first. Points are (N, D)."""
    distances, indices = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points).kneighbors()
    return distances.astype(np.float32), indices


def nearest(points: Float32, among: Float32, *, skip: int = 0) -> tuple[Float32, Int64]:
    """Distance and index (N,) of the point in `among` (M, D) nearest to each of the points (N, D).

    With `skip`, that of the (skip + 1)-th nearest.
    """
    distances, indices = NearestNeighbors(n_neighbors=1 + skip, algorithm="brute").fit(among).kneighbors(points)
    return distances[:, skip].astype(np.float32), indices[:, skip]


def precision_recall_density_coverage(real: Manifold, generated: Manifold) -> dict[str, float]:
    """Precision, recall and coverage, from 0 to 1; density, unbounded, and about 1 for equal distributions.

    Sources: T. Kynkäänniemi et al., 2019 (arXiv:1904.06991), section 2; M. Naeem et al., 2020 (arXiv:2002.09797),
    equations 4 and 5.
    """
    generated_in_balls = np.empty(len(generated.points), np.int64)  # how many real balls hold each generated point
    real_is_recalled = np.zeros(len(real.points), bool)
    real_is_covered = np.zeros(len(real.points), bool)
    first = 0
    for chunk in pairwise_distances_chunked(generated.points, real.points):
        part = slice(first, first := first + len(chunk))
        in_real_balls = chunk < real.radii
        generated_in_balls[part] = in_real_balls.sum(axis=1)
        real_is_covered |= in_real_balls.any(axis=0)
        real_is_recalled |= (chunk < generated.radii[part, None]).any(axis=0)
    return {
        "precision": float((generated_in_balls > 0).mean()),
        "recall": float(real_is_recalled.mean()),
        "density": float(generated_in_balls.mean() / K),
        "coverage": float(real_is_covered.mean()),
    }


class Copies(NamedTuple):
    """The distances of digits to training digits."""

    distances: Float32  # (N,), to the nearest training digit, with pixels from 0 to 1
    neighbours: Int64  # (N,), the index of that digit
    authentic: NDArray[np.bool_]  # (N,), whether that distance exceeds the one from that digit to its nearest other one


def copies(images: UInt8, training: UInt8, training_distances: Float32, *, skip_itself: bool = False) -> Copies:
    """Compare images uint8 (N, 28, 28) with training images uint8 (M, 28, 28) in pixel space.

    `training_distances` (M,) are the distances from each training digit to its nearest other one. Set `skip_itself` for
    images that are training digits. Source of authenticity: A. Alaa et al., 2022 (arXiv:2102.08921), section 3.3.
    """
    distances, neighbours = nearest(pixels(images), pixels(training), skip=int(skip_itself))
    return Copies(distances, neighbours, distances > training_distances[neighbours])


def pixels(images: UInt8) -> Float32:
    """Flatten images uint8 (N, 28, 28) to points float32 (N, 784) in [0, 1]."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
