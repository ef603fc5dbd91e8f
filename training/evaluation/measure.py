"""Measure a source of images: a model, sampled by the runtime, or a reference, real images with a known degradation."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.metrics import confusion_matrix

from mnistgen import Generator, MnistgenError
from mnistgen._arrays import Float32, Float64, Int64, UInt8
from mnistgen._model import ModelCard
from training.data import DataSet, load_data
from training.errors import EvaluationError
from training.evaluation import metrics
from training.evaluation.baseline import Baseline, Form, baseline, geometric_mean
from training.evaluation.metrics import PHASE
from training.evaluation.report import Estimate, Scores
from training.fit import memory
from training.sources import Ink

# Accuracy scores, and the size of their training sets, relative to the data's. The large one takes long: it is measured
# for the first seed only, and has fewer epochs.
SCORES = (("accuracy_score", 1, PHASE), ("large_accuracy_score", 10, PHASE._replace(epochs=2)))


class Drawn(NamedTuple):
    """Images and their labels."""

    images: UInt8  # (N, 28, 28)
    labels: Int64 | None  # (N,); None if unknown


@dataclass(frozen=True)
class Model:
    """A model directory, sampled through the public API. The same seed gives the same images."""

    path: Path
    name: str  # in tables
    card: ModelCard

    def draw(self, real: Baseline, seed: int, samples: int) -> Drawn:
        """Draw images in the target's class proportions, if the model has the same classes."""
        return self._draw(real.classes, seed, class_counts(real.shares, samples), start=0)

    def training_set(self, data: DataSet, seed: int, times: int) -> Drawn:
        """Draw `times` as many images as in the training set, disjoint from those of `draw`."""
        return self._draw(data.classes, seed, times * data.train.counts().numpy(), start=len(data.train))

    def _draw(self, classes: tuple[str, ...], seed: int, counts: Int64, start: int) -> Drawn:
        labels = np.repeat(np.arange(len(counts)), counts) if classes and self.card.classes == classes else None
        try:
            generator = Generator(self.path, device="cpu", threads=1)
            return Drawn(generator.sample(int(counts.sum()), labels=labels, seed=seed, start=start), labels)
        except MnistgenError as error:
            raise EvaluationError(f"{self.name}: sampling failed: {error}") from None


@dataclass(frozen=True)
class Reference:
    """The fresh images of the baseline, whose ratio is 1, or a degraded form of them, of known quality."""

    name: str
    degrade: Callable[[Float32, np.random.Generator], Float32] | None = None  # (N, 28, 28), pixels from 0 to 1
    has_labels: bool = True  # False if the images are no longer legible

    def draw(self, real: Baseline, seed: int, samples: int) -> Drawn:
        """All fresh images, for any number of samples."""
        images, labels = real.fresh.images, real.fresh.labels
        if self.degrade:
            degraded = self.degrade((images / 255).astype(np.float32), np.random.default_rng((seed, 0)))
            images = (degraded.clip(0, 1) * 255 + 0.5).astype(np.uint8)
        return Drawn(images, labels if real.classes and self.has_labels else None)

    def training_set(self, data: DataSet, seed: int, times: int) -> Drawn | None:
        """The training images, if they are not degraded. There are not several times as many."""
        known = data.train.images.numpy(), data.train.labels.numpy()
        return None if self.degrade or times > 1 else Drawn(*known)


Source = Model | Reference


def add_noise(pixels: Float32, random: np.random.Generator, sigma: float) -> Float32:
    """Add independent Gaussian noise to each pixel."""
    return pixels + sigma * random.standard_normal(pixels.shape, np.float32)


def gaussian_pixels(pixels: Float32, random: np.random.Generator) -> Float32:
    """Sample each pixel independently, from a Gaussian with that pixel's mean and standard deviation."""
    samples: Float32 = pixels.mean(axis=0) + pixels.std(axis=0) * random.standard_normal(pixels.shape, np.float32)
    return samples


# References for every table, best first.
REFERENCES: Sequence[Reference] = (
    Reference("other training images"),
    Reference("training images, noise 0.1", partial(add_noise, sigma=0.1)),
    Reference("training images, noise 0.3", partial(add_noise, sigma=0.3)),
    Reference("per-pixel Gaussian", gaussian_pixels, has_labels=False),
)


@dataclass(frozen=True)
class Measurement:
    """The results for one sampling seed."""

    figures: dict[str, float]  # by keys of FIGURES
    shares: Float64 | None = None  # (K,), of each class as predicted by the classifier
    confusion: Int64 | None = None  # (K, K), label by prediction; None for images without labels


@cache
def loaded(data: str, ink: Ink, form: Form) -> tuple[DataSet, Baseline]:
    """The data set, as `load_data` reads it on the CPU, and its baseline. Loaded once per process."""
    found = load_data(data, ink=ink)
    return found, baseline(found, form)


def measure_once(source: Source, seed: int, samples: int, data: str, ink: Ink, form: Form) -> Measurement:
    """`measure` in a worker process, which does not warn again."""
    with warnings.catch_warnings(action="ignore"):
        found, real = loaded(data, ink, form)
    measurement: Measurement = measure(source, seed, samples, real.identity, found, real)
    return measurement


@memory.cache(ignore=["data", "real"])  # type: ignore[untyped-decorator]
def measure(source: Source, seed: int, samples: int, identity: str, data: DataSet, real: Baseline) -> Measurement:
    """Draw images from a source and measure them; the quick form skips the slow figures. Cached.

    `identity` is that of the baseline. Raises EvaluationError if the source fails.
    """
    drawn = source.draw(real, seed, samples)
    found = real.judges.all_features(drawn.images)
    ratios = real.ratios(found)
    generated = metrics.manifold(found[real.judges.main])
    figures = {
        "ratio": geometric_mean(ratios),
        "worst_ratio": max(ratios.values()),
        **{f"{judge}_ratio": ratio for judge, ratio in ratios.items()},
        **metrics.precision_recall_density_coverage(real.manifold, generated),
    }
    training_images, test_images = data.train.images.numpy(), data.test.images.numpy()
    if real.form == "full":
        nearest = metrics.copies(drawn.images, training_images, skip_itself=source == REFERENCES[0])
        of_test = metrics.copies(test_images, training_images)
        figures["nearest_ratio"] = float(np.median(nearest.distances) / np.median(of_test.distances))
        figures["authenticity"] = nearest.authenticity
    if not data.classes:
        return Measurement(figures)
    predicted, _ = real.judges.predict(found["classifier"])
    shares = np.bincount(predicted, minlength=len(data.classes)) / len(predicted)
    figures["class_balance"] = float(np.abs(shares - real.shares).sum() / 2)
    confusion = None
    if drawn.labels is not None:
        figures["label_accuracy"] = float((predicted == drawn.labels).mean())
        confusion = confusion_matrix(drawn.labels, predicted, labels=range(len(shares)))
    if real.form == "full":
        for name, times, phase in SCORES if confusion is not None and seed == 1 else SCORES[:1]:
            if training := source.training_set(data, seed, times):
                images, known = training
                labels = real.judges.predict(real.judges.features(images, "classifier"))[0] if known is None else known
                test = test_images, data.test.labels.numpy()
                figures[name] = metrics.accuracy_score((images, labels), test, len(data.classes), seed, phase)
    return Measurement(figures, shares, confusion)


def summarise(name: str, measurements: Sequence[Measurement]) -> Scores:
    """The mean and confidence interval over the seeds. Figures that are not finite are omitted."""
    values = {key: [m.figures[key] for m in measurements if key in m.figures] for key in measurements[0].figures}
    shares = [m.shares for m in measurements if m.shares is not None]
    confusions = [m.confusion for m in measurements if m.confusion is not None]
    return Scores(
        name=name,
        note="without labels; labelled by the classifier" if shares and not confusions else "",
        figures={key: Estimate.of(found) for key, found in values.items() if np.isfinite(found).all()},
        class_shares=tuple(map(Estimate.of, np.transpose(shares).tolist())),
        confusion=tuple(map(tuple, np.sum(confusions, axis=0).tolist())) if confusions else None,
    )


def class_counts(shares: Float64, samples: int) -> Int64:
    """Class counts int64 (K,) of `samples` images in these proportions (K,), by the largest-remainder method."""
    exact = shares * samples
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: samples - int(counts.sum())]] += 1
    return counts
