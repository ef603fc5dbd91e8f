"""Attributes on request: change latents so that their digits have the requested thickness, slant, width and height.

attributes.onnx of a model directory predicts attributes from latents and classes, and changes latents by as little as
possible; both networks are fitted at export. The images are then measured, and corrected once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike

from mnistgen._arrays import Float32, Int64, UInt8
from mnistgen._attributes import CONTROLLED, measured
from mnistgen._card import ModelCard
from mnistgen._catalog import ModelDirectory, models
from mnistgen._checks import real_number
from mnistgen._errors import InputError, ModelError, shown
from mnistgen._graph import SmallGraph
from mnistgen._latents import uniform

TOLERANCE = 0.15  # standard deviations: smaller errors are not corrected, larger ones down to this
FILE_NAME = "attributes.onnx"

Span = tuple[float, float]
AttributeLike = float | Span | ArrayLike  # one value for all, a range to draw from, a value for each


@dataclass(frozen=True, slots=True)
class Wanted:
    """Requested values of one attribute: the same for all digits, a range to draw from, or one for each digit."""

    low: float
    high: float  # equal to low, unless it is a range
    each: Float32 | None  # (count,)


class Statistics(NamedTuple):
    """Attributes of a model's digits, in the order of CONTROLLED."""

    mean: Float32  # (A,)
    deviation: Float32  # (A,)
    ranges: Float32  # (A, 10, 2), from and to, by class


def statistics(card: ModelCard) -> Statistics:
    """The statistics in a model card. Raises ModelError if they are damaged."""
    try:
        found = [(card.attributes or {})[name] for name in CONTROLLED]
        with np.errstate(over="ignore"):
            mean, deviation, ranges = (
                np.array([each[key] for each in found], np.float32) for key in ("mean", "deviation", "ranges")
            )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ModelError(f"card.json of {card.name}: attributes: damaged; export the model again") from None
    sizes = mean.shape == deviation.shape == (len(found),) and ranges.shape == (len(found), 10, 2)
    if not (sizes and all(np.isfinite(part).all() for part in (mean, deviation, ranges)) and (deviation > 0).all()):
        raise ModelError(f"card.json of {card.name}: attributes: expected finite numbers; export the model again")
    return Statistics(mean, deviation, ranges)


def checked_attributes(
    card: ModelCard, count: int, given: Mapping[str, AttributeLike | None], *, ranges: bool = True
) -> dict[str, Wanted]:
    """Check requested attributes, by name. Raises InputError for values that no digit of the model can have.

    Without `ranges`, a tuple is a sequence of values.
    """
    wanted = {name: value for name, value in given.items() if value is not None}
    if wanted and not (card.attributes and card.conditional):
        able = [name for name, other in models().items() if other.attributes]
        raise InputError(
            f"{next(iter(wanted))}: model {card.name} has no attributes to choose; models that have: "
            f"{', '.join(able) or 'none is bundled'}"
        )
    return {name: _checked(name, value, count, card, ranges=ranges) for name, value in wanted.items()}


def _checked(name: str, value: Any, count: int, card: ModelCard, *, ranges: bool) -> Wanted:
    limits = statistics(card).ranges[CONTROLLED.index(name)]
    low, high = round(float(limits[:, 0].min()), 4), round(float(limits[:, 1].max()), 4)
    if isinstance(value, Real):
        number = real_number(name, cast(float, value), low, high)
        return Wanted(number, number, None)
    if ranges and isinstance(value, tuple) and len(value) == 2:
        ends = [real_number(name, end, low, high) for end in value]
        if ends[0] > ends[1]:
            raise InputError(f"{name}: expected a range from low to high, got {shown(value)}")
        return Wanted(ends[0], ends[1], None)
    forms = "a number, a range (low, high) or floats" if ranges else "a number or floats"
    expected = f"{name}: expected {forms} ({count},), from {low:g} to {high:g}"
    try:
        array = np.asarray(value)
    except Exception:  # noqa: BLE001 - a third-party __array__ may raise anything
        raise InputError(f"{expected}, got {shown(value)}") from None
    if array.dtype.kind not in "fiu":
        raise InputError(f"{expected}, got {shown(value)}")
    with np.errstate(over="ignore"):
        each = array.astype(np.float32)
    if not each.shape:
        each = np.full(count, each)
    if each.shape != (count,):
        raise InputError(f"{expected}, got shape {each.shape}")
    if not ((each >= low) & (each <= high)).all():  # False for NaN too
        raise InputError(f"{expected}, got values from {each.min():g} to {each.max():g}")
    return Wanted(low, high, each)


def requested(
    known: Statistics, wanted: Mapping[str, Wanted], classes: Float32, *, seed: int, start: int, first: int
) -> Float32:
    """Requested values (N, A) of the digits from index `start + first` on, clipped to the range of each digit's class.

    Values that are not requested are NaN.
    """
    values = np.full((len(classes), len(CONTROLLED)), np.nan, np.float32)
    for index, name in enumerate(CONTROLLED):
        if name not in wanted:
            continue
        low, high = (classes @ known.ranges[index]).T
        value = wanted[name]
        if value.each is not None:
            values[:, index] = np.clip(value.each[first : first + len(classes)], low, high)
        else:
            ends = np.clip(value.low, low, high), np.clip(value.high, low, high)
            shares = uniform(seed, start + first, len(classes), stream=1 + index)
            values[:, index] = ends[0] + shares * (ends[1] - ends[0])
    return values


class Editor:
    """attributes.onnx of a model directory, on the CPU."""

    def __init__(self, directory: ModelDirectory) -> None:
        self._known = statistics(directory.card)
        # One thread: those of a second pool would wait actively, on the CPUs that the model needs.
        self._graph = SmallGraph(directory.path / FILE_NAME, directory.card.attributes, threads=1)

    def edit(self, latents: Float32, classes: Float32, values: Float32) -> Float32:
        """Latents (N, D) whose digits have the requested values (N, A), as far as these can be predicted."""
        predicted = self._run("attributes", latents, classes, np.zeros_like(values))
        return self._run("changed", latents, classes, np.nan_to_num(self._standardised(values) - predicted))

    def correct(self, latents: Float32, classes: Float32, values: Float32, images: UInt8) -> tuple[Int64, Float32]:
        """Indices (M,) of images (N, 28, 28) whose attributes are off by more than the tolerance, and new latents."""
        thickness = not np.isnan(values[:, CONTROLLED.index("thickness")]).all()
        found = np.stack(measured(images, thickness=thickness)[: len(CONTROLLED)], 1)
        error = np.nan_to_num((values - found) / self._known.deviation)
        # Shrunk by the tolerance, so that the result changes continuously with what was measured.
        error = np.sign(error) * np.maximum(np.abs(error) - TOLERANCE, 0)
        off = error.any(axis=1).nonzero()[0]
        return off, self._run("changed", latents[off], classes[off], error[off])

    def _standardised(self, attributes: Float32) -> Float32:
        return (attributes - self._known.mean) / self._known.deviation

    def _run(self, output: str, latents: Float32, classes: Float32, change: Float32) -> Float32:
        shape = latents.shape if output == "changed" else change.shape
        (values,) = self._graph.run({"latents": latents, "classes": classes, "change": change}, {output: shape})
        return values
