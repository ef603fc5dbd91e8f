"""The baseline: real images that others are compared with, and other real images that define a ratio of 1."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import joblib
import numpy as np
import torch

from mnistgen._arrays import Float32, Float64, Int64, UInt8
from training.data import DataSet, Images
from training.evaluation.judges import JUDGES, Features, Judges, judges_for
from training.evaluation.metrics import Gaussian, Manifold, distance, gaussian, manifold
from training.fit import memory

Form = Literal["full", "quick"]
TARGETS: Mapping[Form, str] = {"full": "test images", "quick": "held-out training images"}


@dataclass(frozen=True)
class RealImages:
    """Real images and their features."""

    name: str  # with their number, e.g. "10,000 test images"
    images: UInt8  # (N, 28, 28)
    labels: Int64  # (N,), true labels; 0 without classes
    features: Features


@dataclass(frozen=True)
class Baseline:
    """The target that images are compared with, and fresh images, an equally large set of other real images.

    A ratio is the Fréchet distance to the target, divided by that of the fresh images: 1.0 is as close as real images.
    No judge was trained on images of either set.
    """

    form: Form
    classes: tuple[str, ...]
    judges: Judges
    target: RealImages
    fresh: RealImages
    identity: str  # a checksum of all that figures depend on, for the cache

    def ratio(self, images: UInt8) -> float:
        """The main figure: the geometric mean over the judges of the Fréchet ratios of images uint8 (N, 28, 28)."""
        return geometric_mean(self.ratios(self.judges.all_features(images)))

    def ratios(self, features: Features) -> dict[str, float]:
        """The Fréchet ratio for each judge, from the features of the images."""
        return {judge: self._distance(judge, found) / self.fresh_distances[judge] for judge, found in features.items()}

    @cached_property
    def fresh_distances(self) -> dict[str, float]:
        """The Fréchet distance of the fresh images for each judge, the denominator of the ratios."""
        return {judge: self._distance(judge, found) for judge, found in self.fresh.features.items()}

    @cached_property
    def manifold(self) -> Manifold:
        """The target's manifold in the feature space of the main judge."""
        return manifold(self.target.features[self.judges.main])

    @cached_property
    def shares(self) -> Float64:
        """The target's fraction of each class, float64 (K,); (1,) without classes."""
        return np.bincount(self.target.labels, minlength=len(self.classes)) / len(self.target.labels)

    def _distance(self, judge: str, features: Float32) -> float:
        return distance(gaussian(self._standardize(judge, features)), self._target_gaussians[judge])

    @cached_property
    def _target_gaussians(self) -> dict[str, Gaussian]:
        return {judge: gaussian(self._standardize(judge, features)) for judge, features in self.target.features.items()}

    def _standardize(self, judge: str, features: Float32) -> Float32:
        """Standardize features (N, F) by the fresh images' mean and standard deviation, if the judge requires it."""
        if not JUDGES[judge].standardized:
            return features
        fresh = self.fresh.features[judge]
        deviation = fresh.std(axis=0)
        standardized: Float32 = (features - fresh.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
        return standardized


def geometric_mean(ratios: dict[str, float]) -> float:
    """The geometric mean of positive ratios, which weighs all judges equally."""
    return float(np.prod(list(ratios.values())) ** (1 / len(ratios)))


def baseline(data: DataSet, form: Form) -> Baseline:
    """The baseline of a form: full with the test images; quick, to select checkpoints, without them.

    Trains the judges of data other than MNIST at the first call, see `judges_for`. Features are cached.
    """
    judges = judges_for(data)
    parts = (data.test, data.unseen) if form == "full" else _halves(data)
    names = TARGETS[form], "other training images"
    target, fresh = (_real(name, part, judges) for name, part in zip(names, parts, strict=True))
    identity = str(joblib.hash((form, data.sha256, data.classes, judges.sha256, target, fresh)))
    return Baseline(form, data.classes, judges, target, fresh, identity)


def _halves(data: DataSet) -> tuple[Images, Images]:
    """Halves of the unseen images with equal class counts, up to 1, as differences would dominate the distance.

    The first is part of the validation split.
    """
    half = torch.minimum((data.unseen.counts() / 2).round().long(), data.validation.counts())
    first, both = data.unseen.first_of_each(half), data.unseen.first_of_each(2 * half + 1)
    return data.unseen.select(first), data.unseen.select(both & ~first)


def _real(name: str, part: Images, judges: Judges) -> RealImages:
    images, labels = part.images.cpu().numpy(), part.labels.cpu().numpy()
    features = _features(images, dict(judges.sha256), judges)
    return RealImages(f"{len(part):,} {name}", images, labels, features)


@memory.cache(ignore=["judges"])  # type: ignore[untyped-decorator]
def _features(images: UInt8, sha256: dict[str, str], judges: Judges) -> Features:
    return judges.all_features(images)
