"""Where digits to measure come from: models, through the runtime, and references, real or damaged on purpose."""

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

LARGE = 10  # training sets that a model makes for the larger accuracy score


class Drawn(NamedTuple):
    """Digits, and what they are said to be."""

    images: UInt8  # (N, 28, 28)
    labels: Int64 | None  # (N,); None where nobody says


class Source:
    """Anything that makes digits, the same ones for the same seed."""

    name: str  # in tables
    is_training_digits = False  # each is then its own nearest training digit
    training_sets = 0  # how many training sets it can make for an accuracy score; 0: it is for scale only
    seeds: int | None = 1  # how many sampling seeds it is measured with at most; None: all

    @property
    def identity(self) -> str:
        """What its digits depend on beside the seed, for the cache."""
        return self.name

    def draw(self, real: Baseline, seed: int, counts: Int64) -> Drawn:
        """As many of each digit as `counts` (10,) says, where it can choose, else as many in all."""
        raise NotImplementedError

    def training_set(self, mnist: Mnist, seed: int, times: int = 1) -> Drawn:
        """As many digits as the training set has, or `times` as many, none of them those of `draw`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Model(Source):
    """A model directory, sampled as its users do."""

    path: Path
    name: str
    sha256: str  # of its graph
    truncation: float = 1.0

    training_sets = LARGE
    seeds = None

    @property
    def identity(self) -> str:
        """The graph, what runs it, and how it is sampled where that is not as usual."""
        usual = f"{self.sha256}, onnxruntime {version('onnxruntime')}"
        return usual if self.truncation == 1 else f"{usual}, truncation {self.truncation}"

    def draw(self, real: Baseline, seed: int, counts: Int64) -> Drawn:
        """From the seed's first digit on. Raises EvaluationError where the model fails."""
        return self._draw(seed, counts, start=0)

    def training_set(self, mnist: Mnist, seed: int, times: int = 1) -> Drawn:
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
                    parts.append(
                        generator.sample(int(count), digit=digit, seed=seed, start=start, truncation=self.truncation)
                    )
                start += int(count)
            return Drawn(np.concatenate(parts), labels)
        except MnistgenError as error:
            raise EvaluationError(f"{self.name}: failed while it was sampled: {error}") from None


@dataclass(frozen=True)
class FreshDigits(Source):
    """Real digits: those whose distance is the unit of all ratios."""

    name: str = "other training digits"

    is_training_digits = True
    training_sets = 1

    def draw(self, real: Baseline, seed: int, counts: Int64) -> Drawn:
        """Always the same ones."""
        return Drawn(real.fresh.images, real.fresh.labels)

    def training_set(self, mnist: Mnist, seed: int, times: int = 1) -> Drawn:
        """The whole training set."""
        return Drawn(mnist.train.images.cpu().numpy(), mnist.train.labels.cpu().numpy())


@dataclass(frozen=True)
class DamagedDigits(Source):
    """The fresh digits, damaged on purpose, so that one sees what the figures make of it."""

    name: str
    damage: Callable[[Float32, np.random.Generator], Float32]  # grey levels from 0 to 1, (N, 28, 28)
    legible: bool = True

    def draw(self, real: Baseline, seed: int, counts: Int64) -> Drawn:
        """As many as there are fresh digits."""
        grey = (real.fresh.images / 255).astype(np.float32)
        damaged = self.damage(grey, np.random.default_rng((seed, 0)))
        images = (damaged.clip(0, 1) * 255 + 0.5).astype(np.uint8)
        return Drawn(images, real.fresh.labels if self.legible else None)


def noisy(grey: Float32, random: np.random.Generator, sigma: float) -> Float32:
    """Independent normal noise on every pixel."""
    return grey + sigma * random.standard_normal(grey.shape, np.float32)


def gaussian_pixels(grey: Float32, random: np.random.Generator) -> Float32:
    """Every pixel drawn by itself, from the normal distribution of that pixel."""
    pixels: Float32 = grey.mean(axis=0) + grey.std(axis=0) * random.standard_normal(grey.shape, np.float32)
    return pixels


# The ceiling and the floors of every table, the best first.
REFERENCES: Sequence[Source] = (
    FreshDigits(),
    DamagedDigits("training digits, noise 0.1", partial(noisy, sigma=0.1)),
    DamagedDigits("training digits, noise 0.3", partial(noisy, sigma=0.3)),
    DamagedDigits("per-pixel Gaussian", gaussian_pixels, legible=False),
)
