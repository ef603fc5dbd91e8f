"""Generator: a loaded model that generates digits. Its signatures and checks; the work is in _sampling.py."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike

from mnistgen._arrays import Float32, Int64, UInt8
from mnistgen._attributes import CONTROLLED
from mnistgen._card import ModelCard
from mnistgen._catalog import DEFAULT_MODEL, locate, portable
from mnistgen._checks import (
    MAX_DIGITS,
    DigitLike,
    Request,
    check_conditional,
    check_flag,
    checked_classes,
    checked_labels,
    checked_latents,
    checked_request,
    checked_seed,
    checked_style,
    checked_text,
    checked_threads,
    checked_truncation,
    max_threads,
    named_corners,
    one_hot,
    whole_number,
)
from mnistgen._devices import Device, usable_cpus
from mnistgen._editing import AttributeLike, Wanted, checked_attributes
from mnistgen._encoding import check_encoder, refine
from mnistgen._errors import InputError, shown
from mnistgen._images import check_images, line
from mnistgen._keywords import suggesting_keywords
from mnistgen._latents import INDICES, draw
from mnistgen._sampling import Inputs, Sampler
from mnistgen._walks import linear, spherical, surface

STREAM_BATCH = 1024
SIDE = 10_000  # digits along a side of a walk, at most
MAX_STEPS = 1_000  # of refinement


class Labelled(NamedTuple):
    """Images uint8 (N, 28, 28) and labels int64 (N,), as returned with return_labels=True."""

    images: UInt8
    labels: Int64


class Encoded(NamedTuple):
    """Latents float32 (N, D) and labels int64 (N,), as returned by `encode` with return_labels=True."""

    latents: Float32
    labels: Int64


class Generator:
    """A model, loaded on a device and ready to generate digits.

    `model` is the name of a bundled model or the path of a model directory. `device` is "auto" (CUDA if a session runs
    on it, else the CPU), "cpu" or "cuda". `threads` is the number of CPU threads that onnxruntime uses: by default the
    number of usable CPUs, at most four times that. A generator is thread-safe and works after a fork. It can be
    pickled; unpickling loads the model again.

    A model is a program. Treat a model from an untrusted source as untrusted code: it may run forever, use all memory
    or attack onnxruntime. `mnistgen doctor --model PATH` tests one in a separate process with limits on time and
    memory.

    Raises InputError for an unknown model and for invalid arguments, ModelError for a damaged model, and DeviceError
    if the device is unavailable.
    """

    @suggesting_keywords
    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        device: Device = "auto",
        threads: SupportsIndex | None = None,
    ) -> None:
        directory = locate(model)
        self._model = portable(model)
        self._requested_device = device
        self._threads = usable_cpus() if threads is None else checked_threads(threads)
        self._card = directory.card
        self._sampler = Sampler(directory, device, self._threads)

    def __repr__(self) -> str:
        return f"Generator({self._model!r}, device={self.device!r}, threads={self._threads})"

    def __reduce__(self) -> tuple[Callable[..., Generator], tuple[Any, ...]]:
        return _reopen, (self._model, self._requested_device, self._threads)

    @property
    def model(self) -> str:
        """The model's name or the path of its directory; it resolves to the same model in other processes."""
        return self._model

    @property
    def card(self) -> ModelCard:
        """The model card."""
        return self._card

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """The device in use, read from the session."""
        return "cuda" if self._sampler.session.device == "cuda" else "cpu"

    @property
    def threads(self) -> int:
        """The number of CPU threads of the session."""
        return self._threads

    @overload
    def sample(
        self,
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
        return_labels: Literal[False] = False,
    ) -> UInt8: ...

    @overload
    def sample(
        self,
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
        return_labels: Literal[True],
    ) -> Labelled: ...

    @overload
    def sample(
        self,
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
        return_labels: bool,
    ) -> UInt8 | Labelled: ...

    @suggesting_keywords
    def sample(
        self,
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
        return_labels: bool = False,
    ) -> UInt8 | Labelled:
        """Generate digits `start` to `start + n - 1` of a seed: images uint8 (n, 28, 28), ink 255, background 0.

        Digit i of a seed depends only on the model, the seed and i, not on n, batch sizes or threads. Pixels may differ
        by one grey level where arithmetic runs in another order.

        Args:
            n: Number of digits, at most 10,000,000 (7.8 GB; use `stream` for more). By default, the number of digits or
                labels given, else 1.
            digit: The digit to generate, 0 to 9, or a sequence of digits that is repeated cyclically by index in the
                seed. By default, labels are drawn uniformly.
            labels: Instead of digit, the label of each image: whole numbers (n,) from 0 to 9, or mixtures float (n, 10)
                whose rows sum to 1. A single label, or one mixture (10,), applies to all images.
            seed: 0 to 2**64 - 1. By default, a fresh seed is drawn and logged (logger "mnistgen", level INFO).
            start: Index of the first digit in the seed.
            truncation: Factor from 0 to 1 that multiplies the latents: lower values give cleaner and less varied
                digits, 0 the class mean (truncation trick: T. Karras et al., 2019, arXiv:1812.04948, appendix B).
            thickness: Stroke thickness in pixels, as `mnistgen.measure` defines it: a number for all images, a tuple
                (low, high) to draw from uniformly, or floats (n,). A value outside the range of a digit's class becomes
                the nearest end of the range. All else about the digit's style stays as similar as possible.
            slant: The same for the slant, in radians, positive to the right.
            width: The same for the width, in pixels.
            height: The same for the height, in pixels.
            return_labels: Return (images, labels), labels int64 (n,), instead of images.

        Raises:
            InputError: For arguments outside these ranges, for attributes that no digit of the model can have, and for
                digit, labels or return_labels with an unconditional model.
            ModelError: If the model fails or returns values that are not pixels.
        """
        request = checked_request(
            self.card,
            n,
            MAX_DIGITS,
            digit=digit,
            labels=labels,
            seed=seed,
            start=start,
            truncation=truncation,
            return_labels=return_labels,
        )
        wanted = self._attributes(request, thickness, slant, width, height)
        return self._draw(request, wanted, 0, request.count)

    @overload
    def stream(
        self,
        n: SupportsIndex | None = None,
        *,
        batch_size: SupportsIndex = STREAM_BATCH,
        digit: DigitLike | None = None,
        labels: ArrayLike | None = None,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        truncation: float = 1.0,
        thickness: AttributeLike | None = None,
        slant: AttributeLike | None = None,
        width: AttributeLike | None = None,
        height: AttributeLike | None = None,
        return_labels: Literal[False] = False,
    ) -> Iterator[UInt8]: ...

    @overload
    def stream(
        self,
        n: SupportsIndex | None = None,
        *,
        batch_size: SupportsIndex = STREAM_BATCH,
        digit: DigitLike | None = None,
        labels: ArrayLike | None = None,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        truncation: float = 1.0,
        thickness: AttributeLike | None = None,
        slant: AttributeLike | None = None,
        width: AttributeLike | None = None,
        height: AttributeLike | None = None,
        return_labels: Literal[True],
    ) -> Iterator[Labelled]: ...

    @overload
    def stream(
        self,
        n: SupportsIndex | None = None,
        *,
        batch_size: SupportsIndex = STREAM_BATCH,
        digit: DigitLike | None = None,
        labels: ArrayLike | None = None,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        truncation: float = 1.0,
        thickness: AttributeLike | None = None,
        slant: AttributeLike | None = None,
        width: AttributeLike | None = None,
        height: AttributeLike | None = None,
        return_labels: bool,
    ) -> Iterator[UInt8] | Iterator[Labelled]: ...

    @suggesting_keywords
    def stream(
        self,
        n: SupportsIndex | None = None,
        *,
        batch_size: SupportsIndex = STREAM_BATCH,
        digit: DigitLike | None = None,
        labels: ArrayLike | None = None,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        truncation: float = 1.0,
        thickness: AttributeLike | None = None,
        slant: AttributeLike | None = None,
        width: AttributeLike | None = None,
        height: AttributeLike | None = None,
        return_labels: bool = False,
    ) -> Iterator[UInt8] | Iterator[Labelled]:
        """Generate the digits of `sample` in batches, in constant memory; n may be up to 2**63.

        Every batch has batch_size digits, except that the last one may be smaller. The other parameters, and the
        errors, are those of `sample`. Arguments are checked at the call, not at the first iteration.
        """
        size = whole_number("batch_size", batch_size, 1, MAX_DIGITS)
        request = checked_request(
            self.card,
            n,
            INDICES,
            digit=digit,
            labels=labels,
            seed=seed,
            start=start,
            truncation=truncation,
            return_labels=return_labels,
        )

        wanted = self._attributes(request, thickness, slant, width, height)

        def batches() -> Iterator[Any]:
            for first in range(0, request.count, size):
                yield self._draw(request, wanted, first, min(size, request.count - first))

        return batches()

    @suggesting_keywords
    def number(
        self,
        text: str,
        *,
        style: ArrayLike | None = None,
        seed: SupportsIndex | None = None,
        truncation: float = 1.0,
    ) -> UInt8:
        """Generate a number in one handwriting style: uint8 (28, 28 N) for N characters, digits side by side.

        `text` consists of digits and spaces; a space leaves a gap. All digits use the same latents: `style`, float
        (D,), or the mean of float (M, D), such as those that `encode` returns; without it, the first latents of the
        seed. By default, a fresh seed is drawn and logged. `truncation` is as in `sample`. Raises InputError for other
        arguments and for unconditional models.
        """
        check_conditional(self.card, f"text {shown(text)}")
        digits = checked_text(text)
        if style is None:
            latents, _ = draw(checked_seed(seed), 0, 1, self.card.latent_dim)
        elif seed is not None:
            raise InputError("seed: expected none together with style; pass only one of them")
        else:
            latents = checked_style(self.card, style)[None]
        labels = [digit for digit in digits if digit is not None]
        images = np.zeros((len(digits), 28, 28), np.uint8)
        images[[digit is not None for digit in digits]] = self.decode(
            np.repeat(latents * np.float32(checked_truncation(truncation)), len(labels), axis=0), labels
        )
        return line(images)

    @suggesting_keywords
    def interpolate(
        self,
        first: SupportsIndex | None = None,
        last: SupportsIndex | None = None,
        *,
        frames: SupportsIndex = 60,
        seed: SupportsIndex | None = None,
    ) -> UInt8:
        """Interpolate from digit `first` to digit `last`: uint8 (frames, 28, 28).

        The ends are the first two latents of the seed. Latents are interpolated along an arc, class weights linearly.
        An unconditional model takes no digits. Raises InputError for fewer than 2 or more than 10,000,000 frames, for
        digits outside 0 to 9, and for one end without the other.
        """
        count = whole_number("frames", frames, 2, MAX_DIGITS)
        digits = self._endpoints({"first": first, "last": last})
        ends = None if digits is None else one_hot(digits)
        latents, _ = draw(checked_seed(seed), 0, 2, self.card.latent_dim)
        shares = np.linspace(0, 1, count)

        def between(part: slice) -> Inputs:
            classes = None if ends is None else linear(ends[0], ends[1], shares[part])
            return spherical(latents[0], latents[1], shares[part]), classes

        return self._sampler.images(count, between)

    @suggesting_keywords
    def walk(
        self,
        corners: Sequence[SupportsIndex] | None = None,
        *,
        rows: SupportsIndex = 10,
        columns: SupportsIndex = 10,
        seed: SupportsIndex | None = None,
    ) -> UInt8:
        """Interpolate between four digits in two dimensions: uint8 (rows * columns, 28, 28), row by row.

        `corners` are the digits at the top left, top right, bottom left and bottom right; their latents are the first
        four of the seed. Digits are interpolated as in `interpolate`, first down the left and right sides, then along
        each row. `mnistgen.grid` arranges them in one picture. An unconditional model takes no digits. Raises
        InputError for fewer than 2 or more than 10,000 rows or columns, for more than 10,000,000 digits, and for
        corners that are not four digits from 0 to 9.
        """
        sides = whole_number("rows", rows, 2, SIDE), whole_number("columns", columns, 2, SIDE)
        count = whole_number("rows times columns", math.prod(sides), 4, MAX_DIGITS)
        digits = self._endpoints(named_corners(corners))
        ends = None if digits is None else one_hot(digits)
        latents, _ = draw(checked_seed(seed), 0, 4, self.card.latent_dim)
        down, right = (np.linspace(0, 1, side) for side in sides)

        def between(part: slice) -> Inputs:
            row, column = np.divmod(np.arange(part.start, part.stop), len(right))
            classes = None if ends is None else surface(linear, ends, down[row], right[column])
            return surface(spherical, latents, down[row], right[column]), classes

        return self._sampler.images(count, between)

    @suggesting_keywords
    def decode(
        self,
        latents: ArrayLike,
        labels: ArrayLike | None = None,
        *,
        thickness: ArrayLike | None = None,
        slant: ArrayLike | None = None,
        width: ArrayLike | None = None,
        height: ArrayLike | None = None,
    ) -> UInt8:
        """Decode latents float (N, D), or (D,) for one image, into images uint8 (N, 28, 28), ink 255, background 0.

        Latents are from -1000 to 1000; the model was trained on N(0, 1), from which `mnistgen.latents` draws them. A
        class-conditional model also takes labels: whole numbers (N,) from 0 to 9, or mixtures float (N, 10) with
        entries from 0 to 1 and rows that sum to 1. A single label, or one mixture (10,), applies to all images. Both
        arguments accept whatever NumPy can convert: lists, arrays, tensors on the CPU, data frames.

        Attributes, a number for all images or floats (N,), are as in `sample`.

        Raises InputError for anything else, and ModelError if the model fails or returns values that are not pixels.
        """
        styles = checked_latents(self.card, latents)
        classes = checked_classes(self.card, labels, len(styles))
        given = {"thickness": thickness, "slant": slant, "width": width, "height": height}
        wanted = checked_attributes(self.card, len(styles), given, ranges=False)
        return self._sampler.images(
            len(styles), lambda part: (styles[part], None if classes is None else classes[part]), wanted
        )

    @overload
    def encode(
        self,
        images: UInt8,
        labels: ArrayLike | None = None,
        *,
        steps: SupportsIndex = 0,
        return_labels: Literal[False] = False,
    ) -> Float32: ...

    @overload
    def encode(
        self,
        images: UInt8,
        labels: ArrayLike | None = None,
        *,
        steps: SupportsIndex = 0,
        return_labels: Literal[True],
    ) -> Encoded: ...

    @overload
    def encode(
        self,
        images: UInt8,
        labels: ArrayLike | None = None,
        *,
        steps: SupportsIndex = 0,
        return_labels: bool,
    ) -> Float32 | Encoded: ...

    @suggesting_keywords
    def encode(
        self,
        images: UInt8,
        labels: ArrayLike | None = None,
        *,
        steps: SupportsIndex = 0,
        return_labels: bool = False,
    ) -> Float32 | Encoded:
        """Encode images into latents float32 (N, D), with which `decode` reproduces them: their handwriting styles.

        Args:
            images: uint8 (N, 28, 28), ink 255, background 0, normalised as MNIST's digits are; `mnistgen.read_digits`
                reads them from pictures.
            labels: The digits to reproduce, as in `decode`. By default, those that the encoder reads. They matter with
                `steps` only.
            steps: Number of Levenberg-Marquardt steps, 0 to 1000, that refine the latents to reproduce the images more
                exactly; 5 are usually enough. Each takes as long as decoding 2 D images for each image.
            return_labels: Return (latents, labels), labels int64 (N,) as the encoder reads them, instead of latents.

        Raises:
            InputError: For other arguments, for blank images, and for a model without an encoder.
            ModelError: If the encoder is damaged.
        """
        check_flag("return_labels", return_labels)
        check_encoder(self.card)
        check_images("images", images, (28, 28))
        if blank := int((~images.any(axis=(1, 2))).sum()):
            raise InputError(f"images: expected digits, got {blank} blank image{'s' * (blank > 1)}")
        count = whole_number("steps", steps, 0, MAX_STEPS)
        given = None if labels is None else one_hot(checked_labels(labels, len(images)))
        latents, found = self._sampler.encoder.encode(images)
        if count:
            latents = refine(self.decode, images, latents, one_hot(found) if given is None else given, count)
        return Encoded(latents, found) if return_labels else latents

    def _endpoints(self, digits: Mapping[str, SupportsIndex | None]) -> Int64 | None:
        """Check digits, given by name, and return their labels (N,), or None for an unconditional model."""
        given = [digit for digit in digits.values() if digit is not None]
        if given:
            check_conditional(self.card, f"digits {', '.join(map(shown, given))}")
        elif not self.card.conditional:
            return None
        return np.array([whole_number(name, digits[name], 0, 9) for name in digits])  # type: ignore[arg-type]

    def _attributes(self, request: Request, *values: AttributeLike | None) -> dict[str, Wanted]:
        return checked_attributes(self.card, request.count, dict(zip(CONTROLLED, values, strict=True)))

    def _draw(self, request: Request, wanted: Mapping[str, Wanted], first: int, count: int) -> UInt8 | Labelled:
        images, labels = self._sampler.draw(request, wanted, first, count)
        return Labelled(images, labels) if request.with_labels else images


def _reopen(model: str, device: Device, threads: int) -> Generator:
    # The machine that unpickles it may have fewer CPUs.
    return Generator(model, device=device, threads=min(threads, max_threads()))
