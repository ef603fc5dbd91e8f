"""SmallGraph: a further graph of a model directory, beside model.onnx."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mnistgen._arrays import Float32
from mnistgen._catalog import read_graph
from mnistgen._errors import ModelError, shown
from mnistgen._lifetime import leak_after_fork, native_call
from mnistgen._session import open_graph


class SmallGraph:
    """A graph on the CPU whose SHA-256 is in the model's card. Raises ModelError if it is damaged."""

    def __init__(self, path: Path, card: Mapping[str, Any] | None, threads: int) -> None:
        self._path = path
        graph = read_graph(path)
        if hashlib.sha256(graph).hexdigest() != (card or {}).get("sha256"):
            raise ModelError(f"{path}: the SHA-256 is not that of card.json; export or install the model again")
        self._session = open_graph(path, threads=threads, graph=graph)
        leak_after_fork(self._session)

    def run(self, feeds: Mapping[str, Float32], outputs: Mapping[str, tuple[int, ...]]) -> list[Float32]:
        """The outputs, given by name with their shapes. Raises ModelError for other shapes and for NaN."""
        try:
            with native_call():
                found: list[Float32] = self._session.run(list(outputs), dict(feeds))
        except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions have no other base
            raise ModelError(f"{self._path}: onnxruntime cannot run it: {shown(error, 200)}") from None
        for (name, shape), values in zip(outputs.items(), found, strict=True):
            if values.shape != shape or not np.isfinite(values).all():
                raise ModelError(f"{self._path}: expected finite {name} {shape}, got {values.shape}")
        return found
