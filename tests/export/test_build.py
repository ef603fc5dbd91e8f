"""Model directories: complete, equal to the PyTorch model, or not written at all."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

import mnistgen
from export import ExportError
from export import build as building
from export.build import Export, build
from export.export import main
from export.to_onnx import quantize
from export.verify import QUANTIZED, ExportedGenerator, compare, multiply_adds
from mnistgen._latents import draw
from tests.conftest import contents
from tests.export.conftest import LATENT_DIM, LETTERS, SMALL, Exported, untrained
from training.config import to_json
from training.networks import build_generator
from training.networks.generator import cyclic_labels, fixed_inputs, to_images
from training.presets import PRESETS

ROOT = Path(__file__).resolve().parents[2]
FILES = {"card.json", "model.onnx", "model.torchscript.pt"}


def shapes(path: Path) -> dict[str, tuple[str | int, ...]]:
    """The shapes of a graph's inputs and outputs."""
    graph = onnx.load(path).graph
    return {
        value.name: tuple(size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim)
        for value in (*graph.input, *graph.output)
    }


def kinds(path: Path) -> set[str]:
    """The data types of a graph's weights, apart from scalars."""
    return {TensorProto.DataType.Name(weight.data_type) for weight in onnx.load(path).graph.initializer if weight.dims}


@pytest.mark.parametrize("name", ["conditional", "conv"])
def test_images_are_those_of_the_pytorch_model(name: str, exported: Exported) -> None:
    model, generator = untrained(SMALL[name]), mnistgen.Generator(exported(name))
    inputs = fixed_inputs(model.generator, 1, cyclic_labels(50, 4))
    labels = np.arange(50) % 4 if name == "conditional" else None
    found = generator.decode(inputs.latents.numpy(), labels)
    assert np.abs(found.astype(int) - to_images(model.generator, inputs)).max() < 3  # weights rounded to float16


def test_conditional_model_has_classes_attributes_and_an_encoder(exported: Exported) -> None:
    folder = exported("conditional")
    assert {path.name for path in folder.iterdir()} == FILES | {"attributes.onnx", "encoder.onnx"}
    assert shapes(folder / "model.onnx") == {
        "latents": ("N", LATENT_DIM),
        "classes": ("N", 4),
        "images": ("N", 28, 28),
    }
    card, model = mnistgen.card(folder), untrained(SMALL["conditional"])
    assert (card.name, card.steps, card.classes, card.data) == ("letters-digits", 12, LETTERS, model.data)
    assert card.parameters == sum(value.numel() for value in model.generator.parameters())


def test_unconditional_model(exported: Exported) -> None:
    folder = exported("conv")
    assert {path.name for path in folder.iterdir()} == FILES
    assert shapes(folder / "model.onnx") == {"latents": ("N", LATENT_DIM), "images": ("N", 28, 28)}
    assert mnistgen.card(folder).classes is None


def test_graph(exported: Exported) -> None:
    path = exported("conv") / "model.onnx"
    model = onnx.load(path)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert model.ir_version == helper.find_min_ir_version_for(model.opset_import)
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert "FLOAT16" in kinds(path)
    assert str(ROOT).encode() not in path.read_bytes()
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert (metadata["name"], metadata["latent_dim"]) == ("letters-conv", "6")
    assert json.loads(metadata["preset"]) == to_json(SMALL["conv"])


def test_torchscript_has_same_signature_and_images(exported: Exported) -> None:
    with pytest.warns(FutureWarning, match=r"torch\.jit\.load"):  # TorchScript is deprecated
        script = torch.jit.load(exported("conv") / "model.torchscript.pt")
    latents, _ = draw(1, 0, 9, LATENT_DIM)
    images = script(torch.from_numpy(latents))
    assert (tuple(images.shape), images.dtype) == ((9, 28, 28), torch.float32)
    assert np.abs(images.numpy() * 255 - mnistgen.Generator(exported("conv")).decode(latents)).max() < 1


def test_multiply_adds_of_an_mlp() -> None:
    generator = ExportedGenerator(build_generator(PRESETS["mlp"].network, 100, 0))
    assert multiply_adds(generator, *generator.inputs(1)) == 100 * 256 + 256 * 512 + 512 * 1024 + 1024 * 784


class TestQuantized:
    def test_weights_are_int8_and_images_grey_levels(self, exported: Exported) -> None:
        path = exported("quantized") / "model.onnx"
        assert {"INT8"} <= kinds(path) <= {"INT8", "INT32", "FLOAT", "INT64"}
        assert onnx.load(path).graph.output[0].type.tensor_type.elem_type == TensorProto.UINT8
        parity = mnistgen.card(path.parent).parity
        assert parity
        assert 1e-5 < parity["difference"]["largest"] <= parity["tolerance"]["largest"] == 0.3

    def test_float32_and_ir_version_options(
        self, exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        untrained(SMALL["quantized"]).save(path := tmp_path / "small.safetensors")
        main(str(path), out := tmp_path / "out", float32=True, ir_version=10)
        assert f"--model {out}" in capsys.readouterr().out
        assert onnx.load(out / "model.onnx").ir_version == 10
        assert mnistgen.card(out).preset == to_json(SMALL["quantized"]) | {"quantization": None}
        first, second = (
            mnistgen.generate(500, seed=1, model=each).astype(int) for each in (exported("quantized"), out)
        )
        assert 0 < np.abs(first - second).mean() < 255 * 0.01

    def test_tolerance_ignores_a_small_share_of_pixels(self) -> None:
        images = np.zeros((256, 28, 28), np.float32)
        images[0, :5] = 0.9
        assert compare("onnxruntime", images, torch.zeros(256, 28, 28), QUANTIZED)["largest"] == 0
        with pytest.raises(ExportError, match=r"onnxruntime and PyTorch differ by 9\.00e-01 \(largest\)"):
            compare("onnxruntime", images[:100], torch.zeros(100, 28, 28), QUANTIZED)

    def test_a_generator_without_sigmoid(self) -> None:
        generator = ExportedGenerator(untrained(SMALL["conv"]).generator)
        with pytest.raises(ExportError, match="expected a generator that ends in a sigmoid, got Tanh"):
            quantize(onnx.ModelProto(), generator, 10)


class TestNothingIsWritten:
    @pytest.fixture(autouse=True)
    def check(self, tmp_path: Path) -> Iterator[None]:
        yield
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("graph", "script", "which"), [("quantized", "conv", "onnx"), ("conv", "quantized", "Torch")]
    )
    def test_if_images_differ(
        self, graph: str, script: str, which: str, exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        traced = building.to_torchscript(ExportedGenerator(untrained(SMALL[script]).generator))
        monkeypatch.setattr(building, "to_onnx", lambda *_: onnx.load(exported(graph) / "model.onnx"))
        monkeypatch.setattr(building, "to_torchscript", lambda _: traced)
        with pytest.raises(ExportError, match=rf"{which}\w+ and PyTorch differ by .* expected at most 1e-05"):
            build(untrained(SMALL["conv"]), tmp_path)

    def test_for_weights_beyond_float16(self, tmp_path: Path) -> None:
        model = untrained(SMALL["conv"])
        with torch.no_grad():
            next(model.generator.parameters())[0, 0] = 1e6
        with pytest.raises(ExportError, match=r"layers\.0\.weight: expected finite weights in the range of float16"):
            build(model, tmp_path)

    def test_for_an_unknown_name(self, tmp_path: Path) -> None:
        message = r"nothing: neither a name in training/weights \(conv, dcgan, digits, .*\) nor a model file"
        with pytest.raises(ExportError, match=message):
            main("nothing", tmp_path / "out")

    def test_for_an_old_ir_version(self, tmp_path: Path) -> None:
        with pytest.raises(ExportError, match=r"--ir-version: expected 8 to \d+, got 7"):
            main("mlp", tmp_path / "out", ir_version=7)


def test_script_runs_from_any_directory(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "export" / "export.py"), "--help"]
    assert "NAME|FILE" in subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout


def test_a_failed_write_keeps_existing_files(tmp_path: Path) -> None:
    card = mnistgen.card("mlp")
    Export(card, {"model.onnx": b"before"}).write(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(mnistgen.OutputError, match="cannot be written"):
        Export(dataclasses.replace(card, seed=2), {"model.onnx": b"after", "missing/encoder.onnx": b""}).write(tmp_path)
    assert contents(tmp_path) == before
