"""Inference sessions: model validation, devices, usable CPUs, telemetry and conflicting installations."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import mnistgen
from mnistgen._runtime import usable_cpus
from tests.conftest import CPU, CUDA, install, small_model, stand_in_for_onnxruntime, write_model

Edit = Callable[[onnx.ModelProto], None]


def load_error(directory: Path) -> str:
    with pytest.raises(mnistgen.ModelError) as error:
        mnistgen.Generator(directory)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{directory / 'model.onnx'}: ")
    return message


def write_graph(directory: Path, graph: bytes) -> Path:
    """Write a model directory with this graph, and a card with its SHA-256."""
    write_model(directory, conditional=False, sha256=hashlib.sha256(graph).hexdigest())
    (directory / "model.onnx").write_bytes(graph)
    return directory


def replace_constant(model: onnx.ModelProto, name: str, value: object) -> None:
    constant = next(weight for weight in model.graph.initializer if weight.name == name)
    constant.CopyFrom(numpy_helper.from_array(np.asarray(value), name))


def rename_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = model.graph.node[0].input[0] = "z"


def rename_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = model.graph.node[-1].output[0] = "x"


class TestGraph:
    @pytest.mark.parametrize(
        ("edit", "fields", "found"),
        [
            (None, {"latent_dim": 100}, "got inputs {'latents': 10, 'classes': 10}"),
            (None, {"classes": None}, "got inputs {'latents': 10, 'classes': 10}"),
            (rename_input, {}, "got inputs {'z': 10, 'classes': 10}"),
            (rename_output, {}, "and outputs ['x']"),
        ],
    )
    def test_inputs_and_outputs_are_those_of_the_card(
        self, tmp_path: Path, edit: Edit | None, fields: dict[str, Any], found: str
    ) -> None:
        write_model(tmp_path, edit=edit)
        card = json.loads((tmp_path / "card.json").read_text())
        (tmp_path / "card.json").write_text(json.dumps(card | fields))
        assert found in load_error(tmp_path)

    def test_other_files(self, tmp_path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.optimized_model_filepath = str(tmp_path / "own.ort")
        onnxruntime.InferenceSession(write_model(tmp_path) / "model.onnx", options)
        whole = small_model(conditional=False).SerializeToString()
        for content in (b"", whole[: len(whole) // 2], (tmp_path / "own.ort").read_bytes()):
            assert "onnxruntime cannot load it" in load_error(write_graph(tmp_path / "model", content))

    @pytest.mark.parametrize("shape", [[3, 28, 28], [1, -1, 28, 28]])
    def test_output_differs_from_declared_shape(self, tmp_path: Path, shape: list[int]) -> None:
        model = write_model(tmp_path, conditional=False, edit=lambda model: replace_constant(model, "shape", shape))
        with pytest.raises(mnistgen.ModelError) as error:
            mnistgen.Generator(model).sample(5)
        assert str(error.value).startswith(f"{tmp_path / 'model.onnx'}: ")
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_nan_pixels(self, tmp_path: Path, value: float) -> None:
        def spoil(model: onnx.ModelProto) -> None:
            weights = np.zeros((10, 784), np.float32)
            weights[0, 300] = value
            replace_constant(model, "weights", weights)
            model.graph.node[1].op_type = "Identity"  # the sigmoid

        write_model(tmp_path, conditional=False, edit=spoil)
        with pytest.raises(mnistgen.ModelError, match="expected finite images, got NaN or infinite values"):
            mnistgen.Generator(tmp_path).sample(5, seed=1)


def external(name: str) -> TensorProto:
    """A tensor of the weights' shape with external data."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[10, 784], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="beside.bin")
    return tensor


def as_initializer(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].CopyFrom(external("weights"))


def in_a_subgraph(model: onnx.ModelProto) -> None:
    output = helper.make_tensor_value_info("chosen", TensorProto.FLOAT, [10, 784])
    node = helper.make_node("Identity", ["inner"], ["chosen"])
    branch = helper.make_graph([node], "branch", [], [output], [external("inner")])
    choice = helper.make_node("If", ["yes"], ["weights"], then_branch=branch, else_branch=branch)
    model.graph.node.insert(0, choice)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array(True), "yes"))


class TestExternalData:
    """External data is not covered by the card's SHA-256, and old versions of onnxruntime read any file."""

    @pytest.mark.parametrize("place", [as_initializer, in_a_subgraph])
    def test_is_refused_anywhere(self, tmp_path: Path, place: Edit) -> None:
        (tmp_path / "beside.bin").write_bytes(bytes(4 * 7840))
        write_model(tmp_path, conditional=False, edit=place)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # for 1.27
        opened = onnxruntime.InferenceSession(tmp_path / "model.onnx", options)  # which would read it
        assert opened.run(None, {"latents": np.ones((2, 10), np.float32)})[0].shape == (2, 28, 28)
        assert load_error(tmp_path).endswith("got external data; save the model as one file")


class TestDevice:
    """Devices, with a stand-in for onnxruntime."""

    def test_auto_uses_cuda_if_available(self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CUDA, CPU], ends_on=CUDA)
        assert mnistgen.Generator(unconditional_model).device == "cuda"
        assert mnistgen.Generator(unconditional_model, device="cuda").device == "cuda"
        assert mnistgen.Generator(unconditional_model, device="cpu").device == "cpu"

    @pytest.mark.parametrize(
        ("available", "reason"),
        [([CUDA, CPU], r"fell back to the CPU.*pip"), ([CPU], r"built without CUDA.*onnxruntime-gpu.*device=\"cpu\"")],
    )
    def test_without_cuda(
        self,
        monkeypatch: pytest.MonkeyPatch,
        unconditional_model: Path,
        capsys: pytest.CaptureFixture[str],
        available: list[str],
        reason: str,
    ) -> None:
        stand_in_for_onnxruntime(monkeypatch, available, ends_on=CPU)
        assert mnistgen.Generator(unconditional_model).device == "cpu"
        with pytest.raises(mnistgen.DeviceError, match=reason):
            mnistgen.Generator(unconditional_model, device="cuda")
        assert capsys.readouterr().out == ""  # onnxruntime prints missing libraries


class TestInstallation:
    def test_conflicting_onnxruntime_packages(
        self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path, tmp_path: Path
    ) -> None:
        install(tmp_path, monkeypatch, "onnxruntime-gpu")
        fix = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime"
        with pytest.warns(RuntimeWarning, match=fix):
            mnistgen.Generator(unconditional_model, device="cpu")
        cuda_fix = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install .onnxruntime-gpu"
        with pytest.raises(mnistgen.DeviceError, match=cuda_fix), pytest.warns(RuntimeWarning, match=fix):
            mnistgen.Generator(unconditional_model, device="cuda")

    def test_onnxruntime_gpu_alone(
        self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path, tmp_path: Path
    ) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CUDA, CPU], ends_on=CUDA)
        install(tmp_path, monkeypatch, "onnxruntime-gpu")
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        (tmp_path / "onnxruntime").mkdir()  # the package, which has the same name in both distributions
        mnistgen.Generator(unconditional_model)  # without a warning

    def test_missing_onnxruntime(self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path) -> None:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)  # makes its import fail
        with pytest.raises(
            mnistgen.DeviceError, match=r"cannot be imported.*pip install --force-reinstall onnxruntime"
        ):
            mnistgen.Generator(unconditional_model)


@pytest.mark.parametrize(("chosen", "expected"), [({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")])
def test_telemetry_is_disabled_by_default(
    unconditional_model: Path, tmp_path: Path, chosen: dict[str, str], expected: str
) -> None:
    ours = ("XDG_", "ORT_DISABLE_TELEMETRY")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    environment |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), **chosen}
    script = """
import mnistgen, sys, os
mnistgen.generate(2, model=sys.argv[1])
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""
    command = [sys.executable, "-B", "-c", script, str(unconditional_model)]
    result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == (expected, "")
    assert chosen or list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("quota", "expected"),
    [(None, 8), ("max 100000\n", 8), ("250000 100000\n", 2), ("1000 100000\n", 1)],
)
def test_usable_cpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str | None, expected: int) -> None:
    """As allowed by affinity and by the quota of a container."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    if quota:
        (tmp_path / "cpu.max").write_text(quota)
    assert usable_cpus(tmp_path / "cpu.max") == expected
