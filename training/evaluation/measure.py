"""All figures of a source: a measurement per sampling seed, and their means and confidence intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mnistgen._arrays import Float32, Int64
from training.data import Mnist, load_mnist
from training.evaluation.accuracy_score import PHASE, accuracy_score
from training.evaluation.baseline import Baseline, Form, baseline, geometric_mean, sources
from training.evaluation.figures import Estimate, Scores
from training.evaluation.judges import classify, features, panel_features
from training.evaluation.neighbours import (
    Copies,
    copies,
    manifold,
    nearest,
    nearest_others,
    pixels,
    precision_recall_density_coverage,
)
from training.evaluation.sources import LARGE, Drawn, Source
from training.run.cache import Arrays, cached

# The large accuracy score is measured for one seed only, and with fewer epochs, since it takes long.
LARGE_SEED, LARGE_PHASE = 1, PHASE._replace(epochs=2)

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """The results for one sampling seed."""

    figures: dict[str, float]  # by keys of FIGURES
    shares: Float64  # (10,), of each class as predicted by the classifier
    confusion: Int64 | None  # (10, 10), label by prediction; None for digits without labels

    def to_arrays(self) -> Arrays:
        """Convert to arrays, for the cache."""
        arrays: Arrays = {f"figures.{name}": np.array(value) for name, value in self.figures.items()}
        arrays["shares"] = self.shares
        return arrays if self.confusion is None else arrays | {"confusion": self.confusion}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "Measurement":
        """The inverse of `to_arrays`."""
        figures = {
            name.removeprefix("figures."): float(value) for name, value in arrays.items() if name.startswith("figures.")
        }
        return cls(figures, arrays["shares"], arrays.get("confusion"))


def measure(source: Source, seed: int, samples: int, mnist: Mnist, real: Baseline) -> Measurement:
    """Draw digits from a source and measure them; the quick form skips the slow figures.

    Raises EvaluationError if the source fails or there are too few digits.
    """
    drawn = source.draw(real, seed, class_counts(real, samples))
    found = panel_features(drawn.images)
    predicted = classify(found["classifier"])
    ratios = real.ratios_of(found)
    shares = np.bincount(predicted.labels, minlength=10) / len(predicted.labels)
    figures = {
        "ratio": geometric_mean(ratios),
        "worst_ratio": max(ratios.values()),
        **{f"{judge}_ratio": ratio for judge, ratio in ratios.items()},
        **precision_recall_density_coverage(real.target_manifold, manifold(found["classifier"])),
        "class_balance": float(np.abs(shares - real.target.shares).sum() / 2),
    }
    confusion = None
    if drawn.labels is not None:
        figures["label_accuracy"] = float((predicted.labels == drawn.labels).mean())
        confusion = np.zeros((10, 10), np.int64)
        np.add.at(confusion, (drawn.labels, predicted.labels), 1)
    if real.form == "full":
        figures |= _memorisation(drawn, mnist, among_themselves=source.is_training_digits)
        if source.training_sets:
            figures["accuracy_score"] = _accuracy_score(source, seed, mnist)
        if source.training_sets >= LARGE and drawn.labels is not None and seed == LARGE_SEED:
            figures["large_accuracy_score"] = _accuracy_score(source, seed, mnist, times=LARGE)
    return Measurement(figures, shares, confusion)


def summarise(source: Source, measurements: Sequence[Measurement]) -> Scores:
    """The mean and confidence interval over the seeds."""
    first = measurements[0]
    confusions = [m.confusion for m in measurements if m.confusion is not None]
    return Scores(
        name=source.name,
        note="" if confusions else "without labels; labelled by the classifier",
        figures={
            name: Estimate.of([m.figures[name] for m in measurements if name in m.figures]) for name in first.figures
        },
        class_shares=tuple(Estimate.of([float(m.shares[digit]) for m in measurements]) for digit in range(10)),
        confusion=tuple(tuple(map(int, row)) for row in np.sum(confusions, axis=0)) if confusions else None,
    )


def class_counts(real: Baseline, samples: int) -> Int64:
    """Class counts int64 (10,) of `samples` digits in the target's proportions, by the largest-remainder method."""
    shares = real.target.shares * samples
    counts = np.floor(shares).astype(np.int64)
    counts[np.argsort(counts - shares, kind="stable")[: samples - int(counts.sum())]] += 1
    return counts


def find_copies(drawn: Drawn, mnist: Mnist, *, among_themselves: bool = False) -> Copies:
    """Compare with the nearest training digits; `among_themselves` excludes the digits themselves."""
    training = mnist.train.images.cpu().numpy()
    return copies(drawn.images, training, own_distances(mnist), skip_itself=among_themselves)


def own_distances(mnist: Mnist) -> Float32:
    """The distance from each training digit to its nearest other training digit, (N,)."""
    distances: Float32 = _neighbourhood(mnist)["training"]
    return distances


def _memorisation(drawn: Drawn, mnist: Mnist, *, among_themselves: bool) -> dict[str, float]:
    found = find_copies(drawn, mnist, among_themselves=among_themselves)
    return {
        "nearest_ratio": float(np.median(found.distances) / np.median(_neighbourhood(mnist)["test"])),
        "authenticity": float(found.authentic.mean()),
    }


@cache
def _neighbourhood(mnist: Mnist) -> Arrays:
    """Distances to the nearest training digit: of each training digit (excluding itself), and of each test digit."""

    def compute() -> Arrays:
        training, test = (pixels(digits.images.cpu().numpy()) for digits in (mnist.train, mnist.test))
        return {"training": nearest_others(training, 1)[0][:, 0], "test": nearest(test, training)[0]}

    return cached("neighbourhood", {"train": mnist.train.sha256, "test": mnist.test.sha256}, compute)


def _accuracy_score(source: Source, seed: int, mnist: Mnist, times: int = 1) -> float:
    images, labels = source.training_set(mnist, seed, times)
    if labels is None:
        labels = classify(features(images, "classifier")).labels
    test = mnist.test.images.cpu().numpy(), mnist.test.labels.cpu().numpy()
    return accuracy_score(images, labels, *test, seed=seed, phase=PHASE if times == 1 else LARGE_PHASE)


# --- tasks for worker processes --------------------------------------------------------------------------------------


@cache
def _loaded(data: Path, form: Form) -> tuple[Mnist, Baseline]:
    mnist = load_mnist(data, torch.device("cpu"))
    return mnist, baseline(mnist, form)


def measure_once(source: Source, seed: int, samples: int, form: Form, data: Path) -> Measurement:
    """`measure`, with the data loaded once per process, and results cached in the user's cache folder."""
    mnist, real = _loaded(data, form)
    key = sources(mnist) | {"source": source.identity, "seed": seed, "samples": samples, "form": form}

    def compute() -> Arrays:
        return measure(source, seed, samples, mnist, real).to_arrays()

    return Measurement.from_arrays(cached("measurement", key, compute))
