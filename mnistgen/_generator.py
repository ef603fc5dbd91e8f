"""Generator: a model, ready to sample."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike

from mnistgen._arrays import Float32, Int64, UInt8
from mnistgen._card import ModelCard
from mnistgen._catalog import DEFAULT_MODEL, locate, portable
from mnistgen._checks import (
    AT_ONCE,
    DigitLike,
    Request,
    check_conditional,
    checked_classes,
    checked_latents,
    checked_request,
    checked_seed,
    checked_text,
    checked_threads,
    checked_truncation,
    most_threads,
    named_corners,
    one_hot,
    whole_number,
)
from mnistgen._devices import Device, usable_cpus
from mnistgen._errors import InputError, shown
from mnistgen._images import line, to_uint8
from mnistgen._keywords import suggesting_keywords
from mnistgen._latents import INDICES, draw
from mnistgen._session import OnnxSession, Session
from mnistgen._walks import linear, spherical, surface

# The network sees so many digits at once that its threads are worth waking, and so few that memory stays flat.
CHUNK_WORK = 1_500_000_000  # multiply-adds
CHUNK_LIMITS = (32, 1024)  # digits
STREAM_BATCH = 1024
SIDE = 10_000  # digits along a side of a walk in two dimensions, at most

Drawn = tuple[Float32, Float32 | None]  # latents (N, D) and classes (N, 10), none for an unconditional model


class Labelled(NamedTuple):
    """What sampling returns with return_labels: images uint8 (N, 28, 28) and labels int64 (N,)."""

    images: UInt8
    labels: Int64


class Generator:
    """A bundled model by name, or any model directory by path, on a device.

    `device` is "auto" (CUDA where it works, else the CPU), "cpu" or "cuda". `threads` are onnxruntime's on the CPU; by
    default the CPUs that this process may use, and at most four times as many. One generator may be used by many
    threads at once, survives a fork, and can be pickled: it is then opened again from its configuration.

    A model is a program. One that is not bundled runs as untrusted code does: it may never end, take all memory or
    attack onnxruntime. `mnistgen doctor --model PATH` tries one in a process of its own, with limits.

    Raises ModelError for an unknown or damaged model, DeviceError where the device cannot be had, InputError for
    other arguments that make no sense.
    """

    @suggesting_keywords
    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        device: Device = "auto",
        threads: SupportsIndex | None = None,
    ) -> None:
        self._directory = locate(model)
        self._model = portable(model)
        self._asked = device
        self._threads = usable_cpus() if threads is None else checked_threads(threads)
        self._chunk_size = chunk_size(self._directory.card)
        self._opened = (os.getpid(), self._open())

    def __repr__(self) -> str:
        return f"Generator({self._model!r}, device={self.device!r}, threads={self._threads})"

    def __reduce__(self) -> tuple[Callable[..., Generator], tuple[Any, ...]]:
        return _reopen, (self._model, self._asked, self._threads)

    @property
    def model(self) -> str:
        """The model's name, or the path of its directory: what opens it again, in other processes too."""
        return self._model

    @property
    def card(self) -> ModelCard:
        """What is known of the model."""
        return self._directory.card

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """The device in use, read from the session."""
        return "cuda" if self._session.device == "cuda" else "cpu"

    @property
    def threads(self) -> int:
        """The CPU threads of the session."""
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
        return_labels: bool = False,
    ) -> UInt8 | Labelled:
        """Digits `start` to `start + n - 1` of a seed: images uint8 (n, 28, 28), ink 255, paper 0.

        Digit i of a seed depends on the model, the seed and i alone, whatever n, the batches and the threads; pixels
        agree within one grey level where the arithmetic runs in another order.

        Args:
            n: How many, at most ten million (7.8 GB; `stream` gives any number). By default one, or as many as digits
                or labels are given.
            digit: What to draw: 0 to 9, or several that are repeated cyclically by the digits' places in the seed. By
                default labels are uniform.
            labels: Instead of digit, the label of every image: one for all, whole numbers (n,), 0 to 9, or mixtures
                float (n, 10), or (10,) for all, whose rows sum to 1.
            seed: 0 to 2**64 - 1. Without one, a fresh one is drawn and logged (logger "mnistgen", level INFO).
            start: Index of the first digit in the seed.
            truncation: 0 to 1, by which latents are multiplied: less gives cleaner and less varied digits, 0 the class
                mean (towards the centre as in T. Karras et al., 2019, arXiv:1812.04948, appendix B).
            return_labels: Return (images, labels), labels int64 (n,), in place of images.

        Raises:
            InputError: For arguments outside these ranges, and where an unconditional model is given digit, labels or
                return_labels.
            ModelError: Where the model fails or returns other values than pixels.
        """
        request = checked_request(
            self.card,
            n,
            AT_ONCE,
            digit=digit,
            labels=labels,
            seed=seed,
            start=start,
            truncation=truncation,
            return_labels=return_labels,
        )
        return self._draw(request, 0, request.count)

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
        return_labels: bool = False,
    ) -> Iterator[UInt8] | Iterator[Labelled]:
        """The digits that `sample` gives with the same arguments, of any number, in batches and in constant memory.

        Every batch has batch_size digits, the last one the rest. Raises as `sample` does, at the call.
        """
        size = whole_number("batch_size", batch_size, 1, AT_ONCE)
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

        def batches() -> Iterator[Any]:
            for first in range(0, request.count, size):
                yield self._draw(request, first, min(size, request.count - first))

        return batches()

    @suggesting_keywords
    def number(self, text: str, *, seed: SupportsIndex | None = None, truncation: float = 1.0) -> UInt8:
        """A number in one handwriting style, uint8 (28, 28 N): digits of the same latents side by side.

        `text` is digits and spaces, each of which leaves a gap. The latents are the first of the seed; without one, a
        fresh one is drawn and logged. `truncation` is as in `sample`. Raises InputError for other text, and from
        unconditional models.
        """
        check_conditional(self.card, f"text {shown(text)}")
        digits = checked_text(text)
        style, _ = draw(checked_seed(seed), 0, 1, self.card.latent_dim)
        labels = [digit for digit in digits if digit is not None]
        images = np.zeros((len(digits), 28, 28), np.uint8)
        images[[digit is not None for digit in digits]] = self.decode(
            np.repeat(style * np.float32(checked_truncation(truncation)), len(labels), axis=0), labels
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
        """From digit `first` to digit `last`, uint8 (frames, 28, 28): the seed's first two latents and what is between.

        Latents go along the arc from one to the other, class weights in a straight line. An unconditional model takes
        no digits. Raises InputError for fewer than two frames or more than ten million, digits outside 0 to 9, or one
        without the other.
        """
        count = whole_number("frames", frames, 2, AT_ONCE)
        digits = self._ends({"first": first, "last": last})
        ends = None if digits is None else one_hot(digits)
        latents, _ = draw(checked_seed(seed), 0, 2, self.card.latent_dim)
        shares = np.linspace(0, 1, count)

        def between(part: slice) -> Drawn:
            classes = None if ends is None else linear(ends[0], ends[1], shares[part])
            return spherical(latents[0], latents[1], shares[part]), classes

        return self._images(count, between)

    @suggesting_keywords
    def walk(
        self,
        corners: Sequence[SupportsIndex] | None = None,
        *,
        rows: SupportsIndex = 10,
        columns: SupportsIndex = 10,
        seed: SupportsIndex | None = None,
    ) -> UInt8:
        """A walk in two dimensions, uint8 (rows * columns, 28, 28), row by row, for `mnistgen.grid`.

        `corners` are the digits at the top left, top right, bottom left and bottom right; their latents are the seed's
        first four. Between them all goes as in `interpolate`, first along the sides, then from left to right. An
        unconditional model takes no digits. Raises InputError for fewer than two rows or columns, more than ten million
        digits, and other corners.
        """
        sides = whole_number("rows", rows, 2, SIDE), whole_number("columns", columns, 2, SIDE)
        count = whole_number("rows times columns", math.prod(sides), 4, AT_ONCE)
        digits = self._ends(named_corners(corners))
        ends = None if digits is None else one_hot(digits)
        latents, _ = draw(checked_seed(seed), 0, 4, self.card.latent_dim)
        down, right = (np.linspace(0, 1, side) for side in sides)

        def between(part: slice) -> Drawn:
            row, column = np.divmod(np.arange(part.start, part.stop), len(right))
            classes = None if ends is None else surface(linear, ends, down[row], right[column])
            return surface(spherical, latents, down[row], right[column]), classes

        return self._images(count, between)

    @suggesting_keywords
    def decode(self, latents: ArrayLike, labels: ArrayLike | None = None) -> UInt8:
        """Images uint8 (N, 28, 28) of latents float (N, D), or (D,) for one, from -1000 to 1000.

        Latents are drawn from N(0, 1), as `mnistgen.latents` does, or chosen freely. A class-conditional model also
        takes labels: one for all, whole numbers (N,), 0 to 9, or mixtures float (N, 10), or (10,) for all, of entries
        from 0 to 1 that sum to 1. Both may be whatever NumPy reads: lists, arrays, tensors on the CPU, data frames.

        Raises InputError for anything else, with what was expected and what came; ModelError where the model fails or
        returns other values than pixels.
        """
        styles = checked_latents(self.card, latents)
        classes = checked_classes(self.card, labels, len(styles))
        return self._images(len(styles), lambda part: (styles[part], None if classes is None else classes[part]))

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def _session(self) -> Session:
        pid, session = self._opened
        if pid != os.getpid():  # forked: the parent's session has lost its threads
            session = self._open()
            self._opened = (os.getpid(), session)
        return session

    def _open(self) -> Session:
        return OnnxSession(self._directory, self._asked, self._threads)

    def _ends(self, digits: Mapping[str, SupportsIndex | None]) -> Int64 | None:
        """Digits (N,) by their names, 0 to 9; none for an unconditional model."""
        given = [digit for digit in digits.values() if digit is not None]
        if given:
            check_conditional(self.card, f"digits {', '.join(map(shown, given))}")
        elif not self.card.conditional:
            return None
        return np.array([whole_number(name, digits[name], 0, 9) for name in digits])  # type: ignore[arg-type]

    def _draw(self, request: Request, first: int, count: int) -> UInt8 | Labelled:
        """`count` digits of a request from its digit `first` on."""
        labels = np.empty(count if request.with_labels else 0, np.int64)

        def drawn(part: slice) -> Drawn:
            begin = first + part.start
            latents, chosen = draw(request.seed, request.start + begin, part.stop - part.start, self.card.latent_dim)
            if request.truncation != 1:
                latents *= np.float32(request.truncation)
            classes = request.classes(begin, chosen)
            if request.with_labels:
                labels[part] = classes
            return latents, one_hot(classes) if self.card.conditional else None

        images = self._images(count, drawn)
        return Labelled(images, labels) if request.with_labels else images

    def _images(self, count: int, drawn: Callable[[slice], Drawn]) -> UInt8:
        """Images uint8 (count, 28, 28) of the latents and classes of every chunk."""
        try:
            images = np.empty((count, 28, 28), np.uint8)
        except MemoryError:
            raise InputError(f"{count:,} digits do not fit in memory; draw them in batches with stream()") from None
        for first in range(0, count, self._chunk_size):
            part = slice(first, min(first + self._chunk_size, count))
            images[part] = to_uint8(self._session.run(*drawn(part)))
        return images


def chunk_size(card: ModelCard) -> int:
    """How many digits a model's network sees at once."""
    low, high = CHUNK_LIMITS
    return max(low, min(high, CHUNK_WORK // max(1, card.multiply_adds)))


def _reopen(model: str, device: Device, threads: int) -> Generator:
    # Here, which may be a smaller machine.
    return Generator(model, device=device, threads=min(threads, most_threads()))
