"""Functional shortcuts for Generator, with one cached generator per model."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

from numpy.typing import ArrayLike

from mnistgen._arrays import Float32, UInt8
from mnistgen._checks import MAX_DIGITS, DigitLike, checked_text, whole_number
from mnistgen._generator import Generator
from mnistgen._latents import INDICES, checked_seed, draw
from mnistgen._loaded import Labelled
from mnistgen._model import DEFAULT_MODEL, find, portable
from mnistgen._request import AttributeLike

if TYPE_CHECKING:
    from mnistgen.photos import Picture

Model = str | os.PathLike[str]


def generate(
    n: SupportsIndex | None = None,
    *,
    digit: DigitLike | None = None,
    labels: ArrayLike | None = None,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    truncation: float = 1.0,
    thickness: AttributeLike | None = None,
    slant: AttributeLike | None = None,
    width: AttributeLike | None = None,
    height: AttributeLike | None = None,
    model: Model = DEFAULT_MODEL,
) -> UInt8:
    """Generate n handwritten digits as uint8 (n, 28, 28), ink 255, background 0.

    `model` is the name of a bundled model or the path of a model directory. Its generator is cached for later calls.
    All other parameters, and the errors, are those of `Generator.sample`.
    """
    return _generator(model).sample(
        n,
        digit=digit,
        labels=labels,
        seed=seed,
        start=start,
        truncation=truncation,
        thickness=thickness,
        slant=slant,
        width=width,
        height=height,
    )


def generate_labelled(
    n: SupportsIndex | None = None,
    *,
    digit: DigitLike | None = None,
    labels: ArrayLike | None = None,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    truncation: float = 1.0,
    thickness: AttributeLike | None = None,
    slant: AttributeLike | None = None,
    width: AttributeLike | None = None,
    height: AttributeLike | None = None,
    model: Model = DEFAULT_MODEL,
) -> Labelled:
    """Generate n handwritten digits with their labels: (images uint8 (n, 28, 28), labels int64 (n,)).

    `model` is as in `generate`. All other parameters, and the errors, are those of `Generator.sample_labelled`.
    """
    return _generator(model).sample_labelled(
        n,
        digit=digit,
        labels=labels,
        seed=seed,
        start=start,
        truncation=truncation,
        thickness=thickness,
        slant=slant,
        width=width,
        height=height,
    )


def number(
    text: str,
    *,
    style: ArrayLike | None = None,
    seed: SupportsIndex | None = None,
    truncation: float = 1.0,
    model: Model = DEFAULT_MODEL,
) -> UInt8:
    """Generate a number in one handwriting style as uint8 (28, 28 N) for N characters, ink 255, background 0.

    A space leaves a gap. The parameters, and the errors, are those of `Generator.number`.
    """
    return _generator(model).number(text, style=style, seed=seed, truncation=truncation)


def imitate(
    images: UInt8 | Picture | Sequence[Picture],
    text: str = "0123456789",
    *,
    steps: SupportsIndex = 0,
    model: Model = DEFAULT_MODEL,
) -> UInt8:
    """Generate a number in the handwriting of some digits, as uint8 (28, 28 N) for N characters, ink 255, background 0.

    `images` are uint8 (M, 28, 28), normalised as MNIST's digits are, or pictures, from which `read_digits` reads them.
    Their style is the mean of the latents that `Generator.encode` returns, with `steps` of refinement. `text` consists
    of digits and spaces; a space leaves a gap.

    Raises InputError for other arguments, for pictures without digits, and for a model without an encoder.
    """
    generator = _generator(model)
    checked_text(text)
    digits: Any = images
    if not hasattr(images, "ndim"):  # an array or a tensor has it, a path or a picture does not
        from mnistgen.photos import read_digits  # late: few callers read pictures

        digits = read_digits(images)
    return generator.number(text, style=generator.encode(digits, steps=steps).latents)


def latents(
    seed: SupportsIndex, start: SupportsIndex = 0, n: SupportsIndex = 1, *, model: Model = DEFAULT_MODEL
) -> Float32:
    """Return the latents of digits `start` to `start + n - 1` of a seed as float32 (n, D), D the latent dimension.

    `Generator.decode` turns them into images: with the labels of `generate_labelled`, into the same images. n is at
    most 10,000,000. Raises InputError for numbers outside their ranges and for an unknown model, ModelError for a
    damaged model.
    """
    count = whole_number("n", n, 1, MAX_DIGITS)
    first = whole_number("start", start, 0, INDICES - count)
    return draw(checked_seed(seed), first, count, find(model).card.latent_dim)[0]


def _generator(model: Model) -> Generator:
    name = portable(model)
    return _cached(name, find(name).card.sha256 if Path(name).is_absolute() else "")  # it may be a new model


@functools.lru_cache(maxsize=4)
def _cached(model: str, sha256: str) -> Generator:
    return Generator(model)
