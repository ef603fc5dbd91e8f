"""Export: the exported models match PyTorch, or nothing is written."""

import dataclasses
import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
import torch
from torch import nn

import export.to_onnx
import export.to_torchscript
import mnistgen
from export import build as building
from export.build import Export, build, in_float32, load_generator
from export.errors import ExportError
from export.verify import QUANTIZED, Tolerance, _check
from export.wrapper import ExportedGenerator, multiply_adds
from mnistgen._latents import draw
from tests.conftest import contents
from tests.training.conftest import RunScript
from tests.training.small import ROOT, SMALL
from training.config import Encoder, Network, Preset, Quantization, to_json
from training.networks import build_encoder, build_generator
from training.networks.inputs import cyclic_labels, fixed_inputs
from training.presets import PRESETS
from training.run import checkpoint as checkpoints
from training.run.checkpoint import Checkpoint, Header, generator_checkpoint


def untrained(preset: Preset) -> Checkpoint:
    """The checkpoint of an untrained generator with random batch-norm statistics."""
    torch.manual_seed(0)
    generator = build_generator(preset.network, preset.latent_dim)
    for layer in generator.layers:
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean = torch.empty_like(layer.weight.detach()).uniform_(-1, 1)
            layer.running_var = torch.empty_like(layer.weight.detach()).uniform_(0.1, 3)
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.uniform_(layer.bias, -1, 1)
    header = Header(
        preset=preset,
        steps=tuple(range(12, 12 + len(preset.stages))),
        seconds=1.0,
        data_sha256="ab",
        device="cpu",
        precision="float32",
        threads=1,
    )
    last = preset.stages[-1]
    encoder = build_encoder(last.network, preset.latent_dim) if isinstance(last, Encoder) else None
    return generator_checkpoint(generator, header, encoder)


@pytest.mark.parametrize("preset", SMALL.values(), ids=SMALL)
def test_presets_export_and_match_pytorch(preset: Preset, tmp_path: Path) -> None:
    checkpoint = untrained(dataclasses.replace(preset, quantization=None))
    card = build(checkpoint, tmp_path)
    files = {"card.json", "model.onnx", "model.torchscript.pt"}
    files |= {"attributes.onnx", "encoder.onnx"} if card.conditional else set()
    assert {path.name for path in tmp_path.iterdir()} == files
    generator = mnistgen.Generator(tmp_path)
    assert generator.card == card
    original = build_generator(preset.network, preset.latent_dim)
    original.load_state_dict(checkpoint.part("generator"))
    assert (card.name, card.seed, card.conditional) == (preset.name, preset.seed, original.conditional)
    assert card.steps == sum(range(12, 12 + len(preset.stages)))
    assert card.parameters == sum(value.numel() for value in original.parameters())

    inputs = fixed_inputs(original, 1, cyclic_labels(50))
    with torch.no_grad():
        low, high = original.image_range
        expected = ((original.eval()(*inputs).squeeze(1) - low) / (high - low) * 255).numpy()
    decoded = generator.decode(*(value.numpy() for value in inputs))
    assert np.abs(decoded - expected).max() < 3  # grey levels; the weights are rounded to half precision


def test_graph_operators_weights_and_metadata(tmp_path: Path) -> None:
    card = build(untrained(SMALL["conv"]), tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    operators = {node.op_type for node in model.graph.node}
    assert "BatchNormalization" not in operators
    assert {onnx.TensorProto.DataType.Name(weight.data_type) for weight in model.graph.initializer} >= {"FLOAT16"}
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    fields = card.to_dict()
    assert metadata == {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in json.loads(json.dumps(fields)).items()
        if key not in ("sha256", "attributes", "encoder", "parity", "quality")
    }
    assert str(ROOT).encode() not in (tmp_path / "model.onnx").read_bytes()


def test_ir_version_option(tmp_path: Path, run_script: RunScript) -> None:
    checkpoints.write(path := tmp_path / "small.safetensors", untrained(SMALL["mlp"]))
    outcome = run_script("export/export.py", path, "--out", tmp_path / "chosen", "--ir-version", 10)
    assert outcome.code == 0, outcome.err
    assert onnx.load(tmp_path / "chosen" / "model.onnx").ir_version == 10
    outcome = run_script("export/export.py", path, "--out", tmp_path / "refused", "--ir-version", 7)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert outcome.err.startswith("export.py: --ir-version: expected 8 to ")
    assert outcome.err.endswith(", got 7\n")
    assert not (tmp_path / "refused").exists()


def test_torchscript_has_same_signature_and_images(tmp_path: Path) -> None:
    build(untrained(SMALL["mlp"]), tmp_path)
    with pytest.warns(FutureWarning, match=r"torch\.jit\.load"):  # TorchScript is deprecated
        script = torch.jit.load(tmp_path / "model.torchscript.pt")
    latents, _ = draw(1, 0, 9, 100)
    images = script(torch.from_numpy(latents))
    assert (tuple(images.shape), images.dtype) == ((9, 28, 28), torch.float32)
    decoded = mnistgen.Generator(tmp_path).decode(latents)
    assert np.abs(images.numpy() * 255 - decoded).max() < 1


def test_multiply_adds_of_an_mlp(tmp_path: Path) -> None:
    generator = load_generator(untrained(PRESETS["mlp"]))
    assert multiply_adds(generator, *generator.inputs(1)) == 100 * 256 + 256 * 512 + 512 * 1024 + 1024 * 784


class TestQuantized:
    @pytest.fixture
    def preset(self) -> Preset:
        return dataclasses.replace(SMALL["digits"], quantization=Quantization(calibration=700))

    def test_weights_are_int8_and_images_close_to_float32(self, preset: Preset, tmp_path: Path) -> None:
        card = build(untrained(preset), tmp_path)
        model = onnx.load(tmp_path / "model.onnx")
        kinds = {onnx.TensorProto.DataType.Name(weight.data_type) for weight in model.graph.initializer if weight.dims}
        assert {"INT8"} <= kinds <= {"INT8", "INT32", "FLOAT", "INT64"}
        floats = [weight for weight in model.graph.initializer if weight.data_type == onnx.TensorProto.FLOAT]
        assert all(len(weight.dims) < 2 for weight in floats)  # only scales, no matrices
        assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
        assert {entry.key for entry in model.metadata_props} >= {"name", "preset"}
        assert card.parity is not None
        assert 1e-5 < card.parity["difference"]["largest"] <= card.parity["tolerance"]["largest"]
        exact = build(in_float32(untrained(preset)), tmp_path / "exact")
        assert exact.parity is not None
        assert exact.parity["difference"]["largest"] <= exact.parity["tolerance"]["largest"] == 1e-5
        first, second = (
            mnistgen.generate(500, seed=1, model=path).astype(int) for path in (tmp_path, tmp_path / "exact")
        )
        assert np.abs(first - second).mean() < 255 * card.parity["tolerance"]["mean"]

    def test_tolerance_ignores_a_small_share_of_pixels(self) -> None:
        expected = torch.zeros(256, 1, 28, 28)
        images = expected.clone()
        images[0, :, :5] = 0.9
        assert _check("onnxruntime", expected, images, QUANTIZED)["largest"] == 0
        with pytest.raises(ExportError, match=r"differ by 9\.00e-01 \(largest in 99\.9% of the pixels\)"):
            _check("onnxruntime", expected[:100], images[:100], QUANTIZED)

    def test_float32_option_omits_quantization(self, preset: Preset, tmp_path: Path, run_script: RunScript) -> None:
        checkpoints.write(path := tmp_path / "small.safetensors", untrained(preset))
        assert run_script("export/export.py", path, "--out", tmp_path / "float32", "--float32").code == 0
        assert mnistgen.card(tmp_path / "float32").preset == to_json(preset) | {"quantization": None}

    def test_images_do_not_depend_on_batch_size(self, preset: Preset, tmp_path: Path) -> None:
        build(untrained(preset), tmp_path)
        expected = mnistgen.Generator(tmp_path, threads=2).sample(70, seed=1)
        single = mnistgen.Generator(tmp_path, threads=1)
        parts = [single.sample(7, seed=1, start=start) for start in range(0, 70, 7)]
        assert np.array_equal(np.concatenate(parts), expected)

    def test_raises_without_final_sigmoid(self, tmp_path: Path) -> None:
        preset = dataclasses.replace(SMALL["mlp"], quantization=Quantization())
        with pytest.raises(ExportError, match="quantization: expected a sigmoid after the last linear layer, got Tanh"):
            build(untrained(preset), tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_raises_beyond_tolerance(self, preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(building, "QUANTIZED", Tolerance(share=1.0, largest=1.0, mean=1e-7))
        with pytest.raises(ExportError, match=r"onnxruntime and PyTorch differ by .* \(mean\)"):
            build(untrained(preset), tmp_path)
        assert list(tmp_path.iterdir()) == []


class TestErrors:
    def test_onnx_differs_from_pytorch(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        to_onnx = export.to_onnx.to_onnx

        def tampered(generator: ExportedGenerator, *rest: Any) -> onnx.ModelProto:
            model = to_onnx(generator, *rest)
            for weight in model.graph.initializer:
                if weight.data_type == onnx.TensorProto.FLOAT16:
                    values = onnx.numpy_helper.to_array(weight) * np.float16(1.01)
                    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
            return model

        monkeypatch.setattr(building, "to_onnx", tampered)
        with pytest.raises(ExportError, match="onnxruntime and PyTorch differ by"):
            build(untrained(SMALL["mlp"]), tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_torchscript_differs_from_pytorch(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        other = load_generator(untrained(SMALL["mlp-relu"]))
        to_torchscript = export.to_torchscript.to_torchscript
        monkeypatch.setattr(building, "to_torchscript", lambda generator: to_torchscript(other))
        with pytest.raises(ExportError, match="TorchScript and PyTorch differ by"):
            build(untrained(SMALL["mlp"]), tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_weights_of_another_preset(self, tmp_path: Path) -> None:
        checkpoint = untrained(SMALL["mlp"])
        header = dataclasses.replace(checkpoint.header, preset=PRESETS["mlp"])
        with pytest.raises(ExportError, match="the weights do not fit preset mlp"):
            build(Checkpoint(header, checkpoint.tensors), tmp_path)

    def test_images_of_wrong_size(self, tmp_path: Path) -> None:
        options = SMALL["conv"].network.options | {"layers": [[16, 7, 1, 0], [8, 4, 2, 1], [1, 4, 4, 0]]}
        with pytest.raises(ExportError, match=r"expected images \(2, 28, 28\) for two latents, got \(8, 28, 28\)"):
            build(untrained(dataclasses.replace(SMALL["conv"], network=Network("conv", options))), tmp_path)

    @pytest.mark.parametrize("source", ["nothing", "README.md"])
    def test_script_reports_errors_in_one_line(
        self, source: str, tmp_path: Path, run_script: RunScript, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(ROOT)
        outcome = run_script("export/export.py", source, "--out", tmp_path / "out")
        assert outcome.code == 1
        assert outcome.err.startswith(f"export.py: {source}: ")
        assert outcome.err.count("\n") == 1
        assert not (tmp_path / "out").exists()


class TestFiles:
    def test_writes_nothing_before_verification(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def found(*parts: object) -> dict[str, float]:
            assert list(tmp_path.iterdir()) == []  # nor temporary files, which a kill would leave behind
            return {"largest": 0.0, "mean": 0.0}

        monkeypatch.setattr(building, "verify", found)
        build(untrained(SMALL["mlp"]), tmp_path / "out")
        assert len(list((tmp_path / "out").iterdir())) == 3

    @pytest.mark.parametrize("call", [1, 2, 3, 4])
    def test_full_disk_keeps_existing_files(self, call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        card, names = mnistgen.card("mlp"), ("model.onnx", "encoder.onnx", "attributes.onnx")
        Export(card, dict.fromkeys(names, b"before")).write(tmp_path)
        before = contents(tmp_path)
        sync, calls = os.fsync, []

        def full(descriptor: int) -> None:
            calls.append(descriptor)
            if len(calls) == call:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(mnistgen.OutputError, match="No space left"):
            Export(card, dict.fromkeys(names, b"after")).write(tmp_path)
        assert contents(tmp_path) == before
