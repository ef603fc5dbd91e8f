"""All figures of one source: one measurement a sampling seed, and their mean and spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.data import Mnist, load_mnist
from training.evaluation import frechet
from training.evaluation.accuracy_score import accuracy_score
from training.evaluation.baseline import Form, Yardstick, sources, yardstick
from training.evaluation.features import judge, random_features
from training.evaluation.figures import Estimate, Scores
from training.evaluation.frechet import gaussian
from training.evaluation.neighbours import (
    Copies,
    copies,
    manifold,
    nearest,
    nearest_others,
    pixels,
    precision_recall_density_coverage,
)
from training.evaluation.sources import Drawn, Source
from training.run.cache import Arrays, cached

CLASS_MINIMUM = 250  # digits that a class needs for a ratio of its own
# For the larger accuracy score an endless source makes so many training sets; once, for it takes so many times as long.
LARGE, LARGE_SEED = 10, 1

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """What was found with one sampling seed."""

    figures: dict[str, float]  # keyed as FIGURES
    shares: Float64  # (10,), of each digit as the classifier reads it
    ratios: Float64  # (10,), Fréchet ratio within each class; NaN with too few digits
    confusion: NDArray[np.int64] | None  # (10, 10), asked by read; None where nobody asked

    def to_arrays(self) -> Arrays:
        """For the cache."""
        arrays: Arrays = {f"figures.{name}": np.array(value) for name, value in self.figures.items()}
        arrays |= {"shares": self.shares, "ratios": self.ratios}
        return arrays if self.confusion is None else arrays | {"confusion": self.confusion}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "Measurement":
        """From the cache."""
        figures = {
            name.removeprefix("figures."): float(value) for name, value in arrays.items() if name.startswith("figures.")
        }
        return cls(figures, arrays["shares"], arrays["ratios"], arrays.get("confusion"))


def measure(source: Source, seed: int, samples: int, mnist: Mnist, real: Yardstick) -> Measurement:
    """Draw digits from the source and measure them; the quick form leaves out what takes long.

    Raises EvaluationError where the source fails or gives too few digits.
    """
    drawn = source.draw(mnist, seed, class_counts(real, samples))
    judged = judge(drawn.images)
    random_distance = real.random_distance(random_features(drawn.images))
    distance = real.distance(judged.features)
    shares = np.bincount(judged.labels, minlength=10) / len(judged.labels)
    figures = {
        "frechet_distance": distance,
        "frechet_ratio": distance / real.fresh_distance,
        "random_distance": random_distance,
        "random_ratio": random_distance / real.fresh_random_distance,
        **precision_recall_density_coverage(real.target_manifold, manifold(judged.features)),
        "class_balance": float(np.abs(shares - real.target.shares).sum() / 2),
    }
    confusion = None
    if drawn.labels is not None:
        figures["label_accuracy"] = float((judged.labels == drawn.labels).mean())
        confusion = np.zeros((10, 10), np.int64)
        np.add.at(confusion, (drawn.labels, judged.labels), 1)
    if real.form == "full":
        figures |= _memorisation(source, drawn, mnist)
        figures["accuracy_score"] = _accuracy_score(source, seed, mnist)
        if source.endless and drawn.labels is not None and seed == LARGE_SEED:
            figures["large_accuracy_score"] = _accuracy_score(source, seed, mnist, times=LARGE)
    return Measurement(figures, shares, _class_ratios(judged.features, judged.labels, real), confusion)


def summarise(source: Source, measurements: Sequence[Measurement]) -> Scores:
    """Mean and spread over the seeds."""

    def estimate(values: Sequence[float]) -> Estimate:
        return Estimate.of(values if len(set(values)) > 1 else values[:1])  # one set of digits has no spread

    first = measurements[0]
    asked = [m.confusion for m in measurements if m.confusion is not None]
    return Scores(
        name=source.name,
        note="" if asked else "unconditional, so that the classifier labels the digits",
        figures={
            name: estimate([m.figures[name] for m in measurements if name in m.figures]) for name in first.figures
        },
        class_shares=tuple(estimate([float(m.shares[digit]) for m in measurements]) for digit in range(10)),
        class_ratios=tuple(estimate([float(m.ratios[digit]) for m in measurements]) for digit in range(10)),
        confusion=tuple(tuple(map(int, row)) for row in sum(asked[1:], asked[0])) if asked else None,
    )


def class_counts(real: Yardstick, samples: int) -> NDArray[np.int64]:
    """`samples` digits shared out as the target's are, int64 (10,): by the largest remainders."""
    shares = real.target.shares * samples
    counts = np.floor(shares).astype(np.int64)
    counts[np.argsort(counts - shares, kind="stable")[: samples - int(counts.sum())]] += 1
    return counts


def look_for_copies(drawn: Drawn, mnist: Mnist, *, among_themselves: bool = False) -> Copies:
    """The nearest training digit of each; the nearest other one where they are training digits themselves."""
    training = mnist.train.images.cpu().numpy()
    return copies(drawn.images, training, own_distances(mnist), skip_itself=among_themselves)


def own_distances(mnist: Mnist) -> NDArray[np.float32]:
    """The distance from each training digit to the nearest other one, (N,)."""
    distances: NDArray[np.float32] = _neighbourhood(mnist)["training"]
    return distances


def _memorisation(source: Source, drawn: Drawn, mnist: Mnist) -> dict[str, float]:
    found = look_for_copies(drawn, mnist, among_themselves=source.holds_training_digits)
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

    return cached("neighbourhood", sources(mnist), compute)


def _accuracy_score(source: Source, seed: int, mnist: Mnist, times: int = 1) -> float:
    images, labels = source.lesson(mnist, seed, times)
    if labels is None:
        labels = judge(images).labels
    test_images, test_labels = mnist.test.images.cpu().numpy(), mnist.test.labels.cpu().numpy()
    return accuracy_score(images, labels, test_images, test_labels, seed=seed)


def _class_ratios(features: NDArray[np.float32], labels: NDArray[np.int64], real: Yardstick) -> Float64:
    """Fréchet ratio within each class (10,), the classifier's word for generated digits, the true one for real."""
    ratios = np.full(10, np.nan)
    for digit in range(10):
        ours, target, fresh = (
            part[of == digit]
            for part, of in (
                (features, labels),
                (real.target.features, real.target.labels),
                (real.fresh.features, real.fresh.labels),
            )
        )
        if min(len(ours), len(target), len(fresh)) >= CLASS_MINIMUM:
            goal = gaussian(target)
            ratios[digit] = frechet.distance(gaussian(ours), goal) / frechet.distance(gaussian(fresh), goal)
    return ratios


# --- one measurement as a task for a process of its own --------------------------------------------------------------


@cache
def _loaded(data: Path, form: Form) -> tuple[Mnist, Yardstick]:
    mnist = load_mnist(data, torch.device("cpu"))
    return mnist, yardstick(mnist, form)


def measure_once(source: Source, seed: int, samples: int, form: Form, data: Path) -> Measurement:
    """`measure` with the folder `data`, loaded once a process, or from the cache where it holds this measurement."""
    mnist, real = _loaded(data, form)
    key = sources(mnist) | {"source": source.identity, "seed": seed, "samples": samples, "form": form}

    def compute() -> Arrays:
        return measure(source, seed, samples, mnist, real).to_arrays()

    return Measurement.from_arrays(cached("measurement", key, compute))
