"""encoder.onnx: its contract, its size and what is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.encoder import convert_encoder
from export.errors import ExportError
from mnistgen._model import MODELS
from mnistgen._runtime import import_onnxruntime
from training.networks.residual import ResidualEncoder


def small_encoder() -> ResidualEncoder:
    torch.manual_seed(0)
    return ResidualEncoder(latent_dim=6, channels=[4, 8], hidden=16)


def test_contract() -> None:
    encoder = small_encoder()
    converted = convert_encoder(encoder)
    graph = onnx.load_model_from_string(converted.graph).graph
    assert [value.name for value in graph.input] == ["images"]
    assert [value.name for value in graph.output] == ["latents", "label_logits"]
    images = torch.rand(5, 28, 28)
    session = import_onnxruntime().InferenceSession(converted.graph, providers=["CPUExecutionProvider"])
    found = session.run(None, {"images": images.numpy()})
    with torch.no_grad():
        expected = encoder(images[:, None])
    for got, want in zip(found, expected, strict=True):
        assert np.allclose(got, want.numpy(), atol=1e-4)
    assert [values.shape for values in found] == [(5, 6), (5, 10)]
    assert converted.card["parameters"] == sum(value.numel() for value in encoder.parameters())


def test_weights_that_are_not_finite() -> None:
    encoder = small_encoder()
    with torch.no_grad():
        encoder.latents.weight[0, 0] = 1e6  # infinite in 16 bits
    with pytest.raises(ExportError, match="the encoder: onnxruntime and PyTorch differ by nan"):
        convert_encoder(encoder)


def test_bundled_encoder_is_small() -> None:
    paths = list(Path(str(MODELS)).glob("*/encoder.onnx"))
    assert [path.parent.name for path in paths] == ["digits"]
    assert paths[0].stat().st_size <= 1_000_000
