"""Conversion to ONNX, with weights stored as float16, or quantized to 8 bits."""

import logging
import warnings
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from export.quantize import quantize
from export.wrapper import ExportedGenerator
from mnistgen._session import CLASSES, IMAGES, LATENTS
from training.config import Quantization

OPSET = 18
MIN_IR_VERSION: int = helper.find_min_ir_version_for([helper.make_opsetid("", OPSET)])


def to_onnx(
    generator: ExportedGenerator,
    metadata: dict[str, str],
    quantization: Quantization | None = None,
    ir_version: int = MIN_IR_VERSION,
) -> onnx.ModelProto:
    """Convert to a graph from latents (N, D) and, if conditional, classes (N, 10), to images (N, 28, 28), N dynamic.

    `metadata` are stored as the model's metadata properties. The lowest IR version, that of the file format, lets the
    oldest runtimes load the graph. Raises ExportError as `quantize` does.
    """
    example = tuple(generator.inputs(2))
    shapes = _batched(len(example))
    model = export_module(generator, example, [LATENTS, CLASSES][: len(example)], [IMAGES], ir_version, shapes)
    if quantization:
        model = quantize(model, generator, quantization.calibration)
        _strip(model)
    else:
        halve_weights(model.graph)
    helper.set_model_props(model, metadata)
    return model


def export_module(
    module: torch.nn.Module,
    example: tuple[torch.Tensor, ...],
    inputs: list[str],
    outputs: list[str],
    ir_version: int,
    shapes: tuple[Any, ...] | None = None,
) -> onnx.ModelProto:
    """Convert a module to a graph, without debug metadata; `shapes` are by default a dynamic batch size N for all."""
    rows = {0: torch.export.Dim("N")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            module,
            example,
            dynamo=True,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=shapes or (rows,) * len(example),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    model.ir_version = ir_version
    _strip(model)
    return model


def _batched(inputs: int) -> tuple[Any, ...]:
    """Dynamic batch size N for all inputs, in the structure of the arguments of forward(latents, *classes)."""
    rows = {0: torch.export.Dim("N")}
    return (rows,) if inputs == 1 else (rows, (rows,))


def _strip(model: onnx.ModelProto) -> None:
    """Remove the exporter's debug metadata, which contains source lines and local paths."""
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    del model.graph.value_info[:]  # shape inference restores it


def halve_weights(graph: onnx.GraphProto) -> None:
    """Store float32 weights as float16, followed by a Cast that onnxruntime folds when it loads the model."""
    casts = []
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        halves = values.astype(np.float16)
        if not np.array_equal(halves.astype(np.float32), values):
            continue  # not exactly representable in float16
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(halves, f"{name}.float16"))
        casts.append(helper.make_node("Cast", [weight.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
