"""The functional shortcuts: each wraps one Generator a model, and nothing more."""

from __future__ import annotations

import functools
import os
from typing import Literal, SupportsIndex, overload

from numpy.typing import ArrayLike

from mnistgen._arrays import Float32, UInt8
from mnistgen._catalog import DEFAULT_MODEL, locate, named
from mnistgen._checks import AT_ONCE, DigitLike, checked_seed, whole_number
from mnistgen._generator import Generator, Labelled
from mnistgen._keywords import suggesting_keywords
from mnistgen._latents import INDICES, draw

Model = str | os.PathLike[str]


@overload
def generate(
    n: SupportsIndex | None = None,
    *,
    digit: DigitLike | None = None,
    labels: ArrayLike | None = None,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    truncation: float = 1.0,
    return_labels: Literal[False] = False,
    model: Model = DEFAULT_MODEL,
) -> UInt8: ...


@overload
def generate(
    n: SupportsIndex | None = None,
    *,
    digit: DigitLike | None = None,
    labels: ArrayLike | None = None,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    truncation: float = 1.0,
    return_labels: Literal[True],
    model: Model = DEFAULT_MODEL,
) -> Labelled: ...


@overload
def generate(
    n: SupportsIndex | None = None,
    *,
    digit: DigitLike | None = None,
    labels: ArrayLike | None = None,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    truncation: float = 1.0,
    return_labels: bool,
    model: Model = DEFAULT_MODEL,
) -> UInt8 | Labelled: ...


@suggesting_keywords
def generate(
    n: SupportsIndex | None = None,
    *,
    digit: DigitLike | None = None,
    labels: ArrayLike | None = None,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    truncation: float = 1.0,
    return_labels: bool = False,
    model: Model = DEFAULT_MODEL,
) -> UInt8 | Labelled:
    """Generate n handwritten digits, uint8 (n, 28, 28), ink 255, paper 0.

    `model` is a bundled model's name or a model directory's path; its generator stays open for the next call. All other
    parameters, and what is raised, are those of `Generator.sample`.
    """
    return _generator(named(model)).sample(
        n,
        digit=digit,
        labels=labels,
        seed=seed,
        start=start,
        truncation=truncation,
        return_labels=return_labels,
    )


@suggesting_keywords
def number(
    text: str,
    *,
    seed: SupportsIndex | None = None,
    truncation: float = 1.0,
    model: Model = DEFAULT_MODEL,
) -> UInt8:
    """A number in one handwriting style, uint8 (28, 28 N), ink 255, paper 0; a space leaves a gap.

    The parameters, and what is raised, are those of `Generator.number`.
    """
    return _generator(named(model)).number(text, seed=seed, truncation=truncation)


@suggesting_keywords
def latents(
    seed: SupportsIndex, start: SupportsIndex = 0, n: SupportsIndex = 1, *, model: Model = DEFAULT_MODEL
) -> Float32:
    """The latents of digits `start` to `start + n - 1` of a seed, float32 (n, D), D the model's latent dimension.

    `Generator.decode` draws digits from them: with the labels of `generate`, the very same ones. Raises InputError for
    numbers outside their ranges and ModelError for an unknown model.
    """
    count = whole_number("n", n, 1, AT_ONCE)
    first = whole_number("start", start, 0, INDICES - count)
    return draw(checked_seed(seed), first, count, locate(model).card.latent_dim)[0]


@functools.lru_cache(maxsize=4)
def _generator(model: str) -> Generator:
    return Generator(model)
