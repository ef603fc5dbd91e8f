"""An exported graph with 8-bit weights and activations: what processors multiply fastest.

Source: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
2018 (arXiv:1712.05877), section 2.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from export.wrapper import ExportedGenerator
from mnistgen.session import CLASSES, LATENTS

BATCH_SIZE = 500


def quantise(model: onnx.ModelProto, generator: ExportedGenerator, calibration: int) -> onnx.ModelProto:
    """The graph with every Gemm in 8 bits: weights int8 by output channel, activations uint8 within the ranges that
    `calibration` digits take. What the last Gemm gives stays float32, and so does everything after it.

    Weights keep to 7 bits, without which processors that lack 8-bit dot products (AVX2 without VNNI) would overflow.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    from onnxruntime import quantization  # late: telemetry starts with its import
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    class Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]  # untyped
        def __init__(self) -> None:
            self._batches = _feeds(generator, calibration)

        def get_next(self) -> dict[str, Any] | None:
            return next(self._batches, None)

    add_pre_process_metadata(model)  # which would optimise a graph and infer shapes, as the exporter has done already
    with tempfile.TemporaryDirectory(prefix="mnistgen-quantise-") as folder:
        path = Path(folder) / "quantised.onnx"
        quantization.quantize_static(
            model,
            path,
            Calibration(),
            op_types_to_quantize=["Gemm", "Relu"],
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        quantised = onnx.load(path)
    _free_output(quantised.graph)
    del quantised.metadata_props[:]
    quantised.producer_name, quantised.producer_version = model.producer_name, model.producer_version
    return quantised


def _feeds(generator: ExportedGenerator, count: int) -> Iterator[dict[str, Any]]:
    for part in generator.inputs(count).split(BATCH_SIZE):
        yield {name: value.numpy() for name, value in zip((LATENTS, CLASSES), part, strict=False)}


def _free_output(graph: onnx.GraphProto) -> None:
    """Take away the rounding of what the last Gemm gives: 256 levels are too few for what a sigmoid is to bend."""
    last = [node for node in graph.node if node.op_type == "Gemm"][-1]
    (rounded,) = [node for node in graph.node if last.output[0] in node.input]
    (restored,) = [node for node in graph.node if rounded.output[0] in node.input]
    last.output[0] = restored.output[0]
    unused = {*rounded.input[1:], *restored.input[1:]}
    graph.node.remove(rounded)
    graph.node.remove(restored)
    for weight in [weight for weight in graph.initializer if weight.name in unused]:
        graph.initializer.remove(weight)
