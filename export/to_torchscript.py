"""An exported generator as TorchScript."""

import warnings

import torch
from torch import nn


def to_torchscript(generator: nn.Module, latent_dim: int) -> torch.jit.ScriptModule:
    """The same signature as the ONNX graph: latents (N, D) -> images (N, 28, 28), any N."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch keeps TorchScript but no longer advises it
        module = torch.jit.trace(generator, (torch.zeros(2, latent_dim),))
        frozen: torch.jit.ScriptModule = torch.jit.freeze(module)
        return frozen
