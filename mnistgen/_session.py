"""The only import of onnxruntime: a checked session on the requested device.

Importing onnxruntime starts its telemetry, also on Linux, unless ORT_DISABLE_TELEMETRY is set. This module sets it
before the import, unless the user has set it.
"""

import contextlib
import importlib
import io
import os
import re
import warnings
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, get_args

import numpy as np

from mnistgen._arrays import Float32, UInt8
from mnistgen._catalog import ModelDirectory, read_graph
from mnistgen._checks import one_of
from mnistgen._devices import Device
from mnistgen._errors import DeviceError, ModelError, plain
from mnistgen._installation import cuda_fix, import_fix, installation_conflict
from mnistgen._lifetime import close_at_exit, leak_after_fork, native_call

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
CUDA_OPTIONS = {"use_tf32": "0"}  # the 10-bit mantissa of TF32 would change pixels by more than one grey level
FATAL = 4  # log severity of onnxruntime: errors are raised as exceptions, and not logged as well

SOURCE_LINE = r"/\S+\.(cc|h):\d+ .*?\) "  # of onnxruntime's source, in its messages

# Names of the graph's inputs and output.
LATENTS, CLASSES, IMAGES = "latents", "classes", "images"
TYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}


class Session(Protocol):
    """The interface of an inference engine; tests substitute their own."""

    device: str  # in use: "cpu" or "cuda"

    def run(self, latents: Float32, classes: Float32 | None) -> Float32 | UInt8:
        """Latents (N, D), classes (N, 10) or None -> images (N, 28, 28): float32 in [0, 1], or uint8 grey levels."""
        ...


class OnnxSession:
    """A model on onnxruntime. Device and graph are checked at construction, which raises DeviceError or ModelError."""

    def __init__(self, directory: ModelDirectory, device: str, threads: int) -> None:
        one_of("device", device, get_args(Device))
        onnxruntime = import_onnxruntime()
        self._path = directory.onnx
        self._session = _on_device(onnxruntime, directory, _options(onnxruntime, threads), device)
        self.device = "cuda" if self._session.get_providers()[0] == CUDA else "cpu"
        _check_signature(directory, self._session)
        leak_after_fork(self._session)

    def run(self, latents: Float32, classes: Float32 | None) -> Float32 | UInt8:
        """Latents (N, D), classes (N, 10) or None -> images (N, 28, 28), float32 in [0, 1] or uint8 grey levels.

        Thread-safe. Raises ModelError if the graph fails, and for other shapes and values.
        """
        feeds = {LATENTS: latents} if classes is None else {LATENTS: latents, CLASSES: classes}
        try:
            with native_call():
                images: Float32 | UInt8 = self._session.run([IMAGES], feeds)[0]
        except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions have no other base
            raise ModelError(f"{self._path}: onnxruntime cannot run it: {_first_line(error)}") from None
        if images.shape != (len(latents), 28, 28):
            raise ModelError(f"{self._path}: expected images {(len(latents), 28, 28)}, got {images.shape}")
        if images.dtype != np.uint8 and not (isfinite(images.min()) and isfinite(images.max())):  # NaN propagates
            raise ModelError(f"{self._path}: expected pixels from 0 to 1, got NaN or infinite values")
        return images


def import_onnxruntime() -> ModuleType:
    """Import onnxruntime with telemetry disabled. Raises DeviceError with a fix; warns of conflicting packages."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        onnxruntime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise DeviceError(f"onnxruntime cannot be imported ({error}). {import_fix()}") from None
    close_at_exit()
    if conflict := installation_conflict():
        warnings.warn(conflict, RuntimeWarning, stacklevel=4)
    return onnxruntime


def open_graph(path: Path, threads: int, graph: bytes | None = None) -> Any:
    """A session on the CPU of any graph, which is read from the path by default; its signature is not checked.

    Raises DeviceError or ModelError.
    """
    onnxruntime = import_onnxruntime()
    return _open(onnxruntime, path, graph or read_graph(path), _options(onnxruntime, threads), [CPU])


def why_not_cuda(directory: ModelDirectory) -> str:
    """Why a model's session does not run on CUDA; "" if it does. Raises DeviceError without onnxruntime."""
    onnxruntime = import_onnxruntime()
    return _try_cuda(onnxruntime, directory.onnx, directory.read(), _options(onnxruntime, 1))[1]


def _options(onnxruntime: ModuleType, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL
    options.add_session_config_entry("session.load_model_format", "ONNX")  # refuse onnxruntime's own format
    return options


def _on_device(onnxruntime: ModuleType, directory: ModelDirectory, options: Any, device: str) -> Any:
    """A session on the requested device; "auto" falls back to the CPU if the session does not run on CUDA."""
    graph = directory.read()
    if device != "cpu":
        session, reason = _try_cuda(onnxruntime, directory.onnx, graph, options)
        if session is not None:
            return session
        if device == "cuda":
            raise DeviceError(f"device cuda cannot be used: {reason}. {cuda_fix()}")
    return _open(onnxruntime, directory.onnx, graph, options, [CPU])


def _try_cuda(onnxruntime: ModuleType, path: Path, graph: bytes, options: Any) -> tuple[Any, str]:
    """A session that really runs on CUDA, or None and the reason."""
    if CUDA not in onnxruntime.get_available_providers():
        return None, "this onnxruntime is built without CUDA"
    try:
        # It prints missing libraries, which would corrupt a PNG or JSON on standard output.
        with contextlib.redirect_stdout(io.StringIO()):
            onnxruntime.preload_dlls()  # from the nvidia-* packages
        session = _open(onnxruntime, path, graph, options, [(CUDA, CUDA_OPTIONS), CPU])
    except (ModelError, OSError) as error:
        return None, str(error)
    if session.get_providers()[0] == CUDA:
        return session, ""
    return None, "onnxruntime could not load CUDA or cuDNN and fell back to the CPU"


def _open(onnxruntime: ModuleType, path: Path, graph: bytes, options: Any, providers: list[Any]) -> Any:
    """A session of exactly the bytes that were checked; the path is used in messages only."""
    try:
        with native_call():
            return onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions have no other base
        raise ModelError(f"{path}: onnxruntime cannot load it: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return plain(re.sub(SOURCE_LINE, "", line))


def _check_signature(directory: ModelDirectory, session: Any) -> None:
    """Check names, types and shapes of the graph's inputs and outputs against the card."""
    card = directory.card
    inputs = {LATENTS: [None, card.latent_dim]} | ({CLASSES: [None, 10]} if card.conditional else {})
    for kind, types, expected, nodes in (
        ("inputs", ["float32"], inputs, session.get_inputs()),
        ("outputs", ["float32", "uint8"], {IMAGES: [None, 28, 28]}, session.get_outputs()),
    ):
        found = {node.name: f"{TYPES.get(node.type, node.type)} {_shape_text(node.shape)}" for node in nodes}
        if not any(found == _signature(choice, expected) for choice in types):
            wanted = _signature(" or ".join(types), expected)
            raise ModelError(f"{directory.onnx}: expected {kind} {_list(wanted)}, got {plain(_list(found))}")


def _signature(type_text: str, shapes: Mapping[str, list[Any]]) -> dict[str, str]:
    return {name: f"{type_text} {_shape_text(shape)}" for name, shape in shapes.items()}


def _shape_text(shape: list[Any]) -> str:
    return f"({', '.join(str(size) if isinstance(size, int) else 'N' for size in shape)})"


def _list(signature: dict[str, str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in signature.items()) or "none"
