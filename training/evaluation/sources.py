"""Sources of digits to measure: models, sampled by the runtime, and references, real or degraded digits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnistgen import Generator, MnistgenError
from mnistgen._arrays import Float32, Int64, UInt8
from training.data import Mnist
from training.errors import EvaluationError
from training.evaluation.baseline import Baseline

LARGE = 10  # size of the training set for the large accuracy score, relative to MNIST's


class Drawn(NamedTuple):
    """Images and their labels."""

    images: UInt8  # (N, 28, 28)
    labels: Int64 | None  # (N,); None if unknown


class Source:
    """A deterministic source of digits: the same seed gives the same digits."""

    name: str  # in tables
    is_training_digits = False  # if so, each is its own nearest training digit
    training_sets = 0  # size of the largest training set it can provide, relative to MNIST's; 0: no accuracy score
    seeds: int | None = 1  # the maximum number of sampling seeds; None: unlimited

    @property
    def identity(self) -> str:
        """Identifies the source in cache keys: everything that its digits depend on, except for the seed."""
        return self.name

    def draw(self, real: Baseline, seed: int, counts: Int64) -> Drawn:
        """Draw counts[c] digits of each class c; an unconditional source draws as many in total."""
        raise NotImplementedError

    def training_set(self, mnist: Mnist, seed: int, times: int = 1) -> Drawn:
        """Draw `times` as many digits as in MNIST's training set, disjoint from those of `draw`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Model(Source):
    """A model directory, sampled through the public API."""

    path: Path
    name: str
    sha256: str  # of model.onnx
    truncation: float = 1.0

    training_sets = LARGE
    seeds = None

    @property
    def identity(self) -> str:
        """The checksum of the graph, the version of onnxruntime and, if not 1, the truncation."""
        default = f"{self.sha256}, onnxruntime {version('onnxruntime')}"
        return default if self.truncation == 1 else f"{default}, truncation {self.truncation}"

    def draw(self, real: Baseline, seed: int, counts: Int64) -> Drawn:
        """Draw from index 0 of the seed. Raises EvaluationError if the model fails."""
        return self._draw(seed, counts, start=0)

    def training_set(self, mnist: Mnist, seed: int, times: int = 1) -> Drawn:
        """Draw from an index after those of `draw`. Raises EvaluationError if the model fails."""
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
                    parts.append(
                        generator.sample(int(count), digit=digit, seed=seed, start=start, truncation=self.truncation)
                    )
                start += int(count)
            return Drawn(np.concatenate(parts), labels)
        except MnistgenError as error:
            raise EvaluationError(f"{self.name}: sampling failed: {error}") from None


@dataclass(frozen=True)
class FreshDigits(Source):
    """The fresh digits of the baseline, whose ratio is 1."""

    name: str = "other training digits"

    is_training_digits = True
    training_sets = 1

    def draw(self, real: Baseline, seed: int, counts: Int64) -> Drawn:
        """All fresh digits, for any seed and counts."""
        return Drawn(real.fresh.images, real.fresh.labels)

    def training_set(self, mnist: Mnist, seed: int, times: int = 1) -> Drawn:
        """The training set of MNIST."""
        return Drawn(mnist.train.images.cpu().numpy(), mnist.train.labels.cpu().numpy())


@dataclass(frozen=True)
class DegradedDigits(Source):
    """The fresh digits with a degradation, as references of known quality."""

    name: str
    degrade: Callable[[Float32, np.random.Generator], Float32]  # float32 (N, 28, 28), pixels from 0 to 1
    has_labels: bool = True  # False if the digits are no longer legible

    def draw(self, real: Baseline, seed: int, counts: Int64) -> Drawn:
        """Degrade all fresh digits, for any counts."""
        pixels = (real.fresh.images / 255).astype(np.float32)
        degraded = self.degrade(pixels, np.random.default_rng((seed, 0)))
        images = (degraded.clip(0, 1) * 255 + 0.5).astype(np.uint8)
        return Drawn(images, real.fresh.labels if self.has_labels else None)


def add_noise(pixels: Float32, random: np.random.Generator, sigma: float) -> Float32:
    """Add independent Gaussian noise to each pixel."""
    return pixels + sigma * random.standard_normal(pixels.shape, np.float32)


def gaussian_pixels(pixels: Float32, random: np.random.Generator) -> Float32:
    """Sample each pixel independently, from a Gaussian with that pixel's mean and standard deviation."""
    samples: Float32 = pixels.mean(axis=0) + pixels.std(axis=0) * random.standard_normal(pixels.shape, np.float32)
    return samples


# References for every table, best first.
REFERENCES: Sequence[Source] = (
    FreshDigits(),
    DegradedDigits("training digits, noise 0.1", partial(add_noise, sigma=0.1)),
    DegradedDigits("training digits, noise 0.3", partial(add_noise, sigma=0.3)),
    DegradedDigits("per-pixel Gaussian", gaussian_pixels, has_labels=False),
)
