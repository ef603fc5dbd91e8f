"""All figures of one source: one measurement a sampling seed, and their mean and spread."""

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
from training.evaluation.judges import features, panel_features, read
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

# The larger accuracy score is measured once, for it takes long; each of its digits is used less often.
LARGE_SEED, LARGE_PHASE = 1, PHASE._replace(epochs=2)

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """What was found with one sampling seed."""

    figures: dict[str, float]  # keyed as FIGURES
    shares: Float64  # (10,), of each digit as the classifier reads it
    confusion: Int64 | None  # (10, 10), label by reading; None for digits without labels

    def to_arrays(self) -> Arrays:
        """For the cache."""
        arrays: Arrays = {f"figures.{name}": np.array(value) for name, value in self.figures.items()}
        arrays["shares"] = self.shares
        return arrays if self.confusion is None else arrays | {"confusion": self.confusion}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "Measurement":
        """From the cache."""
        figures = {
            name.removeprefix("figures."): float(value) for name, value in arrays.items() if name.startswith("figures.")
        }
        return cls(figures, arrays["shares"], arrays.get("confusion"))


def measure(source: Source, seed: int, samples: int, mnist: Mnist, real: Baseline) -> Measurement:
    """Draw digits from the source and measure them; the quick form leaves out what takes long.

    Raises EvaluationError where the source fails or gives too few digits.
    """
    drawn = source.draw(real, seed, class_counts(real, samples))
    found = panel_features(drawn.images)
    reading = read(found["classifier"])
    ratios = real.ratios_of(found)
    shares = np.bincount(reading.labels, minlength=10) / len(reading.labels)
    figures = {
        "ratio": geometric_mean(ratios),
        "worst_ratio": max(ratios.values()),
        **{f"{judge}_ratio": ratio for judge, ratio in ratios.items()},
        **precision_recall_density_coverage(real.target_manifold, manifold(found["classifier"])),
        "class_balance": float(np.abs(shares - real.target.shares).sum() / 2),
    }
    confusion = None
    if drawn.labels is not None:
        figures["label_accuracy"] = float((reading.labels == drawn.labels).mean())
        confusion = np.zeros((10, 10), np.int64)
        np.add.at(confusion, (drawn.labels, reading.labels), 1)
    if real.form == "full":
        figures |= _memorisation(drawn, mnist, among_themselves=source.is_training_digits)
        if source.training_sets:
            figures["accuracy_score"] = _accuracy_score(source, seed, mnist)
        if source.training_sets >= LARGE and drawn.labels is not None and seed == LARGE_SEED:
            figures["large_accuracy_score"] = _accuracy_score(source, seed, mnist, times=LARGE)
    return Measurement(figures, shares, confusion)


def summarise(source: Source, measurements: Sequence[Measurement]) -> Scores:
    """Mean and spread over the seeds."""
    first = measurements[0]
    confusions = [m.confusion for m in measurements if m.confusion is not None]
    return Scores(
        name=source.name,
        note="" if confusions else "no labels of its own, so that the classifier labels the digits",
        figures={
            name: Estimate.of([m.figures[name] for m in measurements if name in m.figures]) for name in first.figures
        },
        class_shares=tuple(Estimate.of([float(m.shares[digit]) for m in measurements]) for digit in range(10)),
        confusion=tuple(tuple(map(int, row)) for row in np.sum(confusions, axis=0)) if confusions else None,
    )


def class_counts(real: Baseline, samples: int) -> Int64:
    """`samples` digits shared out as the target's are, int64 (10,): by the largest remainders."""
    shares = real.target.shares * samples
    counts = np.floor(shares).astype(np.int64)
    counts[np.argsort(counts - shares, kind="stable")[: samples - int(counts.sum())]] += 1
    return counts


def find_copies(drawn: Drawn, mnist: Mnist, *, among_themselves: bool = False) -> Copies:
    """The nearest training digit of each; the nearest other one where they are training digits themselves."""
    training = mnist.train.images.cpu().numpy()
    return copies(drawn.images, training, own_distances(mnist), skip_itself=among_themselves)


def own_distances(mnist: Mnist) -> Float32:
    """The distance from each training digit to the nearest other one, (N,)."""
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
    """Distances from each training digit to the nearest other one, and from each test digit to the nearest."""

    def compute() -> Arrays:
        training, test = (pixels(digits.images.cpu().numpy()) for digits in (mnist.train, mnist.test))
        return {"training": nearest_others(training, 1)[0][:, 0], "test": nearest(test, training)[0]}

    return cached("neighbourhood", {"train": mnist.train.sha256, "test": mnist.test.sha256}, compute)


def _accuracy_score(source: Source, seed: int, mnist: Mnist, times: int = 1) -> float:
    images, labels = source.training_set(mnist, seed, times)
    if labels is None:
        labels = read(features(images, "classifier")).labels
    test = mnist.test.images.cpu().numpy(), mnist.test.labels.cpu().numpy()
    return accuracy_score(images, labels, *test, seed=seed, phase=PHASE if times == 1 else LARGE_PHASE)


# --- one measurement as a task for a process of its own --------------------------------------------------------------


@cache
def _loaded(data: Path, form: Form) -> tuple[Mnist, Baseline]:
    mnist = load_mnist(data, torch.device("cpu"))
    return mnist, baseline(mnist, form)


def measure_once(source: Source, seed: int, samples: int, form: Form, data: Path) -> Measurement:
    """`measure` with the folder `data`, loaded once a process, or from the cache where it holds this measurement."""
    mnist, real = _loaded(data, form)
    key = sources(mnist) | {"source": source.identity, "seed": seed, "samples": samples, "form": form}

    def compute() -> Arrays:
        return measure(source, seed, samples, mnist, real).to_arrays()

    return Measurement.from_arrays(cached("measurement", key, compute))
