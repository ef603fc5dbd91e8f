"""Parity: PyTorch, TorchScript and onnxruntime must agree, and the ONNX file must keep its promises."""

import os
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor

from export.errors import ExportError
from export.wrapper import ExportedGenerator
from mnistgen.session import CLASSES, IMAGES, LATENTS

TOLERANCE = 1e-5  # absolute, on images in [0, 1]
BATCHES = (1, 7, 256)


def verify(generator: ExportedGenerator, directory: Path) -> float:
    """The largest difference found, on random latents at every batch size. Raises ExportError past TOLERANCE."""
    _check_onnx(directory / "model.onnx", generator)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # late: telemetry starts with its import

    session = onnxruntime.InferenceSession(directory / "model.onnx", providers=["CPUExecutionProvider"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch keeps TorchScript but no longer advises it
        script = torch.jit.load(directory / "model.torchscript.pt")
    worst = 0.0
    for count in BATCHES:
        inputs = generator.inputs(count, seed=count)
        with torch.no_grad():
            expected = generator(*inputs)
            scripted = script(*inputs)
        feeds = {name: value.numpy() for name, value in zip((LATENTS, CLASSES), inputs, strict=False)}
        (onnx_images,) = session.run([IMAGES], feeds)
        for name, images in (("TorchScript", scripted), ("onnxruntime", torch.from_numpy(onnx_images))):
            worst = max(worst, _difference(name, expected, images))
    return worst


def _difference(name: str, expected: Tensor, images: Tensor) -> float:
    if images.shape != expected.shape:
        raise ExportError(f"{name} gives images {tuple(images.shape)}, PyTorch {tuple(expected.shape)}")
    difference = float((images - expected).abs().max())
    if not difference <= TOLERANCE:  # NaN fails too
        raise ExportError(f"{name} and PyTorch differ by {difference:.2e} at {len(images)} images; at most {TOLERANCE}")
    if not (images.min() >= 0 and images.max() <= 1):
        raise ExportError(f"{name} gives pixels from {images.min():.3g} to {images.max():.3g}, outside [0, 1]")
    return difference


def _check_onnx(path: Path, generator: ExportedGenerator) -> None:
    model = onnx.load(path)
    try:
        onnx.checker.check_model(model, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"{path.name} is not valid ONNX: {error}") from None
    found = {value.name: _shape(value) for value in (*inferred.graph.input, *inferred.graph.output)}
    promised: dict[str, tuple[int | str, ...]] = {LATENTS: ("N", generator.latent_dim), IMAGES: ("N", 28, 28)}
    if generator.conditional:
        promised[CLASSES] = ("N", 10)
    if found != promised:
        raise ExportError(f"{path.name}: shape inference gives {found}, expected {promised}")


def _shape(value: onnx.ValueInfoProto) -> tuple[int | str, ...]:
    return tuple(size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim)
