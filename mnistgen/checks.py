"""What may be asked of a model: arguments in, clean values or InputError out."""

import logging
import operator
from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen.card import ModelCard
from mnistgen.catalog import models
from mnistgen.errors import InputError
from mnistgen.latents import INDICES, SEEDS, fresh_seed

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

log = logging.getLogger("mnistgen")


@dataclass(frozen=True, slots=True)
class Request:
    """A checked range of a seed's digits."""

    count: int
    seed: int
    start: int
    digit: int | None


def checked_request(
    card: ModelCard,
    n: SupportsIndex,
    digit: SupportsIndex | None,
    seed: SupportsIndex | None,
    start: SupportsIndex,
    return_labels: bool,
) -> Request:
    """The arguments of sample and stream; a seed that is not given is drawn and logged."""
    count = whole_number("n", n, 1, INDICES)
    first = whole_number("start", start, 0, INDICES - count)
    label = None if digit is None else whole_number("digit", digit, 0, 9)
    if not card.conditional and (label is not None or return_labels):
        conditional = [name for name, other in models().items() if other.conditional]
        what = "labels" if label is None else f"digit {label}"
        raise InputError(
            f"{what}: model {card.name} is unconditional and draws whatever digit comes; "
            f"class-conditional models: {', '.join(conditional) or 'none is bundled'}"
        )
    if seed is None:
        number = fresh_seed()
        log.info("seed %d", number)
    else:
        number = whole_number("seed", seed, 0, SEEDS - 1)
    return Request(count, number, first, label)


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
    expected = f"labels: expected whole numbers ({count},) from 0 to 9, or mixtures ({count}, 10) whose rows sum to 1"
    if labels is None:
        raise InputError(f"{expected}, got none")
    array = np.asarray(labels)
    if array.dtype.kind in "iu" and array.shape == (count,):
        if count and not 0 <= array.min() <= array.max() <= 9:
            raise InputError(f"{expected}, got values from {array.min()} to {array.max()}")
        return one_hot(array.astype(np.int64))
    if array.dtype.kind == "f" and array.shape == (count, 10):
        if not np.allclose(array.sum(axis=1), 1, atol=1e-3):  # false for NaN too
            raise InputError(f"{expected}, got rows that sum to other values")
        return np.ascontiguousarray(array, np.float32)
    raise InputError(f"{expected}, got {array.dtype} {array.shape}")


def one_hot(labels: Int64) -> Float32:
    """Labels int64 (N,) -> float32 (N, 10)."""
    return np.eye(10, dtype=np.float32)[labels]


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
