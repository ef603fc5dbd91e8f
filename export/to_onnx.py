"""Conversion to ONNX, with weights stored as float16 or quantized to 8 bits.

Source: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
2018 (arXiv:1712.05877), section 2.
"""

import hashlib
import io
import tempfile
import warnings
from contextlib import redirect_stdout
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from export import OPSET, ExportError
from export.verify import ENCODED, ExportedEncoder, ExportedGenerator, multiply_adds, verify_encoder
from mnistgen._encoder import LABEL_LOGITS
from mnistgen._runtime import import_onnxruntime
from mnistgen._session import CLASSES, IMAGES, LATENTS
from training.config import Quantization
from training.networks.fake_quantization import LOGITS, PERCENTILE, PIXELS


class Part(NamedTuple):
    """A graph beside model.onnx in a model directory, and its entry in the card."""

    graph: bytes
    card: dict[str, Any]


def to_onnx(generator: ExportedGenerator, quantization: Quantization | None, ir_version: int) -> onnx.ModelProto:
    """Convert to a graph from latents (N, D) and, if conditional, classes (N, K), to images (N, 28, 28), N dynamic.

    Raises ExportError as `quantize` does.
    """
    example = tuple(generator.inputs(2))
    model = export_module(generator, example, [LATENTS, CLASSES][: len(example)], [IMAGES], ir_version)
    if quantization:
        model = quantize(model, generator, quantization.calibration)
        strip(model)
    else:
        halve_weights(model.graph)
    return model


def convert_encoder(network: nn.Module, ir_version: int) -> Part:
    """Convert an encoder to ONNX with weights stored as float16.

    Raises ExportError unless PyTorch and onnxruntime agree, and for weights that are not finite.
    """
    encoder = ExportedEncoder(network)
    model = export_module(encoder, (torch.rand(2, 28, 28),), [IMAGES], [LATENTS, LABEL_LOGITS], ir_version)
    halve_weights(model.graph)
    graph = model.SerializeToString()
    card = {
        "sha256": hashlib.sha256(graph).hexdigest(),
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "multiply_adds": multiply_adds(encoder, torch.rand(1, 28, 28)),
        "parity": {"tolerance": ENCODED.largest, "difference": verify_encoder(encoder, graph)},
    }
    return Part(graph, card)


def export_module(
    module: nn.Module, example: tuple[Tensor, ...], inputs: list[str], outputs: list[str], ir_version: int
) -> onnx.ModelProto:
    """Convert a module to a graph with a dynamic batch size N, without debug metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        program = torch.onnx.export(
            module,
            example,
            dynamo=True,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("N")},) * len(example),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    model.ir_version = ir_version
    strip(model)
    return model


def strip(model: onnx.ModelProto) -> None:
    """Remove the exporter's debug metadata, which contains source lines and local paths."""
    graph = model.graph
    del graph.metadata_props[:]
    del graph.value_info[:]  # shape inference restores it
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def halve_weights(graph: onnx.GraphProto) -> None:
    """Store float32 weights as float16, followed by a Cast that onnxruntime folds when it loads the model."""
    for weight in reversed(graph.initializer):
        values = numpy_helper.to_array(weight)
        halves = values.astype(np.float16)
        if values.dtype == np.float32 and np.array_equal(halves, values):  # exactly representable
            name = weight.name
            weight.CopyFrom(numpy_helper.from_array(halves, f"{name}.float16"))
            graph.node.insert(0, helper.make_node("Cast", [weight.name], [name], to=TensorProto.FLOAT))


# --- 8 bits -----------------------------------------------------------------------------------------------------------

# The quantization parameters of the input and the output of the final sigmoid.
LOGIT_QPARAMS, PIXEL_QPARAMS = (
    {"scale": np.array(scale, np.float32), "zero_point": np.array(zero, np.uint8)} for scale, zero in (LOGITS, PIXELS)
)


def quantize(model: onnx.ModelProto, generator: ExportedGenerator, calibration: int) -> onnx.ModelProto:
    """Quantize weights to int8 per output channel, activations to uint8, and output images as uint8 grey levels.

    The activation ranges come from `calibration` generated digits. Weights use 7 of the 8 bits, since 8 could overflow
    on processors without 8-bit dot products (AVX2 without VNNI). Raises ExportError for a generator that does not end
    in a sigmoid. `training.networks.fake_quantization` emulates this in training.
    """
    import_onnxruntime()  # without telemetry
    from onnxruntime import quantization
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    if not isinstance(final := generator.network.final, nn.Sigmoid):
        raise ExportError(f"quantization: expected a generator that ends in a sigmoid, got {type(final).__name__}")
    sigmoid = [node for node in model.graph.node if node.op_type == "Sigmoid"][-1]
    (logits,), (pixels,) = sigmoid.input, sigmoid.output
    inputs = zip((LATENTS, CLASSES), generator.inputs(calibration), strict=False)
    batch = {name: value.numpy() for name, value in inputs}  # a single one, as all must have the same size
    add_pre_process_metadata(model)  # marks optimisation and shape inference as done; the exporter has done both
    with tempfile.TemporaryDirectory(prefix="mnistgen-quantize-") as folder, redirect_stdout(io.StringIO()):
        path = f"{folder}/quantized.onnx"
        quantization.quantize_static(
            model,
            path,
            SimpleNamespace(get_next=partial(next, iter([batch]), None)),
            op_types_to_quantize=("Gemm", "Conv", "Relu", "LeakyRelu", "Add", "Sigmoid"),
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
    quantized.producer_name, quantized.producer_version = model.producer_name, model.producer_version
    return quantized


def _output_levels(graph: onnx.GraphProto, pixels: str) -> None:
    """Output the quantized pixels, uint8 grey levels, by removing their DequantizeLinear."""
    users = {node.input[0]: node for node in graph.node}
    levels = users[pixels].output[0]
    dequantize = users[levels]
    users[dequantize.output[0]].input[0] = levels
    graph.node.remove(dequantize)
    graph.output[0].type.tensor_type.elem_type = TensorProto.UINT8
