"""Generator: a model, ready to sample."""

import logging
import operator
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen.card import ModelCard
from mnistgen.catalog import DEFAULT_MODEL, find, models
from mnistgen.cpus import usable_cpus
from mnistgen.errors import InputError
from mnistgen.images import to_uint8
from mnistgen.latents import INDICES, SEEDS, draw, fresh_seed
from mnistgen.session import OnnxSession, Session

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
UInt8 = NDArray[np.uint8]

CHUNK = 128  # digits that the network sees at once: memory stays flat, and the weights still pay for their trip
STREAM_BATCH = 1024

log = logging.getLogger("mnistgen")


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
        self._threads = usable_cpus() if threads is None else _whole("threads", threads, 1, 1024)
        self._open_session = open_session
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
        request = self._request(n, digit, seed, start, return_labels)
        try:
            images = np.empty((request.count, 28, 28), np.uint8)
            labels = np.empty(request.count if return_labels else 0, np.int64)
        except (MemoryError, ValueError):
            raise InputError(
                f"n: {request.count:,} digits do not fit in memory; take them in turn from stream()"
            ) from None
        for first in range(0, request.count, CHUNK):
            part = slice(first, min(first + CHUNK, request.count))
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
        size = _whole("batch_size", batch_size, 1, INDICES)
        request = self._request(n, digit, seed, start, return_labels)
        ends = range(0, request.count, size)

        def batches() -> Iterator[Any]:
            for first in ends:
                count = min(size, request.count - first)
                place = {"digit": digit, "seed": request.seed, "start": request.start + first}
                yield self.sample(count, **place, return_labels=return_labels)  # type: ignore[call-overload]

        return batches()

    def decode(self, latents: Float32, labels: ArrayLike | None = None) -> UInt8:
        """Images uint8 (N, 28, 28) of latents float32 (N, D), finite, drawn from N(0, 1) or made by hand.

        A class-conditional model also wants labels: whole numbers (N,), 0 to 9, or mixtures float (N, 10) whose rows
        sum to 1. Raises InputError for anything else, with what was expected and what came.
        """
        latents = self._checked_latents(latents)
        classes = self._checked_classes(labels, len(latents))
        images = np.empty((len(latents), 28, 28), np.uint8)
        for first in range(0, len(latents), CHUNK):
            part = slice(first, first + CHUNK)
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

    def _request(
        self,
        n: SupportsIndex,
        digit: SupportsIndex | None,
        seed: SupportsIndex | None,
        start: SupportsIndex,
        return_labels: bool,
    ) -> "_Request":
        """Check the arguments of sample and stream."""
        count = _whole("n", n, 1, INDICES)
        first = _whole("start", start, 0, INDICES - count)
        label = None if digit is None else _whole("digit", digit, 0, 9)
        if not self.card.conditional and (label is not None or return_labels):
            conditional = [name for name, card in models().items() if card.conditional]
            what = "labels" if label is None else f"digit {label}"
            raise InputError(
                f"{what}: model {self.card.name} is unconditional and draws whatever digit comes; "
                f"class-conditional models: {', '.join(conditional) or 'none is bundled'}"
            )
        if seed is None:
            number = fresh_seed()
            log.info("seed %d", number)
        else:
            number = _whole("seed", seed, 0, SEEDS - 1)
        return _Request(count, number, first, label)

    def _chunk(self, request: "_Request", first: int, count: int) -> tuple[UInt8, Int64]:
        latents, labels = draw(request.seed, request.start + first, count, self.card.latent_dim)
        if request.digit is not None:
            labels = np.full(count, request.digit, np.int64)
        classes = _one_hot(labels) if self.card.conditional else None
        return to_uint8(self._session.run(latents, classes)), labels

    def _checked_latents(self, latents: Float32) -> Float32:
        expected = f"latents: expected finite float32 (N, {self.card.latent_dim})"
        if not isinstance(latents, np.ndarray):
            raise InputError(f"{expected}, got {type(latents).__name__}")
        if latents.dtype != np.float32 or latents.ndim != 2 or latents.shape[1] != self.card.latent_dim:
            raise InputError(f"{expected}, got {latents.dtype} {latents.shape}")
        if not np.isfinite(latents).all():
            raise InputError(f"{expected}, got {int((~np.isfinite(latents)).sum())} NaN or infinite values")
        return np.ascontiguousarray(latents)

    def _checked_classes(self, labels: ArrayLike | None, count: int) -> Float32 | None:
        if not self.card.conditional:
            if labels is not None:
                raise InputError(f"labels: model {self.card.name} is unconditional and takes none")
            return None
        expected = (
            f"labels: expected whole numbers ({count},) from 0 to 9, or mixtures ({count}, 10) whose rows sum to 1"
        )
        if labels is None:
            raise InputError(f"{expected}, got none")
        array = np.asarray(labels)
        if array.dtype.kind in "iu" and array.shape == (count,):
            if count and not 0 <= array.min() <= array.max() <= 9:
                raise InputError(f"{expected}, got values from {array.min()} to {array.max()}")
            return _one_hot(array.astype(np.int64))
        if array.dtype.kind == "f" and array.shape == (count, 10):
            if not np.allclose(array.sum(axis=1), 1, atol=1e-3):  # false for NaN too
                raise InputError(f"{expected}, got rows that sum to other values")
            return np.ascontiguousarray(array, np.float32)
        raise InputError(f"{expected}, got {array.dtype} {array.shape}")


@dataclass(frozen=True, slots=True)
class _Request:
    """A checked range of a seed's digits."""

    count: int
    seed: int
    start: int
    digit: int | None


def _reopen(path: Path, device: str, threads: int, open_session: Callable[..., Session]) -> Generator:
    return Generator(path, device=device, threads=threads, open_session=open_session)


def _one_hot(labels: Int64) -> Float32:
    """Labels int64 (N,) -> float32 (N, 10)."""
    return np.eye(10, dtype=np.float32)[labels]


def _whole(name: str, value: SupportsIndex, low: int, high: int) -> int:
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
