"""Request: which digits are wanted. Checked once, here; then the network's inputs for any part of it."""

from __future__ import annotations

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
    one_hot,
    real_number,
    whole_number,
)
from mnistgen._errors import InputError, shown
from mnistgen._latents import INDICES, UNIFORM, checked_seed, draw, uniform
from mnistgen._model import CONTROLLED, ModelCard, models, statistics

CORNERS = tuple(f"corners: {place}" for place in ("top left", "top right", "bottom left", "bottom right"))

Span = tuple[float, float]
AttributeLike = float | Span | ArrayLike  # one value for all, a range to draw from, a value for each
Wanted = Span | Float32  # of one attribute: a range to draw from, or a value for each digit (count,)


class Inputs(NamedTuple):
    """What determines N images."""

    latents: Float32  # (N, D)
    classes: Float32 | None = None  # (N, 10); None for an unconditional model
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
    digits: tuple[int, ...] = ()  # repeated cyclically by index in the seed; empty: labels as drawn
    labels: Int64 | Float32 | None = None  # labels (count,) or mixtures (count, 10)
    weights: Sequence[int] = UNIFORM  # relative frequency of each class among the labels as drawn
    attributes: Mapping[str, Wanted] = field(default_factory=dict)
    style: Float32 | None = None  # latents (D,) around which those of the digits lie
    spread: float = 1.0  # standard deviation of the latents around the style

    def inputs(self, first: int, count: int) -> Inputs:
        """The inputs for digits `first` to `first + count - 1` of the request."""
        latents, drawn = draw(self.seed, self.start + first, count, self.card.latent_dim, self.weights)
        if self.truncation != 1:
            latents *= np.float32(self.truncation)
        if self.style is not None:
            latents = self.style + np.float32(self.spread) * latents
        if not self.card.conditional:
            return Inputs(latents)
        chosen = self._chosen(first, drawn)
        labels = cast(Int64, chosen) if chosen.ndim == 1 else None
        return self.with_attributes(first, latents, one_hot(chosen))._replace(labels=labels)

    def at(self, indices: Iterable[int]) -> Inputs:
        """The inputs for single digits of the request, in any order."""
        parts: Any = zip(*(self.inputs(index, 1) for index in indices), strict=True)
        columns: list[Any] = [None if part[0] is None else np.concatenate(part) for part in parts]
        return Inputs(*columns)

    def with_attributes(self, first: int, latents: Float32, classes: Float32 | None) -> Inputs:
        """The inputs of latents (N, D) and classes (N, 10), for the digits from `first` on."""
        if classes is None or not self.attributes:
            return Inputs(latents, classes)
        return Inputs(latents, classes, self._values(first, classes))

    def _chosen(self, first: int, drawn: Int64) -> Int64 | Float32:
        """Labels (N,) or mixtures (N, 10) of the digits from `first` on."""
        if self.labels is not None:
            return self.labels[first : first + len(drawn)]
        if not self.digits:
            return drawn
        positions = np.arange(len(drawn)) + (self.start + first) % len(self.digits)
        return np.array(self.digits)[positions % len(self.digits)]

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
    labels: ArrayLike | None,
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
    digits = () if digit is None else checked_digits(digit)
    given = None if labels is None else as_array("labels: expected labels or mixtures", labels)
    if digits or given is not None or labelled:
        check_conditional(card, f"digit {', '.join(map(str, digits))}" if digits else "labels")
    if given is not None and given.dtype.kind in "iu" and not given.ndim:  # one label for all, also for endless streams
        digits, given = (whole_number("labels", int(given), 0, 9),), None
    if n is None:
        several = given is not None and given.ndim and not (given.dtype.kind == "f" and given.shape == (10,))
        n = len(cast(Any, given)) if several else len(digits) or 1
    count = whole_number("n", n, 1, limit, "; generate them in batches with stream()")
    chosen = None if given is None else checked_labels(given, count)
    if labelled and chosen is not None and chosen.ndim > 1:
        raise InputError("labels: expected whole numbers, got mixtures, which have no single label")
    return Request(
        card=card,
        count=count,
        start=whole_number("start", start, 0, INDICES - count),
        truncation=real_number("truncation", truncation, 0, 1),
        digits=digits,
        labels=chosen,
        attributes=checked_attributes(card, count, attributes),
        seed=checked_seed(seed),  # last: a fresh one is logged
    )


def check_conditional(card: ModelCard, requested: str) -> None:
    """Raise InputError if the model is unconditional, listing the class-conditional models."""
    if not card.conditional:
        others = _able("conditional")
        raise InputError(f"{requested}: model {card.name} is unconditional; class-conditional models: {others}")


def check_encoder(card: ModelCard) -> None:
    """Raise InputError if a model has no encoder, listing those that have one."""
    if not card.encoder:
        raise InputError(f"images: model {card.name} has no encoder; models that have one: {_able('encoder')}")


def _able(feature: str) -> str:
    """The bundled models whose card has a feature."""
    return ", ".join(name for name, card in models().items() if getattr(card, feature))


def checked_classes(card: ModelCard, labels: ArrayLike | None, count: int) -> Float32 | None:
    """Classes float32 (count, 10) from labels as in `checked_labels`; None for an unconditional model."""
    if card.conditional:
        return one_hot(checked_labels(labels, count))
    if labels is not None:
        raise InputError(f"labels: model {card.name} is unconditional and takes none")
    return None


def checked_ends(card: ModelCard, digits: Mapping[str, SupportsIndex | None]) -> Float32 | None:
    """Classes (N, 10) of digits, given by name; None for an unconditional model, which takes no digits."""
    given = [digit for digit in digits.values() if digit is not None]
    if given:
        check_conditional(card, f"digits {', '.join(map(shown, given))}")
    elif not card.conditional:
        return None
    return one_hot(np.array([whole_number(name, cast(int, digit), 0, 9) for name, digit in digits.items()]))


def checked_corners(card: ModelCard, corners: Sequence[SupportsIndex] | None) -> Float32 | None:
    """Classes (4, 10) of four digits; None for an unconditional model, which takes none."""
    if corners is None and not card.conditional:
        return None
    digits = () if corners is None else corners
    if len(digits) != len(CORNERS):
        raise InputError(f"corners: expected 4 digits, got {len(digits)}")
    return checked_ends(card, dict(zip(CORNERS, digits, strict=True)))


def checked_attributes(
    card: ModelCard, count: int, given: Mapping[str, AttributeLike | None], *, ranges: bool = True
) -> dict[str, Wanted]:
    """Check requested attributes, by name. Raises InputError for values that no digit of the model can have.

    Without `ranges`, a tuple is a sequence of values.
    """
    wanted = {name: value for name, value in given.items() if value is not None}
    if wanted and not card.attributes:
        name = next(iter(wanted))
        raise InputError(
            f"{name}: model {card.name} has no attributes to choose; models that have: {_able('attributes')}"
        )
    return {name: _checked_attribute(name, value, count, card, ranges) for name, value in wanted.items()}


def _checked_attribute(name: str, value: Any, count: int, card: ModelCard, ranges: bool) -> Wanted:
    if hasattr(value, "__array__") and not np.ndim(value):
        value = value.item()
    limits = statistics(card).ranges[CONTROLLED.index(name)]  # (10, 2)
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
