"""Checks of arguments: each returns a clean value or raises InputError."""

import difflib
import operator
from collections.abc import Collection, Sequence
from numbers import Real
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen._arrays import Float32, Int64, UInt8
from mnistgen._errors import InputError, shown

MAX_DIGITS = 10_000_000  # in one array: 7.8 GB
MAX_LATENT = 1000.0  # in absolute value; latents from N(0, 1) stay below 10
ROUNDING = 1e-3  # tolerance of class weights and of their sum

DigitLike = SupportsIndex | Sequence[SupportsIndex] | ArrayLike


def whole_number(name: str, value: SupportsIndex, low: int, high: int, hint: str = "") -> int:
    """A whole number from low to high. True and False are not accepted.

    The hint is appended to the message if the number is too large.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if low <= number <= high and not isinstance(value, bool | np.bool_):
        return number
    expected = f"{low} to {high}" if high < 1000 else f"at most {high}" if number > high else f"{low} or more"
    raise InputError(f"{name}: expected a whole number, {expected}, got {shown(value)}{hint if number > high else ''}")


def real_number(name: str, value: float, low: float, high: float) -> float:
    """A number from low to high. True and False are not accepted."""
    real = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    if not (real and low <= value <= high):  # False for NaN too
        raise InputError(f"{name}: expected a number from {low:g} to {high:g}, got {shown(value)}")
    return float(value)


def one_of(name: str, value: str, choices: Collection[str]) -> str:
    """One of the choices; the error suggests the nearest one."""
    if value in choices:
        return value
    near = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(f"{name}: expected one of {', '.join(choices)}, got {shown(value)}{hint}")


def as_array(expected: str, value: object) -> NDArray[Any]:
    """The value as an array: lists, tensors on the CPU, data frames, anything that NumPy converts."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # PyTorch raises all three
        hint = "; unpack the tuple first" if isinstance(value, tuple) else ""
        raise InputError(f"{expected}, got a value that NumPy cannot convert: {error}{hint}") from None


def class_number(name: str, label: SupportsIndex | str, classes: Sequence[str]) -> int:
    """The number of a class, given by its number or by its name."""
    if isinstance(label, str):
        return classes.index(one_of(name, label, classes))
    return whole_number(name, label, 0, len(classes) - 1)


def checked_images(images: ArrayLike) -> UInt8:
    """Images uint8 (N, 28, 28), N at least 1."""
    expected = "images: expected uint8 (N, 28, 28), N at least 1"
    array = as_array(expected, images)
    if array.dtype == np.uint8 and array.shape[1:] == (28, 28) and array.size:
        return array
    fix = "; multiply pixels from 0 to 1 by 255 and round them" if array.dtype.kind == "f" else ""
    raise InputError(f"{expected}, got {array.dtype} {array.shape}{fix}")


def checked_digits(digit: DigitLike) -> tuple[int, ...]:
    """One digit or several, each 0 to 9."""
    expected = "digit: expected a whole number, 0 to 9, or several"
    values = np.atleast_1d(as_array(expected, digit)).tolist()
    if not values:
        raise InputError(f"{expected}, got none")
    return tuple(whole_number("digit", one, 0, 9) for one in values)


def checked_text(text: str) -> list[int | None]:
    """Digits, with None for spaces. Raises InputError for other characters, and without a digit."""
    if not isinstance(text, str) or not text.strip() or set(text) - set("0123456789 "):
        raise InputError(f"text: expected digits and spaces, at least one digit, got {shown(text)}")
    return [None if character == " " else int(character) for character in text]


def checked_latents(size: int, latents: ArrayLike, name: str = "latents") -> Float32:
    """Latents (N, D), or (D,) for one image, as float32 (N, D) in C order, at most MAX_LATENT in absolute value."""
    expected = f"{name}: expected float (N, {size}) or ({size},) from -{MAX_LATENT:.0f} to {MAX_LATENT:.0f}"
    array = as_array(expected, latents)
    if array.dtype.kind != "f" or array.shape[-1:] != (size,) or array.ndim > 2:
        raise InputError(f"{expected}, got {array.dtype} {array.shape}")
    if bad := int(np.count_nonzero(~(np.abs(array) <= MAX_LATENT))):  # counts NaN too
        raise InputError(f"{expected}, got {bad} NaN or out-of-range values")
    return np.ascontiguousarray(np.atleast_2d(array), np.float32)


def checked_style(size: int, style: ArrayLike) -> Float32:
    """Latents (D,), or the mean of latents (M, D), as float32 (D,)."""
    latents = checked_latents(size, style, "style")
    if not len(latents):
        raise InputError(f"style: expected latents ({size},) or (M, {size}), got none")
    mean: Float32 = latents.mean(axis=0)
    return mean


def checked_labels(labels: ArrayLike | None, count: int, classes: Sequence[str]) -> Int64 | Float32:
    """Labels int64 (count,), or mixtures float32 (count, K), of K classes.

    Names (count,) and whole-number one-hot rows (count, K) are labels.
    """
    k = len(classes)
    numbers = f"whole numbers ({count},) from 0 to {k - 1}"
    expected = f"labels: expected {numbers}, or mixtures ({count}, {k}) whose rows sum to 1"
    if labels is None:
        raise InputError(f"{expected}, got none")
    array = as_array(expected, labels)
    if array.dtype.kind in "UOT":
        found = [class_number("labels", label, classes) for label in array.ravel().tolist()]
        array = np.array(found, np.int64).reshape(array.shape)
    if array.dtype.kind in "iub" and array.shape == (count, k):
        if not ((array >= 0).all() and (array.sum(axis=1) == 1).all()):
            raise InputError(f"{expected}, got whole numbers whose rows are not one-hot")
        return np.asarray(array.argmax(axis=1), np.int64)
    if array.dtype.kind in "iu" and array.shape in ((), (count,)):
        if count and not 0 <= array.min() <= array.max() < k:
            raise InputError(f"{expected}, got values from {array.min()} to {array.max()}")
        return np.array(np.broadcast_to(array, count), np.int64)
    if array.dtype.kind == "f" and array.shape in ((k,), (count, k)):
        if not ((array >= -ROUNDING) & (array <= 1 + ROUNDING)).all():  # False for NaN too
            raise InputError(f"{expected}, got entries that are not from 0 to 1")
        if not np.allclose(array.sum(axis=-1), 1, atol=ROUNDING):
            raise InputError(f"{expected}, got rows with other sums")
        return np.array(np.broadcast_to(array, (count, k)), np.float32)
    raise InputError(f"{expected}, got {array.dtype} {array.shape}")


def one_hot(labels: Int64 | Float32, size: int) -> Float32:
    """Labels int64 (N,) -> float32 (N, K) of K classes; mixtures float32 (N, K) are returned unchanged."""
    return np.eye(size, dtype=np.float32)[labels] if labels.ndim == 1 else labels.astype(np.float32, copy=False)
