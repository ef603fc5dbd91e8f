"""Build a model directory from a generator file, atomically."""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch

from export.attributes import fit_attributes
from export.encoder import convert_encoder
from export.errors import ExportError
from export.to_onnx import MIN_IR_VERSION, to_onnx
from export.to_torchscript import to_torchscript
from export.verify import EXACT, QUANTIZED, verify
from export.wrapper import ExportedGenerator, multiply_adds
from mnistgen._files import whole_file
from mnistgen._model import EDITOR, ENCODER, MODEL, SCHEMA, ModelCard
from training.config import to_json
from training.errors import TrainingError
from training.run.checkpoint import Checkpoint, encoder_of, generator_of
from training.run.outline import MISMATCH_ERRORS, exception_message

LIBRARIES = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy")
LICENCE = "MIT"
TORCHSCRIPT = "model.torchscript.pt"


def load_generator(checkpoint: Checkpoint) -> ExportedGenerator:
    """The generator of a checkpoint, with the signature of exported models.

    Raises ExportError if the weights do not fit the preset or exceed the range of float16, or the images are not 28x28.
    """
    try:
        generator = ExportedGenerator(generator_of(checkpoint))
        with torch.no_grad():
            images = generator(*generator.inputs(2))
    except TrainingError as error:
        raise ExportError(str(error)) from None
    except MISMATCH_ERRORS as error:
        raise ExportError(f"the generator does not work: {exception_message(error)}") from None
    if images.shape != (2, 28, 28):
        raise ExportError(f"expected images (2, 28, 28) for two latents, got {tuple(images.shape)}")
    if not all(value.isfinite().all() for value in (images, *generator.parameters())):
        raise ExportError("the weights: expected finite values in the range of float16, got larger ones or NaN")
    return generator


def in_float32(checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint without quantization, to measure the loss from quantization."""
    header = replace(checkpoint.header, preset=replace(checkpoint.header.preset, quantization=None))
    return Checkpoint(header, checkpoint.tensors)


class Export(NamedTuple):
    """The files of a model directory, in memory."""

    card: ModelCard
    files: Mapping[str, bytes]  # all others, by name

    def write(self, out: Path, *, torchscript: bool = True) -> None:
        """Write the files into a folder. Replaces existing files only after all new ones are on disk."""
        out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for name, content in self.files.items():
                if name == TORCHSCRIPT and not torchscript:
                    continue
                file = stack.enter_context(whole_file(out / name))
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self.card.write(out)


def build(checkpoint: Checkpoint, out: Path, ir_version: int = MIN_IR_VERSION) -> ModelCard:
    """Write the files of the model directory into `out`, replacing existing files. Returns the card.

    Raises ExportError, before writing anything, unless PyTorch, TorchScript and onnxruntime agree.
    """
    export = convert(checkpoint, ir_version)
    export.write(out)
    return export.card


def convert(checkpoint: Checkpoint, ir_version: int = MIN_IR_VERSION) -> Export:
    """Convert and verify a checkpoint. All graphs declare `ir_version`, the version of the ONNX file format.

    Raises ExportError unless PyTorch, TorchScript and onnxruntime agree.
    """
    header = checkpoint.header
    preset = header.preset
    generator = load_generator(checkpoint)
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "name": preset.name,
        "summary": preset.summary,
        "conditional": generator.conditional,
        "latent_dim": preset.latent_dim,
        "prior": "N(0, 1)",
        "preset": to_json(preset),
        "data": {"name": "MNIST training images", "sha256": header.data_sha256},
        "steps": sum(header.steps),
        "seed": preset.seed,
        "parameters": generator.trained_parameters,
        "multiply_adds": multiply_adds(generator, *generator.inputs(1)),
        "licence": LICENCE,
        "versions": {name: version(name) for name in LIBRARIES},
    }
    metadata = {key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()}
    graph = to_onnx(generator, metadata, preset.quantization, ir_version).SerializeToString()
    torchscript = to_torchscript(generator)
    tolerance = QUANTIZED if preset.quantization else EXACT
    difference = verify(generator, graph, torchscript, tolerance)
    parity = {"tolerance": asdict(tolerance), "difference": difference}
    files = {MODEL: graph, TORCHSCRIPT: torchscript}
    editor = fit_attributes(graph, preset.latent_dim, ir_version) if generator.conditional else None
    if editor:
        files[EDITOR] = editor.graph
        fields["attributes"] = {"sha256": hashlib.sha256(editor.graph).hexdigest()} | editor.card
    if network := encoder_of(checkpoint):
        encoder = convert_encoder(network, ir_version)
        files[ENCODER] = encoder.graph
        fields["encoder"] = {"sha256": hashlib.sha256(encoder.graph).hexdigest()} | encoder.card
    return Export(ModelCard(**fields, sha256=hashlib.sha256(graph).hexdigest(), parity=parity), files)
