"""A checkpoint becomes a model directory, whole or not at all."""

import hashlib
import json
import tempfile
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx

from export.errors import ExportError
from export.to_onnx import to_onnx
from export.to_torchscript import to_torchscript
from export.verify import EXACT, QUANTISED, verify
from export.wrapper import ExportedGenerator, count_multiply_adds
from mnistgen.card import SCHEMA, ModelCard
from training.checkpoint import Checkpoint, generator_of
from training.errors import CheckpointError
from training.preset import to_json

LIBRARIES = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy")
LICENCE = "MIT"
FILES = ("model.torchscript.pt", "model.onnx", "card.json")  # in the order that they are replaced


def load_generator(checkpoint: Checkpoint) -> ExportedGenerator:
    """The generator of a checkpoint behind the contract's signature. Raises ExportError where weights do not fit."""
    try:
        return ExportedGenerator(generator_of(checkpoint))
    except CheckpointError as error:
        raise ExportError(str(error)) from None


def in_float32(checkpoint: Checkpoint) -> Checkpoint:
    """The same generator, to be exported in float32: what quantisation costs is measured against it."""
    return replace(
        checkpoint, header=replace(checkpoint.header, preset=replace(checkpoint.header.preset, quantisation=None))
    )


def build(checkpoint: Checkpoint, out: Path) -> ModelCard:
    """Write model.onnx, model.torchscript.pt and card.json into `out`, replacing those that are there.

    Raises ExportError, with nothing written, unless PyTorch, TorchScript and onnxruntime agree.
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
        "members": generator.members,
        "prior": "N(0, 1)",
        "preset": to_json(preset),
        "data": {"name": "MNIST training images", "sha256": header.data_sha256},
        "steps": header.step,
        "seed": preset.seed,
        "parameters": generator.trained_parameters,
        "multiply_adds": count_multiply_adds(generator),
        "licence": LICENCE,
        "versions": {name: version(name) for name in LIBRARIES},
    }
    metadata = {key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
        fresh = Path(folder)
        onnx.save(to_onnx(generator, metadata, preset.quantisation), fresh / "model.onnx")
        to_torchscript(generator).save(fresh / "model.torchscript.pt")
        tolerance = QUANTISED if preset.quantisation else EXACT
        difference = verify(generator, fresh, tolerance)
        parity = {"tolerance": asdict(tolerance), "difference": difference}
        sha256 = hashlib.sha256((fresh / "model.onnx").read_bytes()).hexdigest()
        card = ModelCard(**fields, sha256=sha256, parity=parity)
        card.write(fresh)
        out.mkdir(exist_ok=True)
        for name in FILES:
            (fresh / name).replace(out / name)
    return card
