"""Request: which digits are wanted. Checked once, here; then the network's inputs for any part of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, NamedTuple, SupportsIndex, cast

import numpy as np
from numpy.typing import ArrayLike

from mnistgen._arrays import Float32, Int64
from mnistgen._checks import (
    MAX_DIGITS,
    DigitLike,
    as_array,
    checked_digits,
    checked_labels,
    class_number,
    one_hot,
    real_number,
    whole_number,
)
from mnistgen._errors import InputError, shown
from mnistgen._latents import INDICES, UNIFORM, checked_seed, draw, uniform
from mnistgen._model import CONTROLLED, DIGITS, ModelCard, models, statistics

CORNERS = tuple(f"corners: {place}" for place in ("top left", "top right", "bottom left", "bottom right"))

Label = SupportsIndex | str  # a class, by its number or its name
Classes = Sequence[Label] | Mapping[Any, SupportsIndex]  # some classes, or their weights
LabelLike = ArrayLike | Mapping[Any, SupportsIndex]  # of each image, or the weights of classes to draw from
Span = tuple[float, float]
AttributeLike = float | Span | ArrayLike  # one value for all, a range to draw from, a value for each
Wanted = Span | Float32  # of one attribute: a range to draw from, or a value for each digit (count,)


class Inputs(NamedTuple):
    """What determines N images."""

    latents: Float32  # (N, D)
    classes: Float32 | None = None  # (N, K); None for an unconditional model
    attributes: Float32 | None = None  # requested values (N, 4), NaN where any value will do
    labels: Int64 | None = None  # (N,); None for mixtures and for an unconditional model


@dataclass(frozen=True, kw_only=True)
class Request:
    """Digits `start` to `start + count - 1` of a seed, and what is wanted of them."""

    card: ModelCard
    count: int
    seed: int
    start: int = 0
    truncation: float = 1.0
    cycle: tuple[int, ...] = ()  # labels, repeated cyclically by index in the seed; empty: labels as drawn
    labels: Int64 | Float32 | None = None  # labels (count,) or mixtures (count, K)
    weights: Sequence[int] = UNIFORM  # relative frequency of each class among the labels as drawn
    attributes: Mapping[str, Wanted] = field(default_factory=dict)
    style: Float32 | None = None  # latents (D,) around which those of the digits lie
    spread: float = 1.0  # standard deviation of the latents around the style

    def inputs(self, first: int, count: int) -> Inputs:
        """The inputs for digits `first` to `first + count - 1` of the request."""
        latents, drawn = draw(self.seed, self.start + first, count, self.card.latent_dim, self.weights)
        latents *= np.float32(self.truncation)
        if self.style is not None:
            latents = self.style + np.float32(self.spread) * latents
        if not self.card.conditional:
            return Inputs(latents)
        chosen = self._chosen(first, drawn)
        labels = cast(Int64, chosen) if chosen.ndim == 1 else None
        return self.with_attributes(first, latents, one_hot(chosen, len(self.weights)))._replace(labels=labels)

    def at(self, indices: Iterable[int]) -> Inputs:
        """The inputs for single digits of the request, in any order."""
        parts: Any = zip(*(self.inputs(index, 1) for index in indices), strict=True)
        columns: list[Any] = [None if part[0] is None else np.concatenate(part) for part in parts]
        return Inputs(*columns)

    def with_attributes(self, first: int, latents: Float32, classes: Float32 | None) -> Inputs:
        """The inputs of latents (N, D) and classes (N, K), for the digits from `first` on."""
        if classes is None or not self.attributes:
            return Inputs(latents, classes)
        return Inputs(latents, classes, self._values(first, classes))

    def _chosen(self, first: int, drawn: Int64) -> Int64 | Float32:
        """Labels (N,) or mixtures (N, K) of the digits from `first` on."""
        if self.labels is not None:
            return self.labels[first : first + len(drawn)]
        if not self.cycle:
            return drawn
        passed = (self.start + first) % len(self.cycle)
        return np.resize(np.roll(self.cycle, -passed), len(drawn))

    def _values(self, first: int, classes: Float32) -> Float32:
        """Requested attributes (N, 4) of the digits from `first` on, clipped to the range of each digit's class."""
        ranges = statistics(self.card).ranges
        values = np.full((len(classes), len(CONTROLLED)), np.nan, np.float32)
        for column, name in enumerate(CONTROLLED):
            if (wanted := self.attributes.get(name)) is None:
                continue
            low, high = (classes @ ranges[column]).T
            if isinstance(wanted, np.ndarray):
                values[:, column] = np.clip(wanted[first : first + len(classes)], low, high)
            else:
                ends = [np.clip(end, low, high) for end in wanted]
                shares = uniform(self.seed, self.start + first, len(classes), stream=1 + column)
                values[:, column] = ends[0] + shares * (ends[1] - ends[0])
        return values


def checked_request(
    card: ModelCard,
    n: SupportsIndex | None,
    digit: DigitLike | None,
    labels: LabelLike | None,
    seed: SupportsIndex | None,
    start: SupportsIndex,
    truncation: float,
    attributes: Mapping[str, AttributeLike | None],
    *,
    limit: int = MAX_DIGITS,
    labelled: bool = False,
) -> Request:
    """Check the arguments of `Generator.sample`, n at most `limit`; `labelled`: every digit must have one label."""
    if digit is not None and labels is not None:
        raise InputError("labels: expected none together with digit; pass only one of them")
    cycle = () if digit is None else checked_digits(digit)
    if cycle:
        check_digits(card, f"digit {', '.join(map(str, cycle))}")
    elif labels is not None or labelled:
        class_names(card, "labels")
    classes = card.classes or DIGITS
    weights = (1,) * len(classes)
    given = None if labels is None else as_array("labels: expected labels or mixtures", labels)
    if given is not None and not given.ndim and (given.dtype.kind in "iuU" or isinstance(labels, Mapping)):
        weights, given = checked_weights("labels", given.item(), classes), None  # also for endless streams
    if n is None:
        several = given is not None and given.ndim > (given.dtype.kind == "f")  # one row of floats is one mixture
        n = len(cast(Any, given)) if several else len(cycle) or 1
    count = whole_number("n", n, 1, limit, "; generate them in batches with stream()")
    chosen = None if given is None else checked_labels(given, count, classes)
    if labelled and chosen is not None and chosen.ndim > 1:
        raise InputError("labels: expected whole numbers, got mixtures, which have no single label")
    return Request(
        card=card,
        count=count,
        start=whole_number("start", start, 0, INDICES - count),
        truncation=real_number("truncation", truncation, 0, 1),
        cycle=cycle,
        labels=chosen,
        weights=weights,
        attributes=checked_attributes(card, count, attributes),
        seed=checked_seed(seed),  # last: a fresh one is logged
    )


def class_names(card: ModelCard, requested: str) -> tuple[str, ...]:
    """The names of a model's classes. Raises InputError if it is unconditional."""
    _require(card, "classes", f"{requested}: model {card.name} is unconditional; class-conditional models")
    return card.classes or ()


def check_digits(card: ModelCard, requested: str) -> None:
    """Raise InputError if the model does not generate digits, listing its classes."""
    if (classes := class_names(card, requested)) != DIGITS:
        raise InputError(f"{requested}: model {card.name} generates no digits; labels= takes {', '.join(classes)}")


def check_encoder(card: ModelCard) -> None:
    """Raise InputError if a model has no encoder."""
    _require(card, "encoder", f"images: model {card.name} has no encoder; models that have one")


def _require(card: ModelCard, feature: str, problem: str) -> None:
    """Raise InputError if a field of the card is None, listing the bundled models that have the feature."""
    if getattr(card, feature) is None:
        able = (name for name, other in models().items() if getattr(other, feature) is not None)
        raise InputError(f"{problem}: {', '.join(able)}")


def checked_classes(card: ModelCard, labels: ArrayLike | None, count: int) -> Float32 | None:
    """Classes float32 (count, K) from labels as in `checked_labels`; None for an unconditional model."""
    if card.classes:
        return one_hot(checked_labels(labels, count, card.classes), len(card.classes))
    if labels is not None:
        raise InputError(f"labels: model {card.name} is unconditional and takes none")
    return None


def checked_weights(name: str, given: int | Classes, classes: Sequence[str]) -> tuple[int, ...]:
    """The relative frequency of each class: the number of its repeats, or its weight. One label is that class only."""
    labels = [given] if isinstance(given, str | int) else given
    pairs = labels.items() if isinstance(labels, Mapping) else ((label, 1) for label in labels)
    chosen: Counter[int] = Counter()
    for label, weight in pairs:
        chosen[class_number(name, label, classes)] += whole_number(f"{name}: weight", weight, 1, 10**6)
    if not chosen:
        raise InputError(f"{name}: expected some of 0 to {len(classes) - 1}, got none")
    return tuple(chosen[number] for number in range(len(classes)))


def checked_ends(card: ModelCard, names: Sequence[str], labels: Sequence[Label | None]) -> Float32 | None:
    """Classes (N, K) of N named ends; None for an unconditional model, whose labels are None."""
    if len(labels) != len(names):
        raise InputError(f"corners: expected {len(names)} labels, got {len(labels)}")
    if not card.conditional and all(label is None for label in labels):
        return None
    classes = class_names(card, "labels")
    numbers = [class_number(name, cast(Label, label), classes) for name, label in zip(names, labels, strict=True)]
    return one_hot(np.array(numbers), len(classes))


def checked_attributes(
    card: ModelCard, count: int, given: Mapping[str, AttributeLike | None], *, ranges: bool = True
) -> dict[str, Wanted]:
    """Check requested attributes, by name. Raises InputError for values that no digit of the model can have.

    Without `ranges`, a tuple is a sequence of values.
    """
    wanted = {name: value for name, value in given.items() if value is not None}
    for name in wanted:
        _require(card, "attributes", f"{name}: model {card.name} has no attributes to choose; models that have")
    return {name: _checked_attribute(name, value, count, card, ranges) for name, value in wanted.items()}


def _checked_attribute(name: str, value: Any, count: int, card: ModelCard, ranges: bool) -> Wanted:
    if hasattr(value, "__array__") and not np.ndim(value):
        value = value.item()
    limits = statistics(card).ranges[CONTROLLED.index(name)]  # (K, 2)
    low, high = round(float(limits[:, 0].min()), 4), round(float(limits[:, 1].max()), 4)
    if isinstance(value, Real):
        number = real_number(name, cast(float, value), low, high)
        return number, number
    if ranges and isinstance(value, tuple) and len(value) == 2:
        first, last = (real_number(name, end, low, high) for end in value)
        if first > last:
            raise InputError(f"{name}: expected a range from low to high, got {shown(value)}")
        return first, last
    forms = "a number, a range (low, high) or floats" if ranges else "a number or floats"
    expected = f"{name}: expected {forms} ({count},), from {low:g} to {high:g}"
    array = as_array(expected, value)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{expected}, got {shown(value)}")
    if array.shape != (count,):
        raise InputError(f"{expected}, got shape {array.shape}")
    each = array.astype(np.float32)
    if not ((each >= low) & (each <= high)).all():  # False for NaN too
        raise InputError(f"{expected}, got values from {each.min():g} to {each.max():g}")
    return each
