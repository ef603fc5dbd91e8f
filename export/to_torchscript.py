"""Conversion to TorchScript."""

import io
import warnings

import torch

from export.wrapper import ExportedGenerator


def to_torchscript(generator: ExportedGenerator) -> bytes:
    """The bytes of a TorchScript file with the signature of `ExportedGenerator.forward`, for any N."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        module = torch.jit.trace(generator, tuple(generator.inputs(2)))
        torch.jit.save(torch.jit.freeze(module), file := io.BytesIO())
        return file.getvalue()
