"""Plan: what determines the bytes of a data set. Pure functions; no file is touched here.

Image i of a split is digit i of the seed; the test split starts at TEST_START, so no split depends on the size of the
other. Shards begin at multiples of `shard_size`, counted from the beginning of the split even for a slice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from mnistgen import __version__
from mnistgen._arrays import Float32, UInt8
from mnistgen._attributes import measured
from mnistgen._checks import checked_style, one_of, real_number, whole_number
from mnistgen._errors import InputError, shown
from mnistgen._generator import Generator
from mnistgen._latents import checked_seed
from mnistgen._model import CONTROLLED, ModelCard
from mnistgen._request import Classes, Request, Span, check_digits, checked_attributes, checked_weights, class_names

# Images per call of the network. Calls begin at multiples of this, so an image has the same bits in any slice.
BLOCK = 1000
TEST_START = 4 * 10**18  # index of the first test digit, of the 2**63 digits of a seed
LIMIT = 2 * 10**18  # maximum number of images of a split

# Class frequencies of MNIST's 60,000 training digits (Y. LeCun, C. Cortes, C. J. C. Burges).
MNIST_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)

SPLITS: Mapping[str, int] = {"train": 0, "test": TEST_START}  # index of the first digit in the seed


class Batch(NamedTuple):
    """Digits of a split, from image `first` on."""

    first: int
    images: UInt8  # (N, 28, 28)
    labels: UInt8  # (N,)
    attributes: Mapping[str, Float32]  # (N,) each, by the names of `Plan.columns`

    def rows(self) -> Iterator[tuple[int, UInt8, int, dict[str, float]]]:
        """Index in the split, image (28, 28), label and attributes of each digit."""
        columns = {name: values.tolist() for name, values in self.attributes.items()}
        for row, (image, label) in enumerate(zip(self.images, self.labels.tolist(), strict=True)):
            yield self.first + row, image, label, {name: values[row] for name, values in columns.items()}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What determines the images of a data set, and how they are split into shards."""

    request: Request  # of the training digits; its count and start are not used
    classes: tuple[str, ...]  # names of the labels
    n: int  # training images
    test: int  # test images
    start: int  # index of the first training image
    shard_size: int

    def ranges(self) -> dict[str, range]:
        """The image indices of each split that is not empty."""
        both = {"train": range(self.start, self.start + self.n), "test": range(self.test)}
        return {split: images for split, images in both.items() if images}

    def columns(self) -> list[str]:
        """The names of the columns that hold attributes: those of the images as measured, then as requested."""
        return [*self.request.attributes, *(f"requested_{name}" for name in self.request.attributes)]

    def blocks(self, split: str) -> Iterator[range]:
        """The images of a split in order, cut at multiples of BLOCK and of `shard_size`."""
        images = self.ranges()[split]
        first = images.start
        while first < images.stop:
            ends = ((first // size + 1) * size for size in (BLOCK, self.shard_size))
            stop = min(images.stop, *ends)
            yield range(first, stop)
            first = stop

    def draw(self, generator: Generator, split: str, images: range) -> Batch:
        """The digits of a block, or of a part of one. The generator has one thread, so that no sum is reordered."""
        begin = images.start - images.start % BLOCK
        inputs = self.request.inputs(SPLITS[split] + begin, BLOCK)
        part = slice(images.start - begin, images.stop - begin)
        drawn = generator._run(inputs)[part]
        attributes: dict[str, Float32] = {}
        if inputs.attributes is not None:
            found = measured(drawn)._asdict()
            for name in self.request.attributes:
                attributes[name] = found[name]
                attributes[f"requested_{name}"] = inputs.attributes[part, CONTROLLED.index(name)]
        assert inputs.labels is not None
        return Batch(images.start, drawn, inputs.labels[part].astype(np.uint8), attributes)

    def arguments(self) -> dict[str, Any]:
        """What was asked for, as JSON types."""
        request = self.request
        return {
            "mnistgen": __version__,
            "model": request.card.name,
            "sha256": request.card.sha256,
            "n": self.n,
            "test": self.test,
            "start": self.start,
            "seed": request.seed,
            "weights": list(request.weights),
            **{name: list(span) for name, span in request.attributes.items()},
            "style": None if request.style is None else request.style.tolist(),
            "spread": None if request.style is None else request.spread,
            "shard_size": self.shard_size,
        }


def plan_of(
    card: ModelCard,
    *,
    n: SupportsIndex,
    test: SupportsIndex | None,
    start: SupportsIndex,
    digits: Classes | None,
    balance: str,
    seed: SupportsIndex | None,
    shard_size: SupportsIndex,
    attributes: Mapping[str, Span | float | None],
    style: ArrayLike | None,
    spread: float,
) -> Plan:
    """Check arguments and return the plan. Raises InputError for invalid arguments and for unconditional models."""
    classes = class_names(card, "labelled data sets")
    whole_number("classes", len(classes), 2, 256)  # labels are one byte
    first = whole_number("start", start, 0, LIMIT)
    train_count = whole_number("n", n, 0, LIMIT - first)
    if test is None:  # as in MNIST, a sixth of the training split, at most 10,000
        test = min(10_000, max(1, train_count // 6)) if train_count else 10_000
    test_count = whole_number("test", test, 0, LIMIT)
    if not train_count + test_count:
        raise InputError("n: expected at least one training or test image, got none")
    for name, value in attributes.items():
        if not isinstance(value, Real | tuple | None):
            raise InputError(f"{name}: expected a number or a range (low, high), got {shown(value)}")
    weights = checked_weights("digits", classes if digits is None else digits, classes)
    if one_of("balance", balance, ("uniform", "mnist")) == "mnist":
        check_digits(card, "balance mnist")
        weights = tuple(count * weight for count, weight in zip(MNIST_COUNTS, weights, strict=True))
    request = Request(
        card=card,
        count=0,
        seed=checked_seed(seed),
        weights=weights,
        attributes=checked_attributes(card, 0, attributes),
        style=None if style is None else checked_style(card.latent_dim, style),
        spread=real_number("spread", spread, 0, 1),
    )
    size = whole_number("shard_size", shard_size, 1, 10**6)
    return Plan(request=request, classes=classes, n=train_count, test=test_count, start=first, shard_size=size)
