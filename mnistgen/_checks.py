"""Argument validation: each function returns a clean value or raises InputError."""

import difflib
import logging
import operator
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen._arrays import Float32, Int64
from mnistgen._card import ModelCard
from mnistgen._catalog import models
from mnistgen._devices import usable_cpus
from mnistgen._errors import InputError, shown
from mnistgen._latents import INDICES, SEEDS, fresh_seed

FPS = (1, 100)  # range of frames per second: GIF stores hundredths of a second
MAX_DIGITS = 10_000_000  # in one array: 7.8 GB
LONGEST_TEXT = 10_000  # characters of a number
MAX_LATENT = 1000.0  # in absolute value; latents from N(0, 1) stay below 10
ROUNDING = 1e-3  # tolerance of class weights and of their sum
CORNERS = tuple(f"corners: {place}" for place in ("top left", "top right", "bottom left", "bottom right"))
THREADS_PER_CPU = 4  # with more, threads spend most of their time waiting

DigitLike = SupportsIndex | Sequence[SupportsIndex] | ArrayLike

log = logging.getLogger("mnistgen")


@dataclass(frozen=True, slots=True)
class Request:
    """A checked range of a seed's digits."""

    count: int
    seed: int
    start: int
    truncation: float
    digits: tuple[int, ...]  # repeated cyclically by index in the seed; empty: labels as drawn
    labels: Int64 | Float32 | None  # labels (count,) or mixtures (count, 10) of the range
    with_labels: bool  # return labels too

    def classes(self, first: int, drawn: Int64) -> Int64 | Float32:
        """Labels (N,) or mixtures (N, 10) of digits `first` to `first + N - 1` of the range; `drawn` has length N."""
        if self.labels is not None:
            return self.labels[first : first + len(drawn)]
        if not self.digits:
            return drawn
        positions = np.arange(len(drawn)) + (self.start + first) % len(self.digits)
        return np.array(self.digits)[positions % len(self.digits)]


def checked_request(
    card: ModelCard,
    n: SupportsIndex | None,
    limit: int,
    *,
    digit: DigitLike | None,
    labels: ArrayLike | None,
    seed: SupportsIndex | None,
    start: SupportsIndex,
    truncation: float,
    return_labels: bool,
) -> Request:
    """Check the arguments of sample and stream, n at most `limit`. Without a seed, a fresh one is drawn and logged."""
    check_flag("return_labels", return_labels)
    if digit is not None and labels is not None:
        raise InputError("labels: expected none together with digit; pass only one of them")
    digits = () if digit is None else checked_digits(digit)
    if digits or labels is not None or return_labels:
        check_conditional(card, f"digit {', '.join(map(str, digits))}" if digits else "labels")
    if labels is not None and not isinstance(labels, np.ndarray):
        limit = MAX_DIGITS  # they become an array
    given = 1 if _is_one_mixture(labels) else _length(digit if labels is None else labels)
    count = whole_number("n", given if n is None else n, 1, limit, "; generate them in batches with stream()")
    first = whole_number("start", start, 0, INDICES - count)
    chosen = None if labels is None else checked_labels(labels, count)
    if return_labels and chosen is not None and chosen.ndim > 1:
        raise InputError("return_labels: expected False for mixtures, which have no single label, got True")
    factor = checked_truncation(truncation)
    return Request(count, checked_seed(seed), first, factor, digits, chosen, bool(return_labels))


def _is_one_mixture(labels: object) -> bool:
    """Whether labels is a single mixture (10,), which applies to every image."""
    if isinstance(labels, str) or _length(labels) != 10:
        return False
    array = _as_array("labels: expected labels or mixtures", labels)
    return array.dtype.kind == "f" and array.shape == (10,)


def _length(value: object) -> int:
    """The length of a value; 1 if it has none, such as a scalar."""
    try:
        return len(value)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - a third-party __len__ may raise anything
        return 1


def check_conditional(card: ModelCard, requested: str) -> None:
    """Raise InputError if the model is unconditional, listing the class-conditional models."""
    if not card.conditional:
        conditional = [name for name, other in models().items() if other.conditional]
        raise InputError(
            f"{requested}: model {card.name} is unconditional; "
            f"class-conditional models: {', '.join(conditional) or 'none is bundled'}"
        )


def checked_digits(digit: DigitLike, name: str = "digit") -> tuple[int, ...]:
    """One digit or several, each 0 to 9."""
    values: Any = digit
    if hasattr(digit, "__array__"):
        values = _as_array(f"{name}: expected a whole number, 0 to 9, or several", digit).tolist()
    several = values if isinstance(values, Sequence) and not isinstance(values, str) else [values]
    if not _length(several):
        raise InputError(f"{name}: expected a whole number, 0 to 9, or several, got none")
    return tuple(whole_number(name, one, 0, 9) for one in several)


def named_corners(corners: Sequence[SupportsIndex] | None) -> dict[str, SupportsIndex | None]:
    """Four digits by the names of their corners; None for each if there are none."""
    if corners is None:
        return dict.fromkeys(CORNERS)
    if (given := _length(corners)) != len(CORNERS):
        raise InputError(f"corners: expected 4 digits, got {given}")
    return dict(zip(CORNERS, corners, strict=True))


def checked_seed(seed: SupportsIndex | None) -> int:
    """The seed. Without one, a fresh one is drawn and logged."""
    if seed is not None:
        return whole_number("seed", seed, 0, SEEDS - 1)
    number = fresh_seed()
    log.info("seed %d", number)
    return number


def checked_truncation(truncation: float) -> float:
    """A number from 0 to 1."""
    return real_number("truncation", truncation, 0, 1)


def checked_threads(threads: SupportsIndex) -> int:
    """A number of threads from 1 to `max_threads()`."""
    return whole_number("threads", threads, 1, max_threads(), f"; usable CPUs: {usable_cpus()}")


def max_threads() -> int:
    """The largest number of threads that a session may have."""
    return THREADS_PER_CPU * usable_cpus()


def checked_latents(card: ModelCard, latents: ArrayLike, name: str = "latents") -> Float32:
    """Latents (N, D), or (D,) for one image, as float32 (N, D) in C order, at most MAX_LATENT in absolute value."""
    size = card.latent_dim
    expected = f"{name}: expected float (N, {size}) or ({size},) from -{MAX_LATENT:.0f} to {MAX_LATENT:.0f}"
    array = _as_array(expected, latents)
    if array.dtype.kind != "f" or array.shape[-1:] != (size,) or array.ndim > 2:
        raise InputError(f"{expected}, got {array.dtype} {array.shape}")
    if bad := int(np.count_nonzero(~(np.abs(array) <= MAX_LATENT))):  # counts NaN too
        raise InputError(f"{expected}, got {bad} NaN or out-of-range values")
    return np.ascontiguousarray(np.atleast_2d(array), np.float32)


def checked_style(card: ModelCard, style: ArrayLike) -> Float32:
    """Latents (D,), or the mean of latents (M, D), as float32 (D,)."""
    latents = checked_latents(card, style, "style")
    if not len(latents):
        raise InputError(f"style: expected latents ({card.latent_dim},) or (M, {card.latent_dim}), got none")
    mean: Float32 = latents.mean(axis=0)
    return mean


def _as_array(expected: str, value: object) -> NDArray[Any]:
    """The value as an array, or InputError."""
    try:
        return np.asarray(value)
    except Exception as error:  # noqa: BLE001 - a third-party __array__ may raise anything
        raise InputError(f"{expected}, got a value that NumPy cannot convert: {shown(error, 200)}") from None


def checked_classes(card: ModelCard, labels: ArrayLike | None, count: int) -> Float32 | None:
    """Classes float32 (count, 10) from labels (count,) or mixtures (count, 10); None for an unconditional model."""
    if not card.conditional:
        if labels is not None:
            raise InputError(f"labels: model {card.name} is unconditional and takes none")
        return None
    return one_hot(checked_labels(labels, count))


def checked_labels(labels: ArrayLike | None, count: int) -> Int64 | Float32:
    """Labels int64 (count,), or mixtures float32 (count, 10)."""
    expected = f"labels: expected whole numbers ({count},) from 0 to 9, or mixtures ({count}, 10) whose rows sum to 1"
    if labels is None:
        raise InputError(f"{expected}, got none")
    # Before NumPy converts it: a range may be longer than memory.
    if (length := _length(labels)) > max(count, 10) and not isinstance(labels, np.ndarray):
        raise InputError(f"{expected}, got {length:,} values")
    array = _as_array(expected, labels)
    if array.dtype.kind in "iu" and array.shape in ((), (count,)):
        if count and not 0 <= array.min() <= array.max() <= 9:
            raise InputError(f"{expected}, got values from {array.min()} to {array.max()}")
        return np.array(np.broadcast_to(array, count), np.int64)
    if array.dtype.kind == "f" and array.shape in ((10,), (count, 10)):
        if not ((array >= -ROUNDING) & (array <= 1 + ROUNDING)).all():  # False for NaN too
            raise InputError(f"{expected}, got entries that are not from 0 to 1")
        if not np.allclose(array.sum(axis=-1), 1, atol=ROUNDING):
            raise InputError(f"{expected}, got rows with other sums")
        return np.array(np.broadcast_to(array, (count, 10)), np.float32)
    raise InputError(f"{expected}, got {array.dtype} {array.shape}")


def one_hot(labels: Int64 | Float32) -> Float32:
    """Labels int64 (N,) -> float32 (N, 10); mixtures float32 (N, 10) are returned unchanged."""
    return np.eye(10, dtype=np.float32)[labels] if labels.ndim == 1 else labels.astype(np.float32, copy=False)


def checked_fps(fps: float) -> float:
    """Frames per second, 1 to 100."""
    return real_number("fps", fps, *FPS, "frames per second")


def checked_text(text: str) -> list[int | None]:
    """Digits, with None for spaces. Raises InputError for other characters, no digit, or too many characters."""
    if not isinstance(text, str):
        raise InputError(f"text: expected digits and spaces, got {shown(text)}")
    for character in text:
        if character not in "0123456789 ":
            raise InputError(f"text: expected digits and spaces, got {character!r} in {shown(text)}")
    if not text.strip():
        raise InputError(f"text: expected at least one digit, got {shown(text)}")
    if len(text) > LONGEST_TEXT:
        raise InputError(f"text: expected at most {LONGEST_TEXT:,} characters, got {len(text):,}")
    return [None if character == " " else int(character) for character in text]


def whole_number(name: str, value: SupportsIndex, low: int, high: int, hint: str = "") -> int:
    """A whole number from low to high, or InputError. True and False are not accepted.

    The hint is appended to the message if the number is too large.
    """
    expected = f"{low} to {high}" if high < 1000 else f"{low} or more"
    try:
        number = operator.index(value)
    except Exception:  # noqa: BLE001 - a third-party __index__ may raise anything
        number = low - 1
    if number > high >= 1000:
        expected = f"at most {high}"
    if not low <= number <= high or isinstance(value, bool | np.bool_):
        raise InputError(
            f"{name}: expected a whole number, {expected}, got {shown(value)}{hint if number > high else ''}"
        )
    return number


def one_of(name: str, value: str, choices: Collection[str]) -> str:
    """One of the choices, or InputError that suggests the nearest one."""
    if isinstance(value, str) and value in choices:
        return value
    near = difflib.get_close_matches(value[:100], choices, n=1) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(f"{name}: expected one of {', '.join(choices)}, got {shown(value)}{hint}")


def checked_path(path: str | os.PathLike[str]) -> str:
    """A path as str."""
    try:
        return os.fsdecode(path)
    except Exception:  # noqa: BLE001 - a third-party __fspath__ may raise anything
        raise InputError(f"path: expected a file path, got {shown(path)}") from None


def check_flag(name: str, value: bool) -> None:
    """Raise InputError unless it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name}: expected True or False, got {shown(value)}")


def checked_span(name: str, value: Any) -> float | tuple[float, float] | None:
    """A finite number, a range (low, high) of two, or None."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise InputError(f"{name}: expected a number or a range (low, high), got {shown(value)}")
        low, high = (real_number(name, end, -MAX_LATENT, MAX_LATENT) for end in value)
        return low, high
    return real_number(name, value, -MAX_LATENT, MAX_LATENT)


def real_number(name: str, value: float, low: float, high: float, unit: str = "") -> float:
    """A number from low to high, or InputError. True and False are not accepted."""
    expected = f"{low} to {high} {unit}" if unit else f"a number from {low} to {high}"
    real = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    if not (real and low <= value <= high):  # False for NaN too
        raise InputError(f"{name}: expected {expected}, got {shown(value)}")
    return float(value)
