"""The metrics, as functions on arrays: Fréchet distance, nearest neighbours, accuracy score."""

from typing import NamedTuple

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors

from mnistgen._arrays import Float32, Float64, Int64, UInt8
from training.device import choose
from training.evaluation.networks import Student
from training.fit import Phase, fit, memory

K = 5  # of the K nearest neighbours
PHASE = Phase(epochs=6, peak_learning_rate=6e-3, batch_size=200, weight_decay=0.01)  # of the accuracy score


class Gaussian(NamedTuple):
    """Mean (D,) and covariance (D, D), float64."""

    mean: Float64
    covariance: Float64


def gaussian(features: NDArray[np.floating]) -> Gaussian:
    """Mean and unbiased covariance of features (N, D), N > 1, in float64."""
    rows = features.astype(np.float64)
    return Gaussian(rows.mean(axis=0), np.cov(rows, rowvar=False))


def distance(first: Gaussian, second: Gaussian) -> float:
    """The Fréchet distance, squared: |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½), >= 0.

    Sources: D. Dowson and B. Landau, "The Fréchet distance between multivariate normal distributions", 1982; for
    generators M. Heusel et al., 2017 (arXiv:1706.08500), equation 6.
    """
    # C1 C2 is similar to C1^½ C2 C1^½, so its eigenvalues are real and non-negative, up to rounding.
    eigenvalues = scipy.linalg.eigvals(first.covariance @ second.covariance).real
    overlap = np.sqrt(eigenvalues.clip(min=0)).sum()
    difference = first.mean - second.mean
    squared = difference @ difference + np.trace(first.covariance) + np.trace(second.covariance) - 2 * overlap
    return max(float(squared), 0.0)


class Manifold(NamedTuple):
    """Points (N, D), and the distance (N,) from each to its K-th nearest other point."""

    points: Float32
    radii: Float32


def manifold(points: Float32) -> Manifold:
    """Estimate the manifold of points (N, D), N > K."""
    return Manifold(points, nearest_others(points, K))


@memory.cache  # type: ignore[untyped-decorator]
def nearest_others(points: Float32, rank: int) -> Float32:
    """The distance (N,) from each of the points (N, D) to its `rank`-th nearest other point, counted from 1. Cached."""
    distances: Float32 = NearestNeighbors(n_neighbors=rank, algorithm="brute").fit(points).kneighbors()[0]
    return distances[:, -1].astype(np.float32)


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
    """The nearest training image of each image, by the distance of pixels from 0 to 1."""

    neighbours: Int64  # (N,), the index of that training image
    distances: Float32  # (N,)
    own_distances: Float32  # (N,), from that training image to its nearest other one

    @property
    def authenticity(self) -> float:
        """The share of distances that exceed the training image's own (A. Alaa et al., 2022, arXiv:2102.08921)."""
        return float((self.distances > self.own_distances).mean())


@memory.cache  # type: ignore[untyped-decorator]
def copies(images: UInt8, training: UInt8, *, skip_itself: bool = False) -> Copies:
    """Compare images uint8 (N, 28, 28) with training images uint8 (M, 28, 28) in pixel space.

    Set `skip_itself` for images that are training images. Cached.
    """
    points = as_points(training)
    distances, neighbours = nearest(as_points(images), points, skip=int(skip_itself))
    return Copies(neighbours, distances, nearest_others(points, 1)[neighbours])


def as_points(images: UInt8) -> Float32:
    """Flatten images uint8 (N, 28, 28) to points float32 (N, 784) in [0, 1]."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def accuracy_score(
    training: tuple[UInt8, Int64], test: tuple[UInt8, Int64], classes: int, seed: int, phase: Phase = PHASE
) -> float:
    """Train a small classifier on images uint8 (N, 28, 28) and labels (N,); its accuracy, 0 to 1, on the test images.

    Depends on the seed and does not change torch's global random state. Uses bfloat16 if the CPU supports it; the
    effect on the score is smaller than that of the seed. Source: S. Ravuri and O. Vinyals, "Classification Accuracy
    Score for Conditional Generative Models", 2019 (arXiv:1905.10887).
    """
    compute = choose("cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = compute.place(Student(classes))
        images, labels = map(torch.from_numpy, training)
        fit(student, student.loss, images, labels, phase, autocast=compute.autocast)
    return student.accuracy(*map(torch.from_numpy, test))
