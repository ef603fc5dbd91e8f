"""How well a model controls handwriting: attributes on request, and styles encoded from real images.

Attributes are compared within their class: the mean of each class is removed and its standard deviation divided out,
since sevens are written with another slant than fours. Neighbours among MNIST's test digits are often by the same
writer (their attributes correlate, over some 100 digits), which allows a test with real digits of the same hand.
docs/evaluation.md defines the figures.
"""

import numpy as np
from sklearn.metrics import r2_score

from mnistgen import Generator
from mnistgen._arrays import Float32, Float64, Int64, UInt8
from mnistgen._attributes import measure
from mnistgen._model import CONTROLLED, statistics
from training.data import DataSet
from training.evaluation.baseline import Baseline
from training.evaluation.judges import Judges
from training.evaluation.measure import Model
from training.evaluation.metrics import as_points, nearest
from training.fit import memory
from training.sources import MNIST_SHA256

SEED = 1
PERCENTILES = (5, 95)  # of real images of each class: the range of requests
STEPS = 5  # of refinement
REFINED = 1_000  # images


@memory.cache(ignore=["data", "real"])  # type: ignore[untyped-decorator]
def measure_handwriting(model: Model, identity: str, data: DataSet, real: Baseline) -> dict[str, float]:
    """The figures that apply to a model, by name; none for other classes than the data's. Cached.

    `identity` is that of the baseline.
    """
    figures: dict[str, float] = {}
    if model.card.classes != data.classes:
        return figures
    generator = Generator(model.path, device="cpu", threads=1)
    test = data.test.select(data.test.images.amax(dim=(1, 2)) > 0)  # blank images have no attributes
    images, labels = test.images.numpy(), test.labels.numpy()
    if model.card.attributes:
        figures |= _attributes(generator, images, labels, real.judges)
    if model.card.encoder:
        figures |= _encoder(generator, images, labels, data, real.judges)
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def _attributes(generator: Generator, images: UInt8, classes: Int64, judges: Judges) -> dict[str, float]:
    """Request one attribute at a time of as many images, uniformly between percentiles of real ones of the class."""
    count = len(generator.card.classes or ())
    random = np.random.default_rng(SEED)
    real, labels = _measured_attributes(images), np.arange(len(images)) % count
    able = statistics(generator.card).ranges
    figures = {}
    for index, name in enumerate(CONTROLLED):
        ends = np.array([np.percentile(real[classes == label, index], PERCENTILES) for label in range(count)])
        low, high = ends[labels].T
        requested = low + random.random(len(labels)) * (high - low)
        possible = np.clip(requested, able[index, :, 0].min(), able[index, :, 1].max())
        drawn = generator.sample(labels=labels, seed=SEED, **{name: possible})
        figures[f"{name}_r2"] = float(r2_score(requested, _measured_attributes(drawn)[:, index]))
        figures[f"{name}_labels"] = judges.label_accuracy(drawn, labels)
    return figures


def _encoder(generator: Generator, images: UInt8, labels: Int64, data: DataSet, judges: Judges) -> dict[str, float]:
    """Encode and decode the test images, with their own labels and with all others."""
    count = len(generator.card.classes or ())
    latents, read = generator.encode(images)
    again = generator.decode(latents, labels)
    some = images[:REFINED], labels[:REFINED]
    refined = generator.decode(generator.encode(*some, steps=STEPS).latents, some[1])
    distances, _ = nearest(as_points(images), as_points(data.train.images.numpy()))
    others = [(labels + shift) % count for shift in range(1, count)]
    swapped = [generator.decode(latents, other) for other in others]
    figures = {
        "reconstruction_error": _error(again, images),
        "refined_error": _error(refined, some[0]),
        "nearest_error": float(np.square(distances).mean() / images[0].size),
        "kept_labels": judges.label_accuracy(again, labels),
        "read_labels": float((read == labels).mean()),
        "swapped_labels": float(np.mean([judges.label_accuracy(*pair) for pair in zip(swapped, others, strict=True)])),
    }
    source, target = _measured_attributes(images), np.concatenate(list(map(_measured_attributes, swapped)))
    within = _within_class(source, labels), _within_class(target, np.concatenate(others))
    for index, name in enumerate(CONTROLLED[:2]):
        for prefix, (one, other) in {"": within, "pooled_": (source, target)}.items():
            pairs = np.corrcoef(np.tile(one[:, index], len(others)), other[:, index])
            figures[f"{prefix}{name}_correlation"] = float(pairs[0, 1])
    is_mnist = data.sha256 == MNIST_SHA256  # whose neighbours are often by the same writer
    return figures | (_same_writer(generator, within[0], labels, latents) if is_mnist else {})


def _same_writer(generator: Generator, real: Float64, classes: Int64, latents: Float32) -> dict[str, float]:
    """Draw each test image in the style of the one before, if that has another label, and of a random one.

    `real` (N, A) are the attributes of the test images within their classes (N,).
    """
    following = np.flatnonzero(classes[1:] != classes[:-1]) + 1
    labels = classes[following]
    before = following - 1
    random = np.random.default_rng(SEED).permutation(len(latents))[: len(following)]
    drawn = (
        _within_class(_measured_attributes(generator.decode(latents[rows], labels)), labels)
        for rows in (before, random)
    )
    return {
        "same_writer": _nearer(real[following], *drawn),
        "same_writer_real": _nearer(real[following], real[before], real[random]),
    }


def _nearer(attributes: Float64, one: Float64, other: Float64) -> float:
    """The share of rows that are nearer to the first than to the second others."""
    return float((np.square(attributes - one).sum(1) < np.square(attributes - other).sum(1)).mean())


def _measured_attributes(images: UInt8) -> Float64:
    """Attributes (N, A), in the order of CONTROLLED."""
    return np.stack(measure(images)[: len(CONTROLLED)], axis=1).astype(np.float64)


def _within_class(attributes: Float64, labels: Int64) -> Float64:
    """Attributes (N, A) as differences from the mean of their class, in its standard deviations."""
    standardised = attributes.copy()
    for label in np.unique(labels):
        of_class = attributes[labels == label]
        standardised[labels == label] = (of_class - of_class.mean(0)) / of_class.std(0)
    return standardised


def _error(images: UInt8, others: UInt8) -> float:
    return float(np.square(images / 255 - others / 255).mean())
