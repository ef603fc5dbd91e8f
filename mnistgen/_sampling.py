"""Sampler: the sessions of a model directory, and images computed in chunks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mnistgen._arrays import Float32, Int64, UInt8
from mnistgen._card import ModelCard
from mnistgen._catalog import ModelDirectory
from mnistgen._checks import Request, one_hot
from mnistgen._editing import Editor, Wanted, requested, statistics
from mnistgen._encoding import Encoder
from mnistgen._errors import InputError
from mnistgen._images import to_uint8
from mnistgen._latents import draw
from mnistgen._session import OnnxSession, Session

# Digits per call of the network: enough to keep its threads busy, few enough to keep memory constant.
CHUNK_WORK = 1_500_000_000  # multiply-adds
CHUNK_LIMITS = (32, 1024)  # digits

Inputs = tuple[Float32, Float32 | None]  # latents (N, D); classes (N, 10), or None for an unconditional model


class Sampler:
    """A model on a device. Sessions are opened again after a fork. Raises ModelError and DeviceError."""

    def __init__(self, directory: ModelDirectory, device: str, threads: int) -> None:
        self._directory, self._device, self._threads = directory, device, threads
        self._chunk_size = chunk_size(directory.card)
        self._opened: dict[str, tuple[int, Any]] = {}  # process and session, by name
        _ = self.session  # opened first, to check device and model

    @property
    def session(self) -> Session:
        """The session of model.onnx."""
        session: Session = self._current("model", lambda: OnnxSession(self._directory, self._device, self._threads))
        return session

    @property
    def editor(self) -> Editor:
        """The attribute editor, opened on first use."""
        editor: Editor = self._current("editor", lambda: Editor(self._directory))
        return editor

    @property
    def encoder(self) -> Encoder:
        """The encoder, opened on first use."""
        encoder: Encoder = self._current("encoder", lambda: Encoder(self._directory, self._threads))
        return encoder

    def _current(self, name: str, open_session: Callable[[], Any]) -> Any:
        """What was opened in this process: after a fork, a session has lost its threads."""
        pid, session = self._opened.get(name, (None, None))
        if pid != os.getpid():
            session = open_session()
            self._opened[name] = (os.getpid(), session)
        return session

    def draw(self, request: Request, wanted: Mapping[str, Wanted], first: int, count: int) -> tuple[UInt8, Int64]:
        """Images uint8 (count, 28, 28) of a request, from its digit `first` on, and labels (count,) if requested."""
        labels = np.empty(count if request.with_labels else 0, np.int64)

        def inputs(part: slice) -> Inputs:
            begin = first + part.start
            card = self._directory.card
            latents, drawn = draw(request.seed, request.start + begin, part.stop - part.start, card.latent_dim)
            if request.truncation != 1:
                latents *= np.float32(request.truncation)
            classes = request.classes(begin, drawn)
            if request.with_labels:
                labels[part] = classes
            return latents, one_hot(classes) if card.conditional else None

        return self.images(count, inputs, wanted, seed=request.seed, start=request.start, first=first), labels

    def images(
        self,
        count: int,
        inputs: Callable[[slice], Inputs],
        wanted: Mapping[str, Wanted] | None = None,
        *,
        seed: int = 0,
        start: int = 0,
        first: int = 0,
    ) -> UInt8:
        """Images uint8 (count, 28, 28), computed in chunks from the latents and classes that `inputs` returns.

        Attributes are `wanted` of the digits from index `start + first` of a seed on.
        """
        images = _empty(count)
        known = statistics(self._directory.card) if wanted else None
        for begin in range(0, count, self._chunk_size):
            part = slice(begin, min(begin + self._chunk_size, count))
            latents, classes = inputs(part)
            if wanted and known and classes is not None:
                values = requested(known, wanted, classes, seed=seed, start=start, first=first + begin)
                images[part] = self._edited(latents, classes, values)
            else:
                images[part] = to_uint8(self.session.run(latents, classes))
        return images

    def _edited(self, latents: Float32, classes: Float32, values: Float32) -> UInt8:
        """Images uint8 (N, 28, 28) of latents that are changed as predicted, then once more as measured."""
        latents = self.editor.edit(latents, classes, values)
        images = to_uint8(self.session.run(latents, classes))
        off, corrected = self.editor.correct(latents, classes, values, images)
        if len(off):
            images[off] = to_uint8(self.session.run(corrected, classes[off]))
        return images


def chunk_size(card: ModelCard) -> int:
    """The number of digits per call of a model's network."""
    low, high = CHUNK_LIMITS
    return max(low, min(high, CHUNK_WORK // max(1, card.multiply_adds)))


def _empty(count: int) -> UInt8:
    try:
        return np.empty((count, 28, 28), np.uint8)
    except MemoryError:
        raise InputError(f"{count:,} digits do not fit in memory; generate them in batches with stream()") from None
