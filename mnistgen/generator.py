"""Generator: a model, ready to sample."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen.card import ModelCard
from mnistgen.catalog import DEFAULT_MODEL, find
from mnistgen.checks import Request, checked_classes, checked_latents, checked_request, one_hot, whole_number
from mnistgen.cpus import usable_cpus
from mnistgen.errors import InputError
from mnistgen.images import to_uint8
from mnistgen.latents import INDICES, draw
from mnistgen.session import OnnxSession, Session

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
UInt8 = NDArray[np.uint8]

# The network sees so many digits at once that its threads are worth waking, and so few that memory stays flat.
CHUNK_WORK = 1_500_000_000  # multiply-adds
CHUNK_LIMITS = (32, 1024)  # digits
STREAM_BATCH = 1024


class Labelled(NamedTuple):
    """What sampling returns with return_labels: images uint8 (N, 28, 28) and labels int64 (N,)."""

    images: UInt8
    labels: Int64


class Generator:
    """A bundled model by name, or any model directory by path, on a device.

    `device` is "auto" (CUDA where it works, else the CPU), "cpu" or "cuda". `threads` are onnxruntime's on the CPU; by
    default the CPUs that this process may use. One generator may be used by many threads at once, survives a fork,
    and can be pickled: it is then opened again from its configuration.

    Raises ModelError for an unknown or damaged model, DeviceError where the device cannot be had, InputError for
    other arguments that make no sense.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        device: str = "auto",
        threads: int | None = None,
        open_session: Callable[..., Session] = OnnxSession,
    ) -> None:
        self._directory = find(model)
        self._asked = device
        self._threads = usable_cpus() if threads is None else whole_number("threads", threads, 1, 1024)
        self._open_session = open_session
        self._chunk_size = chunk_size(self._directory.card)
        self._opened = (os.getpid(), self._open())

    def __repr__(self) -> str:
        return f"Generator({str(self._directory.path)!r}, device={self.device!r}, threads={self._threads})"

    def __reduce__(self) -> tuple[Callable[..., "Generator"], tuple[Any, ...]]:
        return _reopen, (self._directory.path, self._asked, self._threads, self._open_session)

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
        n: SupportsIndex = 1,
        *,
        digit: SupportsIndex | None = None,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        return_labels: Literal[False] = False,
    ) -> UInt8: ...

    @overload
    def sample(
        self,
        n: SupportsIndex = 1,
        *,
        digit: SupportsIndex | None = None,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        return_labels: Literal[True],
    ) -> Labelled: ...

    def sample(
        self,
        n: SupportsIndex = 1,
        *,
        digit: SupportsIndex | None = None,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        return_labels: bool = False,
    ) -> UInt8 | Labelled:
        """Digits `start` to `start + n - 1` of a seed: images uint8 (n, 28, 28), ink 255, paper 0.

        Digit i of a seed is the same whatever n, the chunks and the threads; pixels agree within one grey level where
        the arithmetic runs in another order. Without a seed, a fresh one is drawn and logged (logger "mnistgen",
        level INFO). `digit`, 0 to 9, asks a class-conditional model for that digit alone; without it, labels are
        uniform. With return_labels, the result is (images, labels), labels int64 (n,).

        Raises InputError for n below 1, a seed outside 0 to 2**64 - 1, start below 0 or past 2**63, and for a digit or
        labels asked of an unconditional model.
        """
        request = checked_request(self.card, n, digit, seed, start, return_labels)
        try:
            images = np.empty((request.count, 28, 28), np.uint8)
            labels = np.empty(request.count if return_labels else 0, np.int64)
        except (MemoryError, ValueError):
            raise InputError(
                f"n: {request.count:,} digits do not fit in memory; take them in turn from stream()"
            ) from None
        for first in range(0, request.count, self._chunk_size):
            part = slice(first, min(first + self._chunk_size, request.count))
            images[part], drawn = self._chunk(request, first, part.stop - first)
            if return_labels:
                labels[part] = drawn
        return Labelled(images, labels) if return_labels else images

    @overload
    def stream(
        self,
        n: SupportsIndex,
        *,
        digit: SupportsIndex | None = None,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        batch_size: SupportsIndex = STREAM_BATCH,
        return_labels: Literal[False] = False,
    ) -> Iterator[UInt8]: ...

    @overload
    def stream(
        self,
        n: SupportsIndex,
        *,
        digit: SupportsIndex | None = None,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        batch_size: SupportsIndex = STREAM_BATCH,
        return_labels: Literal[True],
    ) -> Iterator[Labelled]: ...

    def stream(
        self,
        n: SupportsIndex,
        *,
        digit: SupportsIndex | None = None,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        batch_size: SupportsIndex = STREAM_BATCH,
        return_labels: bool = False,
    ) -> Iterator[UInt8] | Iterator[Labelled]:
        """The digits that `sample` gives with the same arguments, in batches and in constant memory.

        Every batch has batch_size digits, the last what remains. Raises as `sample` does, at the call.
        """
        size = whole_number("batch_size", batch_size, 1, INDICES)
        request = checked_request(self.card, n, digit, seed, start, return_labels)

        def batches() -> Iterator[Any]:
            for first in range(0, request.count, size):
                count = min(size, request.count - first)
                place = {"digit": digit, "seed": request.seed, "start": request.start + first}
                yield self.sample(count, **place, return_labels=return_labels)  # type: ignore[call-overload]

        return batches()

    def decode(self, latents: Float32, labels: ArrayLike | None = None) -> UInt8:
        """Images uint8 (N, 28, 28) of latents float32 (N, D), finite, drawn from N(0, 1) or made by hand.

        A class-conditional model also wants labels: whole numbers (N,), 0 to 9, or mixtures float (N, 10) whose rows
        sum to 1. Raises InputError for anything else, with what was expected and what came.
        """
        latents = checked_latents(self.card, latents)
        classes = checked_classes(self.card, labels, len(latents))
        images = np.empty((len(latents), 28, 28), np.uint8)
        for first in range(0, len(latents), self._chunk_size):
            part = slice(first, first + self._chunk_size)
            images[part] = to_uint8(self._session.run(latents[part], None if classes is None else classes[part]))
        return images

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def _session(self) -> Session:
        pid, session = self._opened
        if pid != os.getpid():  # forked: the parent's session has lost its threads
            session = self._open()
            self._opened = (os.getpid(), session)
        return session

    def _open(self) -> Session:
        return self._open_session(self._directory, self._asked, self._threads)

    def _chunk(self, request: Request, first: int, count: int) -> tuple[UInt8, Int64]:
        latents, labels = draw(request.seed, request.start + first, count, self.card.latent_dim)
        if request.digit is not None:
            labels = np.full(count, request.digit, np.int64)
        classes = one_hot(labels) if self.card.conditional else None
        return to_uint8(self._session.run(latents, classes)), labels


def chunk_size(card: ModelCard) -> int:
    """How many digits a model's network sees at once."""
    low, high = CHUNK_LIMITS
    return max(low, min(high, CHUNK_WORK // max(1, card.multiply_adds)))


def _reopen(path: Path, device: str, threads: int, open_session: Callable[..., Session]) -> Generator:
    return Generator(path, device=device, threads=threads, open_session=open_session)
