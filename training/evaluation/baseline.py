"""Real digits that others are measured against, and another draw of real digits that shows what the figures mean."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.data import Digits, Mnist
from training.evaluation import frechet
from training.evaluation.classifier import weights_sha256
from training.evaluation.features import judge, random_features
from training.evaluation.frechet import Gaussian, gaussian
from training.evaluation.neighbours import Manifold, manifold
from training.run.cache import Arrays, cached

Form = Literal["full", "quick"]
Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

VERSION = 1  # of what is cached below; to raise when it is computed in another way


@dataclass(frozen=True)
class Real:
    """Real digits and their features."""

    images: UInt8  # (N, 28, 28)
    labels: Int64  # (N,), true ones
    features: Float32  # (N, 128), the classifier's
    random: Float32  # (N, 128), the random network's, not standardised

    @property
    def shares(self) -> NDArray[np.float64]:
        """The share of each digit, (10,)."""
        return np.bincount(self.labels, minlength=10) / len(self.labels)


@dataclass(frozen=True)
class Yardstick:
    """`target` is what digits are measured against, `fresh` as many other real digits.

    Every ratio is a distance to `target` over that of `fresh` to `target`: 1.0 is a fresh draw of real digits.
    """

    form: Form
    target: Real
    fresh: Real

    def distance(self, features: Float32) -> float:
        """The Fréchet distance of classifier features (N, 128) from the target's."""
        return frechet.distance(gaussian(features), self.target_gaussian)

    def ratio(self, images: UInt8) -> float:
        """The Fréchet ratio of images uint8 (N, 28, 28)."""
        return self.distance(judge(images).features) / self.fresh_distance

    def random_distance(self, features: Float32) -> float:
        """The Fréchet distance of random-network features (N, 128), standardised by the fresh digits'."""
        return frechet.distance(gaussian(self.standardise(features)), self.target_random_gaussian)

    def standardise(self, features: Float32) -> Float32:
        """Random-network features (N, 128) with the fresh digits' mean and deviation taken out."""
        deviation = self.fresh.random.std(axis=0)
        standardised: Float32 = (features - self.fresh.random.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
        return standardised

    @cached_property
    def target_gaussian(self) -> Gaussian:
        """Of the classifier's features."""
        return gaussian(self.target.features)

    @cached_property
    def target_random_gaussian(self) -> Gaussian:
        """Of the standardised random-network features."""
        return gaussian(self.standardise(self.target.random))

    @cached_property
    def fresh_distance(self) -> float:
        """What the Fréchet ratio divides by."""
        return self.distance(self.fresh.features)

    @cached_property
    def fresh_random_distance(self) -> float:
        """What the ratio in random-network features divides by."""
        return self.random_distance(self.fresh.random)

    @cached_property
    def target_manifold(self) -> Manifold:
        """Of the classifier's features."""
        return manifold(self.target.features)


def _held_out(mnist: Mnist) -> tuple[Digits, Digits]:
    counts = mnist.validation.counts()
    return mnist.validation, mnist.seen.select(mnist.seen.first_of_each(counts))


# The full form reports against the test set; the quick form, by which checkpoints are chosen, never looks at it. What
# stands for a fresh draw has the target's share of each digit: chance in them would weigh more than all else.
FORMS: dict[Form, Callable[[Mnist], tuple[Digits, Digits]]] = {
    "full": lambda mnist: (mnist.test, mnist.unseen),
    "quick": _held_out,
}


def yardstick(mnist: Mnist, form: Form) -> Yardstick:
    """The yardstick of a form; features come from the user's cache where they are in it."""
    target, fresh = FORMS[form](mnist)
    return Yardstick(form, _real(f"{form}-target", target, mnist), _real(f"{form}-fresh", fresh, mnist))


def _real(name: str, digits: Digits, mnist: Mnist) -> Real:
    images, labels = digits.images.cpu().numpy(), digits.labels.cpu().numpy()

    def features() -> Arrays:
        return {"features": judge(images).features, "random": random_features(images)}

    return Real(images, labels, **cached(f"features-{name}", sources(mnist), features))


def sources(mnist: Mnist) -> dict[str, str | int]:
    """The checksums of everything that figures of real digits depend on."""
    return {
        "train": mnist.train.sha256,
        "test": mnist.test.sha256,
        "classifier": weights_sha256(),
        "version": VERSION,
    }
