"""Build a model directory from a trained model."""

import hashlib
import json
import warnings
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from onnx import helper

from export import IR_VERSION
from export.attributes import fit_attributes
from export.to_onnx import convert_encoder, to_onnx
from export.verify import EXACT, QUANTIZED, ExportedGenerator, multiply_adds, verify
from mnistgen._files import whole_file
from mnistgen._model import EDITOR, ENCODER, MODEL, ModelCard
from training.config import to_json
from training.model import Model

LIBRARIES = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy")
TORCHSCRIPT = "model.torchscript.pt"


class Export(NamedTuple):
    """The files of a model directory, in memory."""

    card: ModelCard
    files: dict[str, bytes]  # all others, by name

    def write(self, out: Path, *, torchscript: bool = True) -> None:
        """Write the files into a folder. Replaces existing files only after all new ones are written."""
        out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for name, content in self.files.items():
                if torchscript or name != TORCHSCRIPT:
                    stack.enter_context(whole_file(out / name)).write(content)
        self.card.write(out)


def in_float32(model: Model) -> Model:
    """The same model without quantization, to measure the loss from quantization."""
    return replace(model, preset=replace(model.preset, quantization=None))


def build(model: Model, out: Path, ir_version: int = IR_VERSION) -> ModelCard:
    """Write the files of the model directory into `out`, replacing existing files. Returns the card.

    Raises ExportError as `convert` does, before writing anything.
    """
    export = convert(model, ir_version)
    export.write(out)
    return export.card


def convert(model: Model, ir_version: int = IR_VERSION) -> Export:
    """Convert and verify a model. All graphs declare `ir_version`, the version of the ONNX file format.

    Raises ExportError unless PyTorch, TorchScript and onnxruntime agree, for weights that are not finite in float16,
    and for quantization of a generator that does not end in a sigmoid.
    """
    preset, classes, data = model.preset, model.generator.classes, model.data
    own = data["name"] != "mnist"  # a user's own model
    generator = ExportedGenerator(model.generator, clip=preset.quantization is None)
    fields: dict[str, Any] = {
        "name": f"{data['name']}-{preset.name}" if own else preset.name,
        "summary": f"{preset.name} trained on {data['images']:,} images of {data['name']}" if own else preset.summary,
        "classes": tuple(data["classes"]) if classes else None,
        "latent_dim": preset.latent_dim,
        "prior": "N(0, 1)",
        "preset": to_json(preset),
        "data": dict(data),
        "steps": model.steps,
        "seed": preset.seed,
        "parameters": sum(parameter.numel() for parameter in model.generator.parameters()),
        "multiply_adds": multiply_adds(generator, *generator.inputs(1)),
        "licence": (data["licence"] or "unknown") if own else "MIT",
        "versions": {name: version(name) for name in LIBRARIES},
    }
    metadata = {key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()}
    converted = to_onnx(generator, preset.quantization, ir_version)
    helper.set_model_props(converted, metadata)
    graph, script = converted.SerializeToString(), to_torchscript(generator)
    tolerance = QUANTIZED if preset.quantization else EXACT
    fields["parity"] = {"tolerance": tolerance._asdict(), "difference": verify(generator, graph, script, tolerance)}
    files = {MODEL: graph, TORCHSCRIPT: script.save_to_buffer()}
    if classes and (editor := fit_attributes(graph, preset.latent_dim, classes, ir_version)):
        files[EDITOR], fields["attributes"] = editor
    if model.encoder:
        files[ENCODER], fields["encoder"] = convert_encoder(model.encoder, ir_version)
    return Export(ModelCard(**fields, sha256=hashlib.sha256(graph).hexdigest()), files)


def to_torchscript(generator: ExportedGenerator) -> torch.jit.ScriptModule:
    """A TorchScript module with the signature of `ExportedGenerator.forward`, for any N."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        script: torch.jit.ScriptModule = torch.jit.trace(generator, tuple(generator.inputs(2)))
    return script
