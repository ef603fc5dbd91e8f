"""Verification: PyTorch, TorchScript and onnxruntime must agree, and the ONNX graph must have the right signature."""

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
    """The allowed difference of pixels, 0 to 1: at most `largest` for a fraction `share` of them, `mean` on average."""

    share: float
    largest: float
    mean: float


EXACT = Tolerance(share=1.0, largest=1e-5, mean=1e-5)
# Quantization can change the shape of an ambiguous digit, so that a few pixels in 100,000 differ by up to 1. The
# evaluation measures its effect on quality.
QUANTIZED = Tolerance(share=0.999, largest=0.3, mean=0.01)
BATCHES = (1, 7, 256)


def verify(
    generator: ExportedGenerator, graph: bytes, torchscript: bytes, tolerance: Tolerance = EXACT
) -> dict[str, float]:
    """Compare the images of the graph and of TorchScript with PyTorch's, for batches of BATCHES.

    Returns the `largest` (within the tolerance's share of the pixels) and `mean` differences of the graph, maxima over
    the batches. Raises ExportError if they exceed the tolerance, or those of TorchScript exceed EXACT.
    """
    _check_onnx(onnx.load_model_from_string(graph), generator)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # late: telemetry starts with its import

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
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
        raise ExportError(f"{name}: expected images {tuple(expected.shape)}, got {tuple(images.shape)}")
    differences = (images - expected).abs().numpy()
    largest = np.quantile(differences, tolerance.share)
    found = {"largest": float(largest), "mean": float(differences.mean())}
    for kind, difference in found.items():
        if not difference <= (limit := getattr(tolerance, kind)):  # fails for NaN, too
            where = f" in {tolerance.share:.1%} of the pixels" if kind == "largest" else ""
            raise ExportError(
                f"{name} and PyTorch differ by {difference:.2e} ({kind}{where}) for {len(images)} images; "
                f"expected at most {limit}"
            )
    if not (images.min() >= 0 and images.max() <= 1):
        raise ExportError(f"{name}: expected pixels in [0, 1], got {images.min():.3g} to {images.max():.3g}")
    return found


def _check_onnx(model: onnx.ModelProto, generator: ExportedGenerator) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"the graph is not valid ONNX: {error}") from None
    found = {value.name: _shape(value) for value in (*inferred.graph.input, *inferred.graph.output)}
    expected: dict[str, tuple[int | str, ...]] = {LATENTS: ("N", generator.latent_dim), IMAGES: ("N", 28, 28)}
    if generator.conditional:
        expected[CLASSES] = ("N", 10)
    if found != expected:
        raise ExportError(f"the graph: expected inputs and outputs {expected}, got {found}")


def _shape(value: onnx.ValueInfoProto) -> tuple[int | str, ...]:
    return tuple(size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim)
