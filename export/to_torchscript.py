"""An exported generator as TorchScript."""

import warnings

import torch

from export.wrapper import ExportedGenerator


def to_torchscript(generator: ExportedGenerator) -> torch.jit.ScriptModule:
    """The same signature as the ONNX graph: latents (N, D), maybe classes (N, 10) -> images (N, 28, 28), any N."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch keeps TorchScript but no longer advises it
        module = torch.jit.trace(generator, tuple(generator.inputs(2)))
        frozen: torch.jit.ScriptModule = torch.jit.freeze(module)
        return frozen
