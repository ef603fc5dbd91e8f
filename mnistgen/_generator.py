"""Generator: a loaded model that generates digits."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from mnistgen._arrays import UInt8
from mnistgen._attributes import warn_of_dark_ink
from mnistgen._checks import (
    MAX_DIGITS,
    DigitLike,
    checked_images,
    checked_labels,
    checked_latents,
    checked_style,
    checked_text,
    real_number,
    whole_number,
)
from mnistgen._encoder import Encoded, refine
from mnistgen._errors import InputError, shown
from mnistgen._latents import INDICES, checked_seed, draw
from mnistgen._loaded import Labelled, LoadedModel
from mnistgen._model import Model, find, portable
from mnistgen._request import (
    CORNERS,
    AttributeLike,
    Inputs,
    Label,
    LabelLike,
    Request,
    check_digits,
    checked_attributes,
    checked_classes,
    checked_ends,
    checked_request,
)
from mnistgen._walks import along_arc, over_surface

STREAM_BATCH = 1024
MAX_STEPS = 1_000  # of refinement


class Generator(LoadedModel):
    """A model, loaded on a device and ready to generate digits.

    `model` is the name of a bundled model or the path of a model directory. `device` is "auto" (CUDA if a session runs
    on it, else the CPU), "cpu" or "cuda". `threads` is the number of CPU threads that onnxruntime uses: by default the
    number of usable CPUs, at most four times that. A generator is thread-safe and works after a fork. It can be
    pickled; unpickling loads the model again.

    A model is a program: open a model directory from a third party only if you trust its author.

    Raises InputError for an unknown model and for invalid arguments, ModelError for a damaged model, and DeviceError
    if the device is unavailable.
    """

    def sample(
        self,
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
    ) -> UInt8:
        """Generate digits `start` to `start + n - 1` of a seed: images uint8 (n, 28, 28), ink 255, background 0.

        Digit i of a seed depends only on the model, the seed and i, not on n, batch sizes or threads. Pixels may differ
        by one grey level where arithmetic runs in another order.

        Args:
            n: Number of digits, at most 10,000,000 (7.8 GB; use `stream` for more). By default that of digit or labels.
            digit: The digit to generate, 0 to 9, or a sequence of digits that is repeated cyclically by index in the
                seed. By default, labels are drawn uniformly.
            labels: Instead of digit, the label of each image: whole numbers (n,) from 0 to K - 1 for K classes, names
                (n,) in `card.classes`, one-hot rows (n, K), or mixtures float (n, K) whose rows sum to 1. A single
                label, or one mixture (K,), applies to all images. {"Sneaker": 2, "Bag": 1} draws labels by weight.
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

        Raises:
            InputError: For arguments outside these ranges, for attributes that no digit of the model can have, and for
                digit or labels with a model that has no such classes.
            ModelError: If the model fails or returns values that are not pixels.
        """
        attributes = {"thickness": thickness, "slant": slant, "width": width, "height": height}
        request = checked_request(self.card, n, digit, labels, seed, start, truncation, attributes)
        return self._images(request.count, request.inputs)

    def sample_labelled(
        self,
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
    ) -> Labelled:
        """Generate digits as `sample` does, with their labels: (images uint8 (n, 28, 28), labels int64 (n,)).

        Raises InputError also for an unconditional model, and for mixtures, which have no single label.
        """
        attributes = {"thickness": thickness, "slant": slant, "width": width, "height": height}
        request = checked_request(self.card, n, digit, labels, seed, start, truncation, attributes, labelled=True)
        return self._labelled(request.count, request.inputs)

    def stream(
        self,
        n: SupportsIndex | None = None,
        *,
        batch_size: SupportsIndex = STREAM_BATCH,
        digit: DigitLike | None = None,
        labels: LabelLike | None = None,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        truncation: float = 1.0,
        thickness: AttributeLike | None = None,
        slant: AttributeLike | None = None,
        width: AttributeLike | None = None,
        height: AttributeLike | None = None,
    ) -> Iterator[UInt8]:
        """Generate the digits of `sample` in batches, in constant memory; n may be up to 2**63.

        Every batch has batch_size digits; the last one may be smaller. The other parameters, and the errors, are those
        of `sample`. Arguments are checked at the call, not at the first iteration. Batches with labels are calls of
        `sample_labelled` with the same seed, each with its own `start`.
        """
        size = whole_number("batch_size", batch_size, 1, MAX_DIGITS)
        attributes = {"thickness": thickness, "slant": slant, "width": width, "height": height}
        request = checked_request(self.card, n, digit, labels, seed, start, truncation, attributes, limit=INDICES)

        def batch(begin: int) -> UInt8:
            count = min(size, request.count - begin)
            return self._images(count, lambda first, chunk: request.inputs(begin + first, chunk))

        return map(batch, range(0, request.count, size))

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
        arguments and for models of other classes than digits.
        """
        check_digits(self.card, f"text {shown(text)}")
        digits = checked_text(text)
        if style is None:
            latents, _ = draw(checked_seed(seed), 0, 1, self.card.latent_dim)
        elif seed is not None:
            raise InputError("seed: expected none together with style; pass only one of them")
        else:
            latents = checked_style(self.card.latent_dim, style)[None]
        latents = latents * np.float32(real_number("truncation", truncation, 0, 1))
        labels = [digit for digit in digits if digit is not None]
        images = np.zeros((len(digits), 28, 28), np.uint8)
        images[[digit is not None for digit in digits]] = self.decode(latents.repeat(len(labels), axis=0), labels)
        return images.swapaxes(0, 1).reshape(28, -1)

    def interpolate(
        self,
        first: Label | None = None,
        last: Label | None = None,
        *,
        frames: SupportsIndex = 60,
        seed: SupportsIndex | None = None,
    ) -> UInt8:
        """Interpolate from label `first` to label `last`, numbers or names: uint8 (frames, 28, 28).

        The ends are the first two latents of the seed. Latents are interpolated along an arc, class weights linearly.
        An unconditional model takes no labels. Raises InputError for unknown labels, for one end without the other,
        and unless frames are 2 to 10,000,000.
        """
        total = whole_number("frames", frames, 2, MAX_DIGITS)
        classes = checked_ends(self.card, ("first", "last"), (first, last))
        latents, _ = draw(checked_seed(seed), 0, 2, self.card.latent_dim)
        return self._images(total, along_arc(latents, classes, total))

    def walk(
        self,
        corners: Sequence[Label] | None = None,
        *,
        rows: SupportsIndex = 10,
        columns: SupportsIndex = 10,
        seed: SupportsIndex | None = None,
    ) -> UInt8:
        """Interpolate between four digits in two dimensions: uint8 (rows * columns, 28, 28), row by row.

        `corners` are the labels at the top left, top right, bottom left and bottom right; their latents are the first
        four of the seed. Digits are interpolated as in `interpolate`, first down the left and right sides, then along
        each row, for `mnistgen.grid`. An unconditional model takes no labels. Raises InputError for other corners, for
        fewer than 2 rows or columns, and for more than 10,000,000 digits.
        """
        down, across = whole_number("rows", rows, 2, MAX_DIGITS), whole_number("columns", columns, 2, MAX_DIGITS)
        total = whole_number("rows times columns", down * across, 4, MAX_DIGITS)
        classes = checked_ends(self.card, CORNERS, (None,) * len(CORNERS) if corners is None else corners)
        latents, _ = draw(checked_seed(seed), 0, 4, self.card.latent_dim)
        return self._images(total, over_surface(latents, classes, down, across))

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
        class-conditional model also takes labels, as in `sample`. All arguments accept whatever NumPy can convert:
        lists, arrays, tensors on the CPU, data frames. Attributes, a number for all images or floats (N,), are as in
        `sample`.

        Raises InputError for anything else, and ModelError if the model fails or returns values that are not pixels.
        """
        styles = checked_latents(self.card.latent_dim, latents)
        classes = checked_classes(self.card, labels, len(styles))
        given = {"thickness": thickness, "slant": slant, "width": width, "height": height}
        wanted = checked_attributes(self.card, len(styles), given, ranges=False)
        request = Request(card=self.card, count=len(styles), seed=0, attributes=wanted)

        def inputs(first: int, count: int) -> Inputs:
            part = slice(first, first + count)
            return request.with_attributes(first, styles[part], None if classes is None else classes[part])

        return self._images(len(styles), inputs)

    def encode(self, images: ArrayLike, labels: ArrayLike | None = None, *, steps: SupportsIndex = 0) -> Encoded:
        """Encode images into latents float32 (N, D), their handwriting styles, and labels int64 (N,) as read from them.

        Args:
            images: uint8 (N, 28, 28), ink 255, background 0, normalised as MNIST's digits are; `mnistgen.read_digits`
                reads them from pictures. Dark digits on a light ground cause a warning.
            labels: The digits to reproduce, as in `decode`. By default, those that the encoder reads. They matter with
                `steps` only.
            steps: Number of Levenberg-Marquardt steps, 0 to 1000, that refine the latents to reproduce the images more
                exactly; 5 are usually enough. Each takes as long as decoding 2 D images for each image.

        Raises:
            InputError: For other arguments, for blank images, and for a model without an encoder.
            ModelError: If the encoder is damaged.
        """
        encoder = self._encoder
        digits = checked_images(images)
        warn_of_dark_ink(digits)
        if blank := int((~digits.any(axis=(1, 2))).sum()):
            raise InputError(f"images: expected digits, got {blank} blank image{'s' * (blank > 1)}")
        count = whole_number("steps", steps, 0, MAX_STEPS)
        given = None if labels is None else checked_labels(labels, len(digits), self.card.classes or ())
        latents, logits = encoder.read(digits)
        found = logits.argmax(axis=1)
        if count:
            latents = refine(self.decode, digits, latents, found if given is None else given, count)
        return Encoded(latents, found)


def cached(model: Model) -> Generator:
    """A generator that is kept for later calls."""
    name = portable(model)
    return _cached(name, find(name).card.sha256 if Path(name).is_absolute() else "")  # it may be a new model


@functools.lru_cache(maxsize=4)
def _cached(model: str, sha256: str) -> Generator:
    return Generator(model)
