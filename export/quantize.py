"""Static quantization of an exported graph to 8-bit weights, activations and pixels.

Source: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
2018 (arXiv:1712.05877), section 2.
"""

import io
import os
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from export.errors import ExportError
from export.wrapper import ExportedGenerator
from mnistgen._session import CLASSES, IMAGES, LATENTS
from training.networks.fake_quantization import LOGITS, PERCENTILE, PIXELS

PRODUCTS = ("Gemm", "Conv")
OPERATORS = (*PRODUCTS, "Relu", "LeakyRelu", "Add", "Sigmoid")
# The quantization parameters of the input and the output of the final sigmoid.
LOGIT_QPARAMS, PIXEL_QPARAMS = (
    {"scale": np.array(scale, np.float32), "zero_point": np.array(zero, np.uint8)} for scale, zero in (LOGITS, PIXELS)
)


def quantize(model: onnx.ModelProto, generator: ExportedGenerator, calibration: int) -> onnx.ModelProto:
    """Quantize weights to int8 per output channel, activations to uint8, and output images as uint8 grey levels.

    The activation ranges come from `calibration` generated digits. Weights use 7 of the 8 bits, since 8 could overflow
    on processors without 8-bit dot products (AVX2 without VNNI). Raises ExportError for a generator without a sigmoid
    after its last linear layer. `training.networks.fake_quantization` emulates this in training.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    from onnxruntime import quantization  # late: telemetry starts with its import
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    class Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]  # untyped
        def __init__(self) -> None:
            inputs = generator.inputs(calibration)  # a single batch, as all batches must have the same size
            self._batches = iter(
                [{name: value.numpy() for name, value in zip((LATENTS, CLASSES), inputs, strict=False)}]
            )

        def get_next(self) -> dict[str, Any] | None:
            return next(self._batches, None)

    logits = _last_product(model.graph)
    (sigmoid,) = _users(model.graph, logits)
    if sigmoid.op_type != "Sigmoid":
        raise ExportError(f"quantization: expected a sigmoid after the last linear layer, got {sigmoid.op_type}")
    pixels = sigmoid.output[0]
    add_pre_process_metadata(model)  # marks optimisation and shape inference as done; the exporter has done both
    with tempfile.TemporaryDirectory(prefix="mnistgen-quantize-") as folder, redirect_stdout(io.StringIO()):
        path = Path(folder) / "quantized.onnx"
        quantization.quantize_static(
            model,
            path,
            Calibration(),
            op_types_to_quantize=OPERATORS,
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.Percentile,
            extra_options={
                "CalibPercentile": PERCENTILE,
                "TensorQuantOverrides": {logits: [LOGIT_QPARAMS], pixels: [PIXEL_QPARAMS]},
            },
        )
        quantized = onnx.load(path)
    _output_levels(quantized.graph, pixels)
    del quantized.metadata_props[:]
    quantized.producer_name, quantized.producer_version = model.producer_name, model.producer_version
    return quantized


def _last_product(graph: onnx.GraphProto) -> str:
    """The name of the output of the last Gemm or Conv before the images."""
    producers = {name: node for node in graph.node for name in node.output}
    name = IMAGES
    while producers[name].op_type not in PRODUCTS:
        name = producers[name].input[0]
    return name


def _users(graph: onnx.GraphProto, name: str) -> list[onnx.NodeProto]:
    return [node for node in graph.node if name in node.input]


def _output_levels(graph: onnx.GraphProto, pixels: str) -> None:
    """Output the quantized pixels, uint8 grey levels: remove their DequantizeLinear and the Clip to [0, 1]."""
    (quantize_node,) = _users(graph, pixels)
    levels = quantize_node.output[0]
    (dequantize_node,) = _users(graph, levels)
    for node in _users(graph, dequantize_node.output[0]):
        node.input[:] = [levels if name == dequantize_node.output[0] else name for name in node.input]
    graph.node.remove(dequantize_node)
    (clip,) = [node for node in graph.node if IMAGES in node.output]
    for node in graph.node:
        node.output[:] = [IMAGES if name == clip.input[0] else name for name in node.output]
    graph.node.remove(clip)
    for bound in [weight for weight in graph.initializer if weight.name in clip.input[1:]]:
        if not _users(graph, bound.name):
            graph.initializer.remove(bound)
    (images,) = graph.output
    images.type.tensor_type.elem_type = TensorProto.UINT8
