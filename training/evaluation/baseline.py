"""Real digits that others are measured against, and a fresh draw of real digits that gives the ratios their unit."""

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

VERSION = 2  # of what is cached below and of the measurements; to raise when either is computed in another way


@dataclass(frozen=True)
class Real:
    """Real digits and their features."""

    name: str  # how many of which
    images: UInt8  # (N, 28, 28)
    labels: Int64  # (N,), true ones
    features: Features

    @property
    def shares(self) -> NDArray[np.float64]:
        """The share of each digit, (10,)."""
        return np.bincount(self.labels, minlength=10) / len(self.labels)


@dataclass(frozen=True)
class Baseline:
    """`target` is what digits are measured against, `fresh` as many other real digits.

    Every ratio is a Fréchet distance to `target` over that of `fresh` to `target`: 1.0 is a fresh draw of real digits.
    Neither set holds a digit that a judge has learned from.
    """

    form: Form
    target: Real
    fresh: Real

    def ratio(self, images: UInt8) -> float:
        """The geometric mean of the panel's Fréchet ratios of images uint8 (N, 28, 28): the headline figure."""
        return geometric_mean(self.ratios(images))

    def ratios(self, images: UInt8) -> dict[str, float]:
        """The Fréchet ratio of images uint8 (N, 28, 28) by each judge."""
        return self.ratios_of(panel_features(images))

    def ratios_of(self, features: Features) -> dict[str, float]:
        """The same from their features."""
        return {judge: self._distance(judge, features[judge]) / self.fresh_distances[judge] for judge in JUDGES}

    @cached_property
    def fresh_distances(self) -> dict[str, float]:
        """The Fréchet distance of the fresh digits by each judge: what ratios divide by."""
        return {judge: self._distance(judge, self.fresh.features[judge]) for judge in JUDGES}

    @cached_property
    def target_manifold(self) -> Manifold:
        """Of the classifier's features."""
        return manifold(self.target.features["classifier"])

    def _distance(self, judge: str, features: Float32) -> float:
        return distance(gaussian(self._standardize(judge, features)), self._target_gaussians[judge])

    @cached_property
    def _target_gaussians(self) -> dict[str, Gaussian]:
        return {judge: gaussian(self._standardize(judge, self.target.features[judge])) for judge in JUDGES}

    def _standardize(self, judge: str, features: Float32) -> Float32:
        """Features (N, F) with the fresh digits' mean and deviation taken out, where the judge's row says so."""
        if not JUDGES[judge].standardized:
            return features
        fresh = self.fresh.features[judge]
        deviation = fresh.std(axis=0)
        standardized: Float32 = (features - fresh.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
        return standardized


def geometric_mean(ratios: dict[str, float]) -> float:
    """The geometric mean of positive ratios, by which no judge's scale weighs more than another's."""
    return float(np.prod(list(ratios.values())) ** (1 / len(ratios)))


def _halves(mnist: Mnist) -> tuple[Digits, Digits]:
    """The unseen digits in two halves of the same classes, within one; the first of them are all held out."""
    first = mnist.unseen.first_of_each((mnist.unseen.counts() / 2).round().long())
    return mnist.unseen.select(first), mnist.unseen.select(~first)


@dataclass(frozen=True)
class Sets:
    """Which digits a form measures against, and which are its fresh ones; `split` gives both."""

    target: str
    fresh: str
    split: Callable[[Mnist], tuple[Digits, Digits]]


# The full form reports against the test set; the quick form, by which checkpoints are chosen,
# never uses it. Fresh digits have the target's share of each class: chance in them would weigh more than all else.
FORMS: dict[Form, Sets] = {
    "full": Sets("test digits", "other training digits", lambda mnist: (mnist.test, mnist.unseen)),
    "quick": Sets("held-out training digits", "other training digits", _halves),
}


def baseline(mnist: Mnist, form: Form) -> Baseline:
    """The baseline of a form; features come from the user's cache where they are in it."""
    sets = FORMS[form]
    target, fresh = sets.split(mnist)
    return Baseline(
        form, _real(sets.target, target, f"{form}-target", mnist), _real(sets.fresh, fresh, f"{form}-fresh", mnist)
    )


def _real(name: str, digits: Digits, key: str, mnist: Mnist) -> Real:
    images, labels = digits.images.cpu().numpy(), digits.labels.cpu().numpy()
    features = cached(f"features-{key}", sources(mnist), lambda: dict(panel_features(images)))
    return Real(f"{len(digits):,} {name}", images, labels, features)


def sources(mnist: Mnist) -> dict[str, str | int]:
    """The checksums of everything that figures of real digits depend on."""
    return {"train": mnist.train.sha256, "test": mnist.test.sha256, "version": VERSION, **checksums()}
