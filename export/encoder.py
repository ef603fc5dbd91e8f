"""encoder.onnx: the encoder of a generator, converted and verified."""

from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from export.errors import ExportError
from export.to_onnx import MIN_IR_VERSION, export_module, halve_weights
from export.wrapper import multiply_adds
from mnistgen._encoder import IMAGES, LABEL_LOGITS, LATENTS
from mnistgen._runtime import import_onnxruntime

TOLERANCE = 1e-3  # of latents and logits: sums in another order
BATCHES = (1, 7, 256)


class ExportedEncoder(nn.Module):
    """An encoder with the signature of exported ones and weights rounded to float16 precision, in place."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.network = encoder.eval()
        for parameter in self.network.parameters():
            parameter.requires_grad_(False).copy_(parameter.half().float())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 28, 28), 0 to 1, ink 1 -> latents (N, D) and label logits (N, 10). All float32."""
        latents, logits = self.network(images.unsqueeze(1))
        return latents, logits


class ConvertedEncoder(NamedTuple):
    """An encoder's graph, and what the card says of it."""

    graph: bytes
    card: dict[str, Any]


def convert_encoder(network: nn.Module, ir_version: int = MIN_IR_VERSION) -> ConvertedEncoder:
    """Convert an encoder to ONNX with weights in 16 bits.

    Raises ExportError unless PyTorch and onnxruntime agree, and for weights that are not finite.
    """
    encoder = ExportedEncoder(network)
    model = export_module(encoder, (torch.rand(2, 28, 28),), [IMAGES], [LATENTS, LABEL_LOGITS], ir_version)
    halve_weights(model.graph)
    onnx.checker.check_model(model, full_check=True)
    graph = model.SerializeToString()
    session = import_onnxruntime().InferenceSession(graph, providers=["CPUExecutionProvider"])
    differences = []
    for count in BATCHES:
        images = torch.rand(count, 28, 28, generator=torch.Generator().manual_seed(count))
        with torch.no_grad():
            expected = encoder(images)
        found = session.run([LATENTS, LABEL_LOGITS], {IMAGES: images.numpy()})
        for want, got in zip(expected, found, strict=True):
            differences.append(float((want - torch.from_numpy(got)).abs().max()))
    difference = float(np.max(differences))
    if not difference <= TOLERANCE:  # fails for NaN, too
        raise ExportError(
            f"the encoder: onnxruntime and PyTorch differ by {difference:.2e}; expected at most {TOLERANCE}"
        )
    return ConvertedEncoder(
        graph,
        {
            "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
            "multiply_adds": multiply_adds(encoder, torch.rand(1, 28, 28)),
            "parity": {"tolerance": TOLERANCE, "difference": difference},
        },
    )
