"""LoadedModel: a model on a device, its sessions, and images computed in chunks."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Self, SupportsIndex, TypeVar, cast

import numpy as np

from mnistgen._arrays import Float32, Int64, UInt8
from mnistgen._attributes import Editor
from mnistgen._checks import whole_number
from mnistgen._encoder import Encoder
from mnistgen._errors import InputError
from mnistgen._model import DEFAULT_MODEL, EDITOR, ENCODER, ModelCard, find, portable, statistics
from mnistgen._request import Inputs, check_encoder
from mnistgen._runtime import usable_cpus
from mnistgen._session import Device, ImageSession, Session

T = TypeVar("T")

THREADS_PER_CPU = 4  # with more, threads spend most of their time waiting

# Digits per call of the network: enough to keep its threads busy, few enough to keep memory constant.
CHUNK_WORK = 1_500_000_000  # multiply-adds
CHUNK_LIMITS = (32, 1024)  # digits


class Labelled(NamedTuple):
    """Images uint8 (N, 28, 28) and their labels int64 (N,)."""

    images: UInt8
    labels: Int64


class LoadedModel:
    """A model on a device. Thread-safe; sessions are opened again after a fork, and by unpickling."""

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        device: Device = "auto",
        threads: SupportsIndex | None = None,
    ) -> None:
        cpus = usable_cpus()
        most = THREADS_PER_CPU * cpus
        self._directory = find(model)
        self._model = portable(model)
        self._requested_device: Device = device
        self._threads = cpus if threads is None else whole_number("threads", threads, 1, most, f"; usable CPUs: {cpus}")
        self._opened: dict[type, tuple[int, Any]] = {}  # process and session
        _ = self._session  # to check device and model

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model!r}, device={self.device!r}, threads={self._threads})"

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        return _reopened, (type(self), self._model, self._requested_device, self._threads)

    @property
    def model(self) -> str:
        """The model's name or the path of its directory; it resolves to the same model in other processes."""
        return self._model

    @property
    def card(self) -> ModelCard:
        """The model card."""
        return self._directory.card

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """The device in use, read from the session."""
        return self._session.device

    @property
    def threads(self) -> int:
        """The number of CPU threads of the session."""
        return self._threads

    @property
    def _session(self) -> ImageSession:
        return self._current(
            ImageSession, lambda: ImageSession(self._directory, threads=self._threads, device=self._requested_device)
        )

    @property
    def _editor(self) -> Editor:
        # One thread: those of a second pool would wait actively, on the CPUs that the model needs.
        return self._current(
            Editor, lambda: Editor(Session(self._directory, EDITOR, threads=1).run, statistics(self.card))
        )

    @property
    def _encoder(self) -> Encoder:
        check_encoder(self.card)
        return self._current(
            Encoder, lambda: Encoder(Session(self._directory, ENCODER, threads=self._threads).run, self.card)
        )

    def _current(self, kind: type[T], open_session: Callable[[], T]) -> T:
        """What was opened in this process, on first use: after a fork, a session has lost its threads."""
        pid, session = self._opened.get(kind, (None, None))
        if pid != os.getpid():
            session = open_session()
            self._opened[kind] = (os.getpid(), session)
        return cast(T, session)

    def _images(self, count: int, inputs: Callable[[int, int], Inputs]) -> UInt8:
        """Images uint8 (count, 28, 28), computed in chunks from what `inputs(first, chunk)` returns."""
        try:
            images = np.empty((count, 28, 28), np.uint8)
        except MemoryError:
            raise InputError(f"{count:,} digits do not fit in memory; generate them in batches with stream()") from None
        size = chunk_size(self.card)
        for first in range(0, count, size):
            chunk = min(size, count - first)
            images[first : first + chunk] = self._run(inputs(first, chunk))
        return images

    def _labelled(self, count: int, inputs: Callable[[int, int], Inputs]) -> Labelled:
        """As `_images`, with the labels; each digit has one."""
        labels = np.empty(count, np.int64)

        def collecting(first: int, chunk: int) -> Inputs:
            part = inputs(first, chunk)
            labels[first : first + chunk] = cast(Int64, part.labels)
            return part

        return Labelled(self._images(count, collecting), labels)

    def _run(self, inputs: Inputs) -> UInt8:
        """Images uint8 (N, 28, 28) of one chunk. Those that miss their requested attributes are corrected once."""
        latents, classes, attributes = inputs.latents, inputs.classes, inputs.attributes
        if attributes is None or classes is None:
            return to_uint8(self._session.images(latents, classes))
        latents = self._editor.edit(latents, classes, attributes)
        images = to_uint8(self._session.images(latents, classes))
        off, corrected = self._editor.correct(latents, classes, attributes, images)
        if len(off):
            images[off] = to_uint8(self._session.images(corrected, classes[off]))
        return images


def _reopened(kind: Callable[..., T], model: str, device: Device, threads: int) -> T:
    # The machine that unpickles it may have fewer CPUs.
    return kind(model, device=device, threads=min(threads, THREADS_PER_CPU * usable_cpus()))


def chunk_size(card: ModelCard) -> int:
    """The number of digits per call of a model's network."""
    low, high = CHUNK_LIMITS
    return max(low, min(high, CHUNK_WORK // max(1, card.multiply_adds)))


def to_uint8(images: Float32 | UInt8) -> UInt8:
    """Clip float images of any shape to [0, 1] and round to 0-255, overwriting the input; uint8 stays unchanged."""
    if images.dtype == np.uint8:
        return cast(UInt8, images)
    np.clip(images, 0, 1, out=images)
    np.multiply(images, np.float32(255), out=images)
    np.add(images, np.float32(0.5), out=images)
    return images.astype(np.uint8)
