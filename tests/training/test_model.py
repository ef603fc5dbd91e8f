"""Model files, and the device that models are trained on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from training.config import Network
from training.device import choose
from training.errors import CheckpointError, TrainingError
from training.model import Model, load_model
from training.networks import build_encoder, build_generator
from training.presets import PRESETS


@pytest.fixture
def model() -> Model:
    """An untrained small model of three classes, with an encoder."""
    network, encoder = PRESETS["digits"].network, PRESETS["digits"].encoder
    assert encoder
    encoder = replace(encoder, network=Network("residual", {"channels": [4, 8], "hidden": 8}))
    network = Network("mlp", network.options | {"widths": [16, 16]})
    preset = replace(PRESETS["digits"], network=network, latent_dim=6, encoder=encoder)
    data = {"name": "shapes", "images": 600, "sha256": "ab", "classes": ["cup", "hat", "key"], "licence": None}
    generator = build_generator(network, 6, 3).eval()
    return Model(preset, generator, build_encoder(encoder.network, 6, 3), data, steps=7, seconds=1.5)


def test_saved_model_is_read_back(model: Model, tmp_path: Path) -> None:
    model.save(path := tmp_path / "new" / "model.safetensors")
    read = load_model(path)
    assert (read.preset, read.data, read.steps, read.seconds) == (model.preset, model.data, 7, 1.5)
    for before, after in ((model.generator, read.generator), (model.encoder, read.encoder)):
        assert isinstance(before, nn.Module)
        assert isinstance(after, nn.Module)
        assert not after.training
        for value, expected in zip(after.parameters(), before.parameters(), strict=True):
            assert torch.equal(value, expected.half().float() if expected.ndim > 1 else expected)


def test_model_draws_each_class_as_its_quantized_export(model: Model) -> None:
    images, exact = model.draw(), replace(model, preset=replace(model.preset, quantization=None)).draw()
    assert images.shape == (100, 28, 28)
    assert np.array_equal(images, model.draw(np.arange(100) % 3))
    assert 0 < abs(images.astype(int) - exact).mean() < 5


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        load_model(path)
    assert str(error.value).startswith(f"{path}: not a model of this version of mnistgen (")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_weights_that_do_not_fit_the_metadata(model: Model, tmp_path: Path) -> None:
    path, preset = tmp_path / "model.safetensors", model.preset
    for changed, reason in (
        (replace(model, data={"classes": ["cup", "hat"]}), "size mismatch for layers.0.weight"),
        (replace(model, data={}), "'classes'"),
        (
            replace(model, preset=replace(preset, network=Network("mlp", {}))),
            "missing 4 required keyword-only arguments",
        ),
        (replace(model, preset=replace(preset, network=Network("mpl", {}))), "'mpl'"),
    ):
        changed.save(path)
        assert reason in refused(path)
    save_file({"weight": torch.ones(3)}, path)
    assert "'preset'" in refused(path)


@pytest.mark.parametrize("content", [b"", b"no model", b"{}" * 50, (2**63).to_bytes(8, "little") * 4])
def test_damaged_and_missing_files(content: bytes, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match=r"model\.safetensors: no such file$"):
        load_model(path)
    model.save(path)
    for damaged in (content, path.read_bytes()[: -1 - len(content)]):
        path.write_bytes(damaged)
        refused(path)


def test_unavailable_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TrainingError, match=r"^device cuda: torch finds no CUDA device; check `nvidia-smi`, or "):
        choose("cuda")
    assert choose("auto").device.type == "cpu"
