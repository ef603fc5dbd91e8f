"""How well a model controls handwriting: attributes on request, and styles encoded from real digits.

Attributes are compared within their class: the mean of each class is removed and its standard deviation divided out,
since sevens are written with another slant than fours. Neighbours among MNIST's test digits are often by the same
writer (their attributes correlate, over some 100 digits), which allows a test with real digits of the same hand.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnistgen import Generator
from mnistgen._arrays import Float32, Int64, UInt8
from mnistgen._attributes import measure
from mnistgen._model import CONTROLLED, statistics
from training.data import Mnist
from training.evaluation.judges import checksums, classify, features
from training.evaluation.neighbours import nearest, pixels
from training.evaluation.sources import Model
from training.run.cache import Arrays, cached

Float64 = NDArray[np.float64]

SEED = 1
PERCENTILES = (5, 95)  # of real digits of each class: the range of requests
STEPS = 5  # of refinement
REFINED = 1_000  # digits

# What the figures mean, by name.
HANDWRITING: Mapping[str, str] = {
    **{f"{name}_r2": f"R² of the reached against the requested {name}" for name in CONTROLLED},
    **{f"{name}_labels": f"label accuracy with a requested {name}" for name in CONTROLLED},
    "reconstruction_error": "mean squared error per pixel, 0 to 1, of test digits that are encoded and decoded",
    "refined_error": f"the same after {STEPS} steps of refinement, for the first {REFINED:,} test digits",
    "nearest_error": "the same of each test digit's nearest training digit, for comparison",
    "kept_labels": "share of the reconstructions that the classifier reads as the test digit's label",
    "read_labels": "share of the test digits whose label the encoder reads",
    "swapped_labels": "label accuracy of the nine other digits that are decoded from each test digit's latents",
    "thickness_correlation": "correlation of the thickness of test digits and of their nine other digits, within class",
    "pooled_thickness_correlation": "the same, over all classes together",
    "slant_correlation": "correlation of the slant of test digits and of their nine other digits, within class",
    "pooled_slant_correlation": "the same of the slant, over all classes together",
    "same_writer": "share of test digits whose attributes are nearer to the same digit in the style of the test digit "
    "before (often by the same writer) than in that of a random one",
    "same_writer_real": "share of test digits whose attributes are nearer to those of the test digit before than to "
    "those of a random one, for comparison",
}


def measure_handwriting(source: Model, mnist: Mnist) -> dict[str, float]:
    """The figures of HANDWRITING that apply to a model, by name."""
    generator = Generator(source.path, device="cpu", threads=1)
    card = generator.card
    parts = {name: str(part["sha256"]) for name in ("attributes", "encoder") if (part := getattr(card, name))}
    if not parts:
        return {}

    def compute() -> Arrays:
        test = RealDigits(mnist.test.images.cpu().numpy(), mnist.test.labels.cpu().numpy())
        figures = _attributes(generator, test) if card.attributes else {}
        if card.encoder:
            figures |= _encoder(generator, test, mnist.train.images.cpu().numpy())
        return {name: np.array(value) for name, value in figures.items()}

    key = {"model": source.identity, "test": mnist.test.sha256, **checksums(), **parts}
    figures = cached("handwriting", key, compute)
    return {name: float(figures[name]) for name in HANDWRITING if name in figures}


class RealDigits(NamedTuple):
    """MNIST's test digits."""

    images: UInt8  # (N, 28, 28)
    labels: Int64  # (N,)


def _attributes(generator: Generator, test: RealDigits) -> dict[str, float]:
    """Request one attribute at a time of as many digits, uniformly between percentiles of real ones of the class."""
    random = np.random.default_rng(SEED)
    real, labels = _measured(test.images), np.arange(len(test.images)) % 10
    able = statistics(generator.card).ranges
    figures = {}
    for index, name in enumerate(CONTROLLED):
        ends = np.array([np.percentile(real[test.labels == digit, index], PERCENTILES) for digit in range(10)])
        low, high = ends[labels].T
        requested = low + random.random(len(labels)) * (high - low)
        possible = np.clip(requested, able[index, :, 0].min(), able[index, :, 1].max())
        images = generator.sample(labels=labels, seed=SEED, **{name: possible})
        reached = _measured(images)[:, index]
        figures[f"{name}_r2"] = float(
            1 - np.square(reached - requested).sum() / np.square(requested - requested.mean()).sum()
        )
        figures[f"{name}_labels"] = _accuracy(images, labels)
    return figures


def _encoder(generator: Generator, test: RealDigits, training: UInt8) -> dict[str, float]:
    latents, read = generator.encode(test.images)
    again = generator.decode(latents, test.labels)
    some = RealDigits(test.images[:REFINED], test.labels[:REFINED])
    refined = generator.decode(generator.encode(*some, steps=STEPS).latents, some.labels)
    distances, _ = nearest(pixels(test.images), pixels(training))
    others = [(test.labels + shift) % 10 for shift in range(1, 10)]
    swapped = [generator.decode(latents, labels) for labels in others]
    figures = {
        "reconstruction_error": _error(again, test.images),
        "refined_error": _error(refined, some.images),
        "nearest_error": float(np.square(distances).mean() / test.images[0].size),
        "kept_labels": _accuracy(again, test.labels),
        "read_labels": float((read == test.labels).mean()),
        "swapped_labels": float(np.mean([_accuracy(*digits) for digits in zip(swapped, others, strict=True)])),
    }
    source, target = _measured(test.images), np.concatenate(list(map(_measured, swapped)))
    target_labels = np.concatenate(others)
    within = _within_class(source, test.labels), _within_class(target, target_labels)
    for index, name in enumerate(CONTROLLED[:2]):
        for prefix, (one, other) in {"": within, "pooled_": (source, target)}.items():
            pairs = np.corrcoef(np.tile(one[:, index], len(others)), other[:, index])
            figures[f"{prefix}{name}_correlation"] = float(pairs[0, 1])
    return figures | _same_writer(generator, test, latents)


def _same_writer(generator: Generator, test: RealDigits, latents: Float32) -> dict[str, float]:
    """Draw each test digit in the style of the one before, if that has another label, and of a random one."""
    following = np.flatnonzero(test.labels[1:] != test.labels[:-1]) + 1
    labels = test.labels[following]
    before = following - 1
    random = np.random.default_rng(SEED).permutation(len(latents))[: len(following)]
    real = _within_class(_measured(test.images), test.labels)
    drawn = [_within_class(_measured(generator.decode(latents[rows], labels)), labels) for rows in (before, random)]
    return {
        "same_writer": _nearer(real[following], *drawn),
        "same_writer_real": _nearer(real[following], real[before], real[random]),
    }


def _nearer(attributes: Float64, one: Float64, other: Float64) -> float:
    """The share of rows that are nearer to the first than to the second others."""
    return float((np.square(attributes - one).sum(1) < np.square(attributes - other).sum(1)).mean())


def _measured(images: UInt8) -> Float64:
    """Attributes (N, A), in the order of CONTROLLED."""
    return np.stack(measure(images)[: len(CONTROLLED)], axis=1).astype(np.float64)


def _within_class(attributes: Float64, labels: Int64) -> Float64:
    """Attributes (N, A) as differences from the mean of their class, in its standard deviations."""
    standardised = attributes.copy()
    for digit in range(10):
        of_class = attributes[labels == digit]
        standardised[labels == digit] = (of_class - of_class.mean(0)) / of_class.std(0)
    return standardised


def _error(images: UInt8, others: UInt8) -> float:
    return float(np.square(images / 255 - others / 255).mean())


def _accuracy(images: UInt8, labels: Int64) -> float:
    return float((classify(features(images, "classifier")).labels == labels).mean())
