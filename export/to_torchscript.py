"""An exported generator as TorchScript."""

import io
import warnings

import torch

from export.wrapper import ExportedGenerator


def to_torchscript(generator: ExportedGenerator) -> bytes:
    """A file with the ONNX graph's signature: latents (N, D), maybe classes (N, 10) -> images (N, 28, 28), any N."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch keeps TorchScript but no longer advises it
        module = torch.jit.trace(generator, tuple(generator.inputs(2)))
        torch.jit.save(torch.jit.freeze(module), file := io.BytesIO())
        return file.getvalue()
