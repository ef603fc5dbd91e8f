"""Parity: PyTorch, TorchScript and onnxruntime must agree, and the ONNX file must keep its promises."""

import io
import os
import warnings
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import Tensor

from export.errors import ExportError
from export.wrapper import ExportedGenerator
from mnistgen._session import CLASSES, IMAGES, LATENTS


@dataclass(frozen=True)
class Tolerance:
    """How far pixels, 0 to 1, may be from PyTorch's: `share` of them by at most `largest`, all of them by `mean`."""

    share: float
    largest: float
    mean: float


EXACT = Tolerance(share=1.0, largest=1e-5, mean=1e-5)
# In 8 bits a digit between two shapes may become the other one, so that a few pixels in 100,000 differ by up to 1. What
# that costs a model's digits, evaluation tells.
QUANTIZED = Tolerance(share=0.999, largest=0.3, mean=0.01)
BATCHES = (1, 7, 256)


def verify(
    generator: ExportedGenerator, graph: bytes, torchscript: bytes, tolerance: Tolerance = EXACT
) -> dict[str, float]:
    """The largest difference, in the tolerance's share of ONNX's pixels, and the mean one: of the worst of BATCHES.

    Raises ExportError where they are past the tolerance, or TorchScript's past EXACT.
    """
    _check_onnx(onnx.load_model_from_string(graph), generator)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # late: telemetry starts with its import

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch keeps TorchScript but no longer advises it
        script = torch.jit.load(io.BytesIO(torchscript))
    worst = {"largest": 0.0, "mean": 0.0}
    for count in BATCHES:
        inputs = generator.inputs(count, seed=count)
        with torch.no_grad():
            expected = generator(*inputs)
            scripted = script(*inputs)
        feeds = {name: value.numpy() for name, value in zip((LATENTS, CLASSES), inputs, strict=False)}
        (onnx_images,) = session.run([IMAGES], feeds)
        if onnx_images.dtype == np.uint8:
            onnx_images = onnx_images / np.float32(255)
        _check("TorchScript", expected, scripted, EXACT)
        found = _check("onnxruntime", expected, torch.from_numpy(onnx_images), tolerance)
        worst = {name: max(value, found[name]) for name, value in worst.items()}
    return worst


def _check(name: str, expected: Tensor, images: Tensor, tolerance: Tolerance) -> dict[str, float]:
    if images.shape != expected.shape:
        raise ExportError(f"{name} gives images {tuple(images.shape)}, PyTorch {tuple(expected.shape)}")
    differences = (images - expected).abs().numpy()
    largest = np.quantile(differences, tolerance.share)
    found = {"largest": float(largest), "mean": float(differences.mean())}
    for kind, difference in found.items():
        if not difference <= (most := getattr(tolerance, kind)):  # NaN fails too
            where = f" in {tolerance.share:.1%} of the pixels" if kind == "largest" else ""
            raise ExportError(
                f"{name} and PyTorch differ by {difference:.2e} ({kind}{where}) at {len(images)} images; at most {most}"
            )
    if not (images.min() >= 0 and images.max() <= 1):
        raise ExportError(f"{name} gives pixels from {images.min():.3g} to {images.max():.3g}, outside [0, 1]")
    return found


def _check_onnx(model: onnx.ModelProto, generator: ExportedGenerator) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"the graph is not valid ONNX: {error}") from None
    found = {value.name: _shape(value) for value in (*inferred.graph.input, *inferred.graph.output)}
    promised: dict[str, tuple[int | str, ...]] = {LATENTS: ("N", generator.latent_dim), IMAGES: ("N", 28, 28)}
    if generator.conditional:
        promised[CLASSES] = ("N", 10)
    if found != promised:
        raise ExportError(f"the graph: shape inference gives {found}, expected {promised}")


def _shape(value: onnx.ValueInfoProto) -> tuple[int | str, ...]:
    return tuple(size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim)
