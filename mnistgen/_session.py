"""Session: a verified graph, loaded by onnxruntime on the requested device."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping
from math import isfinite
from types import ModuleType
from typing import Any, Literal, get_args

from mnistgen._arrays import Float32, UInt8
from mnistgen._checks import one_of
from mnistgen._errors import DeviceError, ModelError, plain
from mnistgen._model import MODEL, ModelDirectory
from mnistgen._runtime import CUDA_FIX, import_onnxruntime, leak_after_fork, native_call

Device = Literal["auto", "cpu", "cuda"]  # auto: CUDA if a session runs on it, else the CPU

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
CUDA_OPTIONS = {"use_tf32": "0"}  # the 10-bit mantissa of TF32 would change pixels by more than one grey level
FATAL = 4  # log severity of onnxruntime: errors are raised as exceptions, and not logged as well
SOURCE_LINE = r"/\S+\.(cc|h):\d+ .*?\) "  # of onnxruntime's source, in its messages

# Names of the inputs and the output of model.onnx.
LATENTS, CLASSES, IMAGES = "latents", "classes", "images"


class Session:
    """A graph of a model directory: its SHA-256 is that of the card.

    Thread-safe. Raises ModelError if the graph is damaged, and DeviceError if the device is unavailable.
    """

    def __init__(self, directory: ModelDirectory, name: str, *, threads: int, device: str = "cpu") -> None:
        onnxruntime = import_onnxruntime()
        self._path = directory.path / name
        graph, options = directory.read(name), _options(onnxruntime, threads)
        session, self.why_not_cuda = None, "it was not requested"
        if device != "cpu":
            session, self.why_not_cuda = _on_cuda(onnxruntime, graph, options, str(self._path))
        if device == "cuda" and not session:
            raise DeviceError(f"device cuda cannot be used: {self.why_not_cuda}. {CUDA_FIX}")
        self._session = session or _open(onnxruntime, graph, options, [CPU], str(self._path))
        self.device: Literal["cpu", "cuda"] = "cuda" if session else "cpu"
        leak_after_fork(self._session)

    def run(self, feeds: Mapping[str, Any], outputs: Mapping[str, tuple[int, ...]]) -> list[Any]:
        """The outputs, given by name with their shapes. Raises ModelError for other shapes, and for NaN."""
        try:
            with native_call():
                found: list[Any] = self._session.run(list(outputs), dict(feeds))
        except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions have no other base
            raise ModelError(f"{self._path}: onnxruntime cannot run it: {_first_line(error)}") from None
        for (name, shape), values in zip(outputs.items(), found, strict=True):
            if values.shape != shape:
                raise ModelError(f"{self._path}: expected {name} {shape}, got {values.shape}")
            # NaN propagates to the minimum. Integers are finite.
            if values.dtype.kind == "f" and values.size and not (isfinite(values.min()) and isfinite(values.max())):
                raise ModelError(f"{self._path}: expected finite {name}, got NaN or infinite values")
        return found


class ImageSession(Session):
    """model.onnx of a model directory. Raises ModelError if its inputs and output are not those of the card."""

    def __init__(self, directory: ModelDirectory, *, threads: int, device: str) -> None:
        super().__init__(directory, MODEL, threads=threads, device=one_of("device", device, get_args(Device)))
        card = directory.card
        inputs = {LATENTS: card.latent_dim} | ({CLASSES: len(card.classes)} if card.classes else {})
        found = {node.name: (node.shape or [None])[-1] for node in self._session.get_inputs()}
        outputs = [node.name for node in self._session.get_outputs()]
        if found != inputs or outputs != [IMAGES]:
            expected = f"inputs {inputs} and outputs {[IMAGES]}"
            raise ModelError(f"{self._path}: expected {expected}, got inputs {found} and outputs {outputs}")

    def images(self, latents: Float32, classes: Float32 | None) -> Float32 | UInt8:
        """Latents (N, D), classes (N, K) or None -> images (N, 28, 28): float32 in [0, 1], or uint8 grey levels."""
        feeds = {LATENTS: latents} if classes is None else {LATENTS: latents, CLASSES: classes}
        images: Float32 | UInt8 = self.run(feeds, {IMAGES: (len(latents), 28, 28)})[0]
        return images


def _options(onnxruntime: ModuleType, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL
    options.add_session_config_entry("session.load_model_format", "ONNX")  # refuse onnxruntime's own format
    return options


def _on_cuda(onnxruntime: ModuleType, graph: bytes, options: Any, path: str) -> tuple[Any, str]:
    """A session that really runs on CUDA, or None and the reason why there is none."""
    if CUDA not in onnxruntime.get_available_providers():
        return None, "this onnxruntime is built without CUDA"
    try:
        # It prints missing libraries, which would corrupt a PNG or JSON on standard output.
        with contextlib.redirect_stdout(io.StringIO()):
            onnxruntime.preload_dlls()  # from the nvidia-* packages
        session = _open(onnxruntime, graph, options, [(CUDA, CUDA_OPTIONS), CPU], path)
    except (ModelError, OSError) as error:
        return None, str(error)
    if session.get_providers()[0] == CUDA:
        return session, ""
    return None, "onnxruntime could not load CUDA or cuDNN and fell back to the CPU"


def _open(onnxruntime: ModuleType, graph: bytes, options: Any, providers: list[Any], path: str) -> Any:
    """A session of exactly the bytes that were checked; the path is used in messages only."""
    try:
        with native_call():
            return onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions have no other base
        raise ModelError(f"{path}: onnxruntime cannot load it: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return plain(re.sub(SOURCE_LINE, "", line))
