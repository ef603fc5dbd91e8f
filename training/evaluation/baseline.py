"""The baseline: real digits that others are compared with, and other real digits that define a ratio of 1."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mnistgen._arrays import Float32, Int64, UInt8
from training.data import Digits, Mnist
from training.evaluation.frechet import Gaussian, distance, gaussian
from training.evaluation.judges import JUDGES, Features, checksums, panel_features
from training.evaluation.neighbours import Manifold, manifold
from training.run.cache import cached

Form = Literal["full", "quick"]

VERSION = 2  # part of the cache keys; increment it when the features or measurements are computed in another way


@dataclass(frozen=True)
class RealDigits:
    """Real digits and their features."""

    name: str  # with their number, e.g. "10,000 test digits"
    images: UInt8  # (N, 28, 28)
    labels: Int64  # (N,), true labels
    features: Features

    @property
    def shares(self) -> NDArray[np.float64]:
        """The fraction of each class, float64 (10,)."""
        return np.bincount(self.labels, minlength=10) / len(self.labels)


@dataclass(frozen=True)
class Baseline:
    """The target digits that digits are compared with, and fresh digits, an equally large set of other real digits.

    A ratio is the Fréchet distance to the target, divided by that of the fresh digits: 1.0 is as close as real digits.
    No judge was trained on digits of either set.
    """

    form: Form
    target: RealDigits
    fresh: RealDigits

    def ratio(self, images: UInt8) -> float:
        """The main figure: the geometric mean over the judges of the Fréchet ratios of images uint8 (N, 28, 28)."""
        return geometric_mean(self.ratios(images))

    def ratios(self, images: UInt8) -> dict[str, float]:
        """The Fréchet ratio of images uint8 (N, 28, 28) for each judge."""
        return self.ratios_of(panel_features(images))

    def ratios_of(self, features: Features) -> dict[str, float]:
        """The Fréchet ratio for each judge, from the features of the images."""
        return {judge: self._distance(judge, features[judge]) / self.fresh_distances[judge] for judge in JUDGES}

    @cached_property
    def fresh_distances(self) -> dict[str, float]:
        """The Fréchet distance of the fresh digits for each judge, the denominator of the ratios."""
        return {judge: self._distance(judge, self.fresh.features[judge]) for judge in JUDGES}

    @cached_property
    def target_manifold(self) -> Manifold:
        """The target's manifold in the classifier's feature space."""
        return manifold(self.target.features["classifier"])

    def _distance(self, judge: str, features: Float32) -> float:
        return distance(gaussian(self._standardize(judge, features)), self._target_gaussians[judge])

    @cached_property
    def _target_gaussians(self) -> dict[str, Gaussian]:
        return {judge: gaussian(self._standardize(judge, self.target.features[judge])) for judge in JUDGES}

    def _standardize(self, judge: str, features: Float32) -> Float32:
        """Standardize features (N, F) by the fresh digits' mean and standard deviation, if the judge requires it."""
        if not JUDGES[judge].standardized:
            return features
        fresh = self.fresh.features[judge]
        deviation = fresh.std(axis=0)
        standardized: Float32 = (features - fresh.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
        return standardized


def geometric_mean(ratios: dict[str, float]) -> float:
    """The geometric mean of positive ratios, which weighs all judges equally."""
    return float(np.prod(list(ratios.values())) ** (1 / len(ratios)))


def _halves(mnist: Mnist) -> tuple[Digits, Digits]:
    """The unseen digits in two halves with equal class counts, up to 1. The first is part of the validation split."""
    first = mnist.unseen.first_of_each((mnist.unseen.counts() / 2).round().long())
    return mnist.unseen.select(first), mnist.unseen.select(~first)


@dataclass(frozen=True)
class Split:
    """The target and the fresh digits of a form: their names, and a function that returns both."""

    target: str
    fresh: str
    split: Callable[[Mnist], tuple[Digits, Digits]]


# The full form uses the test set. The quick form selects checkpoints and never uses it. Fresh digits have the class
# proportions of the target, as random differences in them would dominate the distance.
FORMS: dict[Form, Split] = {
    "full": Split("test digits", "other training digits", lambda mnist: (mnist.test, mnist.unseen)),
    "quick": Split("held-out training digits", "other training digits", _halves),
}


def baseline(mnist: Mnist, form: Form) -> Baseline:
    """The baseline of a form. Features are cached in the user's cache folder."""
    split = FORMS[form]
    target, fresh = split.split(mnist)
    return Baseline(
        form, _real(split.target, target, f"{form}-target", mnist), _real(split.fresh, fresh, f"{form}-fresh", mnist)
    )


def _real(name: str, digits: Digits, key: str, mnist: Mnist) -> RealDigits:
    images, labels = digits.images.cpu().numpy(), digits.labels.cpu().numpy()
    features = cached(f"features-{key}", sources(mnist), lambda: dict(panel_features(images)))
    return RealDigits(f"{len(digits):,} {name}", images, labels, features)


def sources(mnist: Mnist) -> dict[str, str | int]:
    """The checksums and versions that figures of real digits depend on, for cache keys."""
    return {"train": mnist.train.sha256, "test": mnist.test.sha256, "version": VERSION, **checksums()}
