"""Functional shortcuts for Generator, with one cached generator per model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex

from numpy.typing import ArrayLike

from mnistgen._arrays import Float32, UInt8
from mnistgen._checks import MAX_DIGITS, DigitLike, checked_text, whole_number
from mnistgen._generator import cached
from mnistgen._latents import INDICES, checked_seed, draw
from mnistgen._loaded import Labelled
from mnistgen._model import DEFAULT_MODEL, Model, find
from mnistgen._request import AttributeLike, LabelLike

if TYPE_CHECKING:
    from mnistgen.photos import Reading
    from mnistgen.photos.pictures import Picture

CORRECTION = 5  # steps of refinement to digits that were misread


def generate(
    n: SupportsIndex | None = None,
    *,
    digit: DigitLike | None = None,
    labels: LabelLike | None = None,
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
    attributes = {"thickness": thickness, "slant": slant, "width": width, "height": height}
    return cached(model).sample(
        n, digit=digit, labels=labels, seed=seed, start=start, truncation=truncation, **attributes
    )


def generate_labelled(
    n: SupportsIndex | None = None,
    *,
    digit: DigitLike | None = None,
    labels: LabelLike | None = None,
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
    attributes = {"thickness": thickness, "slant": slant, "width": width, "height": height}
    return cached(model).sample_labelled(
        n, digit=digit, labels=labels, seed=seed, start=start, truncation=truncation, **attributes
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
    return cached(model).number(text, style=style, seed=seed, truncation=truncation)


def imitate(
    images: ArrayLike | Reading | Picture | Sequence[Picture],
    text: str = "0123456789",
    *,
    labels: ArrayLike | None = None,
    steps: SupportsIndex = 0,
    model: Model = DEFAULT_MODEL,
) -> UInt8:
    """Generate a number in the handwriting of some digits, as uint8 (28, 28 N) for N characters, ink 255, background 0.

    `images` are uint8 (M, 28, 28), normalised as MNIST's digits are, or what `read_digits` returned, or pictures, which
    it reads; what it rejects then causes a warning. Their style is the mean of the latents that `Generator.encode`
    returns, with `steps` of refinement. `labels`, M digits, corrects what was misread; with them, 5 steps are the
    default. `text` consists of digits and spaces; a space leaves a gap.

    Raises InputError for other arguments, for pictures without digits, and for a model without an encoder;
    DependencyError for pictures if OpenCV is not installed.
    """
    generator = cached(model)
    checked_text(text)
    digits: Any = getattr(images, "images", images)
    if getattr(digits, "shape", ())[1:] != (28, 28):
        from mnistgen.photos import read_digits  # late: few callers read pictures

        reading = read_digits(digits, model=model)
        if reading.rejected:
            message = f"parts of the pictures that were not used: {len(reading.rejected)}"
            warnings.warn(f"{message}; read_digits(…).draw() shows them", stacklevel=2)
        digits = reading.images
    steps = CORRECTION if labels is not None and not steps else steps
    return generator.number(text, style=generator.encode(digits, labels, steps=steps).latents)


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
