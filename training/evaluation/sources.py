"""Where digits to measure come from: models, through the runtime, and references, real or damaged on purpose."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mnistgen import Generator, MnistgenError
from mnistgen.checks import Asked
from training.data import Digits, Mnist
from training.errors import EvaluationError

UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]


class Drawn(NamedTuple):
    """Digits, and what they are said to be."""

    images: UInt8  # (N, 28, 28)
    labels: Int64 | None  # (N,); None where nobody says


class Source(Protocol):
    """Anything that makes digits, the same ones for the same seed."""

    @property
    def name(self) -> str:
        """In tables."""
        ...

    @property
    def identity(self) -> str:
        """What its digits depend on beside the seed, for the cache."""
        ...

    @property
    def holds_training_digits(self) -> bool:
        """Whether its digits are training digits themselves, each then its own nearest one."""
        ...

    def draw(self, mnist: Mnist, seed: int, counts: Int64) -> Drawn:
        """As many of each digit as `counts` (10,) says, where it can choose, else as many in all."""
        ...

    @property
    def endless(self) -> bool:
        """Whether a lesson can hold more digits than the training set."""
        ...

    def lesson(self, mnist: Mnist, seed: int, times: int = 1) -> Drawn:
        """As many digits as the training set has, none of them those of `draw`, for a classifier to learn from.

        Of an endless source so many times as many.
        """
        ...


@dataclass(frozen=True)
class Model:
    """A model directory, sampled as its users do."""

    path: Path
    name: str
    sha256: str  # of its graph
    truncation: float = 1.0
    holds_training_digits: bool = False
    endless: bool = True

    @property
    def identity(self) -> str:
        """The graph, what runs it, and how it is sampled where that is not as usual."""
        usual = f"{self.sha256}, onnxruntime {version('onnxruntime')}"
        return usual if self.truncation == 1 else f"{usual}, truncation {self.truncation}"

    def draw(self, mnist: Mnist, seed: int, counts: Int64) -> Drawn:
        """From the seed's first digit on. Raises EvaluationError where the model fails."""
        return self._draw(seed, counts, start=0)

    def lesson(self, mnist: Mnist, seed: int, times: int = 1) -> Drawn:
        """From after the digits that a whole report draws. Raises EvaluationError where the model fails."""
        return self._draw(seed, times * mnist.train.counts().cpu().numpy(), start=len(mnist.train))

    def _draw(self, seed: int, counts: Int64, start: int) -> Drawn:
        try:
            generator = Generator(self.path, device="cpu", threads=1)
            if not generator.card.conditional:
                count = int(counts.sum())
                return Drawn(generator.sample(count, seed=seed, start=start, truncation=self.truncation), None)
            parts, labels = [], np.repeat(np.arange(10), counts)
            for digit, count in enumerate(counts):
                if count:
                    place = Asked(seed=seed, start=start, truncation=self.truncation, digit=digit)
                    parts.append(generator.sample(int(count), **place))
                start += int(count)
            return Drawn(np.concatenate(parts), labels)
        except MnistgenError as error:
            raise EvaluationError(f"{self.name}: failed while it was sampled: {error}") from None


@dataclass(frozen=True)
class TrainingDigits:
    """Real digits: those that the classifier never saw."""

    name: str = "10,000 other training digits"
    identity: str = "training digits"
    holds_training_digits: bool = True
    endless: bool = False

    def draw(self, mnist: Mnist, seed: int, counts: Int64) -> Drawn:
        """Always the same ones."""
        return _drawn(mnist.unseen)

    def lesson(self, mnist: Mnist, seed: int, times: int = 1) -> Drawn:
        """The whole training set."""
        return _drawn(mnist.train)


@dataclass(frozen=True)
class NoisyDigits:
    """Training digits with independent normal noise on every pixel."""

    sigma: float  # grey levels from 0 to 1
    holds_training_digits: bool = False
    endless: bool = False

    @property
    def name(self) -> str:
        """Tells the noise."""
        return f"training digits, noise {self.sigma}"

    identity = name

    def draw(self, mnist: Mnist, seed: int, counts: Int64) -> Drawn:
        """The digits that the classifier never saw, with noise of the seed."""
        return self._spoiled(mnist.unseen, np.random.default_rng((seed, 0)))

    def lesson(self, mnist: Mnist, seed: int, times: int = 1) -> Drawn:
        """The whole training set, with other noise."""
        return self._spoiled(mnist.train, np.random.default_rng((seed, 1)))

    def _spoiled(self, digits: Digits, noise: np.random.Generator) -> Drawn:
        images, labels = _drawn(digits)
        grey = images / np.float32(255) + self.sigma * noise.standard_normal(images.shape, np.float32)
        return Drawn(_rounded(grey), labels)


@dataclass(frozen=True)
class GaussianPixels:
    """Every pixel drawn by itself, from the normal distribution of that pixel over the training digits."""

    name: str = "per-pixel Gaussian"
    identity: str = "per-pixel Gaussian"
    holds_training_digits: bool = False
    endless: bool = False

    def draw(self, mnist: Mnist, seed: int, counts: Int64) -> Drawn:
        """As many as asked for in all."""
        return self._draw(mnist, int(counts.sum()), np.random.default_rng((seed, 0)))

    def lesson(self, mnist: Mnist, seed: int, times: int = 1) -> Drawn:
        """As many as the training set has."""
        return self._draw(mnist, len(mnist.train), np.random.default_rng((seed, 1)))

    def _draw(self, mnist: Mnist, count: int, noise: np.random.Generator) -> Drawn:
        grey = mnist.train.images.cpu().numpy() / np.float32(255)
        pixels = grey.mean(axis=0) + grey.std(axis=0) * noise.standard_normal((count, 28, 28), np.float32)
        return Drawn(_rounded(pixels), None)


# The ceiling and the floors of every table, the best first.
REFERENCES: Sequence[Source] = (TrainingDigits(), NoisyDigits(0.1), NoisyDigits(0.3), GaussianPixels())


def _drawn(digits: Digits) -> Drawn:
    return Drawn(digits.images.cpu().numpy(), digits.labels.cpu().numpy())


def _rounded(grey: NDArray[np.float32]) -> UInt8:
    """Grey levels, 0 to 1 and beyond, as users get them."""
    return (grey.clip(0, 1) * 255 + 0.5).astype(np.uint8)
