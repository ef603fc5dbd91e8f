"""What may be asked of a model: arguments in, clean values or InputError out."""

import logging
import operator
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from numbers import Real
from typing import SupportsIndex, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen.card import ModelCard
from mnistgen.catalog import models
from mnistgen.errors import InputError
from mnistgen.latents import INDICES, SEEDS, fresh_seed

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

FPS = (1, 100)  # frames a second, from and to: GIF counts in hundredths of a second

log = logging.getLogger("mnistgen")


class Asked(TypedDict, total=False):
    """What sample, stream and generate take beside a number; `Generator.sample` says what each means."""

    digit: SupportsIndex | Sequence[SupportsIndex] | None
    labels: ArrayLike | None
    seed: SupportsIndex | None
    start: SupportsIndex
    truncation: float


@dataclass(frozen=True, slots=True)
class Request:
    """A checked range of a seed's digits."""

    count: int
    seed: int
    start: int
    truncation: float
    digits: tuple[int, ...]  # that come in turn, by the digits' places in the seed; none: as drawn
    labels: Int64 | Float32 | None  # labels (count,) or mixtures (count, 10) of the range

    def classes(self, first: int, drawn: Int64) -> Int64 | Float32:
        """Labels (N,), or mixtures (N, 10), of as many digits of the range from `first` on as labels were drawn."""
        if self.labels is not None:
            return self.labels[first : first + len(drawn)]
        if not self.digits:
            return drawn
        turns = np.arange(len(drawn)) + (self.start + first) % len(self.digits)
        return np.array(self.digits)[turns % len(self.digits)]


def checked_request(
    card: ModelCard,
    n: SupportsIndex | None,
    return_labels: bool,
    *,
    digit: SupportsIndex | Sequence[SupportsIndex] | None = None,
    labels: ArrayLike | None = None,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    truncation: float = 1.0,
) -> Request:
    """The arguments of sample and stream; a seed that is not given is drawn and logged."""
    if digit is not None and labels is not None:
        raise InputError("labels: expected none where digit says what to draw; leave one of them away")
    digits = () if digit is None else checked_digits(digit)
    asked = f"digit {', '.join(map(str, digits))}" if digits else "labels"
    if digits or labels is not None or return_labels:
        check_conditional(card, asked)
    count = whole_number("n", _default_count(digit, labels) if n is None else n, 1, INDICES)
    first = whole_number("start", start, 0, INDICES - count)
    chosen = None if labels is None else checked_labels(labels, count)
    if return_labels and chosen is not None and chosen.ndim > 1:
        raise InputError("return_labels: expected False for mixtures, which have no one label, got True")
    psi = checked_truncation(truncation)
    return Request(count, checked_seed(seed), first, psi, digits, chosen)


def _default_count(digit: object, labels: ArrayLike | None) -> int:
    """How many digits where nobody says: one for each that is named, else one."""
    named = digit if labels is None else labels
    return len(named) if isinstance(named, Sized) else 1


def check_conditional(card: ModelCard, asked: str) -> None:
    """Raise InputError where classes are asked of an unconditional model, naming the models that know them."""
    if not card.conditional:
        conditional = [name for name, other in models().items() if other.conditional]
        raise InputError(
            f"{asked}: model {card.name} is unconditional and draws whatever digit comes; "
            f"class-conditional models: {', '.join(conditional) or 'none is bundled'}"
        )


def checked_digits(digit: SupportsIndex | Sequence[SupportsIndex]) -> tuple[int, ...]:
    """One digit or several, each 0 to 9."""
    array = np.ndim(digit) == 1 if isinstance(digit, np.ndarray) else isinstance(digit, Sequence)
    several: Sequence[SupportsIndex] = list(digit) if array else [digit]  # type: ignore[arg-type, list-item]
    if not several:
        raise InputError("digit: expected a whole number, 0 to 9, or several, got none")
    return tuple(whole_number("digit", one, 0, 9) for one in several)


def checked_seed(seed: SupportsIndex | None) -> int:
    """The seed; a fresh one, logged, where there is none."""
    if seed is not None:
        return whole_number("seed", seed, 0, SEEDS - 1)
    number = fresh_seed()
    log.info("seed %d", number)
    return number


def checked_truncation(truncation: float) -> float:
    """A number from 0 to 1."""
    real = isinstance(truncation, Real) and not isinstance(truncation, bool | np.bool_)
    if not (real and 0 <= truncation <= 1):
        raise InputError(f"truncation: expected a number from 0 to 1, got {truncation!r}")
    return float(truncation)


def checked_latents(card: ModelCard, latents: Float32) -> Float32:
    """Latents float32 (N, D), finite, in C order."""
    expected = f"latents: expected finite float32 (N, {card.latent_dim})"
    if not isinstance(latents, np.ndarray):
        raise InputError(f"{expected}, got {type(latents).__name__}")
    if latents.dtype != np.float32 or latents.ndim != 2 or latents.shape[1] != card.latent_dim:
        raise InputError(f"{expected}, got {latents.dtype} {latents.shape}")
    if bad := int(np.count_nonzero(~np.isfinite(latents))):
        raise InputError(f"{expected}, got {bad} NaN or infinite values")
    return np.ascontiguousarray(latents)


def checked_classes(card: ModelCard, labels: ArrayLike | None, count: int) -> Float32 | None:
    """Classes float32 (count, 10) from labels (count,) or mixtures (count, 10); none for an unconditional model."""
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
    array = np.asarray(labels)
    if array.dtype.kind in "iu" and array.shape == (count,):
        if count and not 0 <= array.min() <= array.max() <= 9:
            raise InputError(f"{expected}, got values from {array.min()} to {array.max()}")
        return array.astype(np.int64)
    if array.dtype.kind == "f" and array.shape == (count, 10):
        if not np.allclose(array.sum(axis=1), 1, atol=1e-3):  # false for NaN too
            raise InputError(f"{expected}, got rows that sum to other values")
        return np.ascontiguousarray(array, np.float32)
    raise InputError(f"{expected}, got {array.dtype} {array.shape}")


def one_hot(labels: Int64 | Float32) -> Float32:
    """Labels int64 (N,) -> float32 (N, 10); mixtures float32 (N, 10) are what they are."""
    return np.eye(10, dtype=np.float32)[labels] if labels.ndim == 1 else labels.astype(np.float32, copy=False)


def check_fps(fps: float) -> None:
    """Raise InputError unless the frames a second are 1 to 100."""
    low, high = FPS
    if not (isinstance(fps, Real) and low <= fps <= high):
        raise InputError(f"fps: expected {low} to {high} frames a second, got {fps!r}")


def checked_text(text: str) -> list[int | None]:
    """Digits, and None for spaces. Raises InputError for other characters, and where there is no digit."""
    if not isinstance(text, str):
        raise InputError(f"text: expected digits and spaces, got {text!r}")
    for character in text:
        if character not in "0123456789 ":
            raise InputError(f"text: expected digits and spaces, got {character!r} in {text!r}")
    if not text.strip():
        raise InputError(f"text: expected at least one digit, got {text!r}")
    return [None if character == " " else int(character) for character in text]


def whole_number(name: str, value: SupportsIndex, low: int, high: int) -> int:
    """The whole number from low to high, or InputError. True and False are no numbers here."""
    expected = f"{low} to {high}" if high < 1000 else f"{low} or more"
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if number > high >= 1000:
        expected = f"at most {high}"
    if not low <= number <= high or isinstance(value, bool | np.bool_):
        raise InputError(f"{name}: expected a whole number, {expected}, got {value!r}")
    return number
