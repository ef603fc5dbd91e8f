"""Inference sessions: model validation, devices, telemetry and conflicting installations."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import mnistgen
from mnistgen import _session as session
from mnistgen._files import read_file
from mnistgen._installation import installation_conflict
from tests.conftest import CPU, CUDA, install, small_model, stand_in_for_onnxruntime, write_model


def load_error(directory: Path) -> str:
    with pytest.raises(mnistgen.ModelError) as error:
        mnistgen.Generator(directory)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(str(directory / "model.onnx"))
    return message


class TestGraph:
    def test_wrong_inputs(self, tmp_path: Path) -> None:
        def rename(model: onnx.ModelProto) -> None:
            model.graph.input[0].name = model.graph.node[0].input[0] = "z"

        message = load_error(write_model(tmp_path, conditional=False, edit=rename))
        assert message.endswith("expected inputs latents float32 (N, 10), got z float32 (N, 10)")

    def test_latent_dimension_differs_from_card(self, tmp_path: Path) -> None:
        message = load_error(write_model(tmp_path, conditional=False, latent_dim=100))
        assert message.endswith("expected inputs latents float32 (N, 100), got latents float32 (N, 10)")

    def test_conditional_only_in_card(self, tmp_path: Path) -> None:
        directory = write_model(tmp_path, conditional=False)
        card = (directory / "card.json").read_text()
        (directory / "card.json").write_text(card.replace('"conditional": false', '"conditional": true'))
        message = load_error(directory)
        assert message.endswith(
            "expected inputs latents float32 (N, 10), classes float32 (N, 10), got latents float32 (N, 10)"
        )

    def test_wrong_outputs(self, tmp_path: Path) -> None:
        def rename(model: onnx.ModelProto) -> None:
            model.graph.output[0].name = model.graph.node[-1].output[0] = "x"

        message = load_error(write_model(tmp_path, conditional=False, edit=rename))
        assert message.endswith("expected outputs images float32 or uint8 (N, 28, 28), got x float32 (N, 28, 28)")

    def test_fixed_batch_size(self, tmp_path: Path) -> None:
        def fix(model: onnx.ModelProto) -> None:
            model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4

        assert "got latents float32 (4, 10)" in load_error(write_model(tmp_path, conditional=False, edit=fix))

    def test_unsupported_operator(self, tmp_path: Path) -> None:
        def exchange(model: onnx.ModelProto) -> None:
            model.graph.node[0].op_type = "Conjure"

        assert "Conjure" in load_error(write_model(tmp_path, conditional=False, edit=exchange))

    @pytest.mark.parametrize("content", [b"", b"not a model at all", b"\x89PNG\r\n\x1a\n" * 20])
    def test_not_an_onnx_file(self, tmp_path: Path, content: bytes) -> None:
        write_model(tmp_path, sha256=hashlib.sha256(content).hexdigest())
        (tmp_path / "model.onnx").write_bytes(content)
        assert "onnxruntime cannot load it" in load_error(tmp_path)

    def test_truncated_file_with_matching_card(self, tmp_path: Path) -> None:
        whole = (write_model(tmp_path) / "model.onnx").read_bytes()
        half = whole[: len(whole) // 2]
        write_model(tmp_path, sha256=hashlib.sha256(half).hexdigest())
        (tmp_path / "model.onnx").write_bytes(half)
        assert "onnxruntime cannot load it" in load_error(tmp_path)

    @pytest.mark.parametrize("shape", [[3, 28, 28], [1, -1, 28, 28]])
    def test_output_differs_from_declared_shape(self, tmp_path: Path, shape: list[int]) -> None:
        def reshape(model: onnx.ModelProto) -> None:
            constant = next(weight for weight in model.graph.initializer if weight.name == "shape")
            constant.CopyFrom(numpy_helper.from_array(np.array(shape, np.int64), "shape"))
            del model.graph.value_info[:]

        write_model(tmp_path, conditional=False, edit=reshape)
        with pytest.raises(mnistgen.ModelError) as error:
            mnistgen.Generator(tmp_path).sample(5)
        assert str(error.value).startswith(f"{tmp_path / 'model.onnx'}: ")
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_nan_pixels(self, tmp_path: Path, value: float) -> None:
        def spoil(model: onnx.ModelProto) -> None:
            weights = np.zeros((10, 784), np.float32)
            weights[0, 300] = value
            model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "weights"))
            model.graph.node[1].op_type = "Identity"  # the sigmoid

        write_model(tmp_path, conditional=False, edit=spoil)
        with pytest.raises(mnistgen.ModelError, match="expected pixels from 0 to 1, got NaN or infinite values"):
            mnistgen.Generator(tmp_path).sample(5, seed=1)

    def test_runs_the_verified_bytes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def read_and_replace(path: Path, limit: int) -> bytes:
            content = read_file(path, limit)
            path.write_bytes(b"another model")
            return content

        write_model(tmp_path)
        monkeypatch.setattr("mnistgen._catalog.read_file", read_and_replace)
        assert mnistgen.Generator(tmp_path).sample(2).shape == (2, 28, 28)

    def test_ort_format(self, tmp_path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.optimized_model_filepath = str(tmp_path / "own.ort")
        onnxruntime.InferenceSession(write_model(tmp_path) / "model.onnx", options)
        own = (tmp_path / "own.ort").read_bytes()
        (tmp_path / "model.onnx").write_bytes(own)
        write_card_of(tmp_path, own)
        assert "onnxruntime cannot load it" in load_error(tmp_path)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
    def test_fifo(self, tmp_path: Path) -> None:
        (write_model(tmp_path) / "model.onnx").unlink()
        os.mkfifo(tmp_path / "model.onnx")
        assert load_error(tmp_path).endswith("cannot be read (not a regular file)")


def write_card_of(directory: Path, graph: bytes) -> None:
    """Write a model directory with this graph, and a card with its SHA-256."""
    write_model(directory, sha256=hashlib.sha256(graph).hexdigest())
    (directory / "model.onnx").write_bytes(graph)


def field(number: int, content: bytes, length: bytes = b"") -> bytes:
    """A field of a protobuf message, optionally with a non-minimal encoding of its length."""
    size = len(content)
    shortest = b""
    while size > 127:
        shortest, size = shortest + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + (length or shortest + bytes([size])) + content


def external(name: str, location: str) -> TensorProto:
    """A tensor of the weights' shape with external data."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[10, 784], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def as_initializer(model: onnx.ModelProto, location: str) -> None:
    model.graph.initializer[0].CopyFrom(external("weights", location))


def as_sparse_initializer(model: onnx.ModelProto, location: str) -> None:
    sparse = model.graph.sparse_initializer.add(dims=[10, 784])
    sparse.values.CopyFrom(external("weights", location))
    sparse.values.dims[:] = [7840]
    sparse.indices.CopyFrom(numpy_helper.from_array(np.arange(7840)))
    del model.graph.initializer[0]


def as_constant(model: onnx.ModelProto, location: str) -> None:
    model.graph.node.insert(0, helper.make_node("Constant", [], ["weights"], value=external("", location)))
    del model.graph.initializer[0]


def in_a_subgraph(model: onnx.ModelProto, location: str) -> None:
    output = helper.make_tensor_value_info("chosen", TensorProto.FLOAT, [10, 784])
    node = helper.make_node("Identity", ["inner"], ["chosen"])
    branch = helper.make_graph([node], "branch", [], [output], [external("inner", location)])
    choice = helper.make_node("If", ["yes"], ["weights"], then_branch=branch, else_branch=branch)
    model.graph.node.insert(0, choice)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array(True), "yes"))


def in_a_function(model: onnx.ModelProto, location: str) -> None:
    constant = helper.make_node("Constant", [], ["out"], value=external("", location))
    operators = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("own", "Weights", [], ["out"], [constant], operators))
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.graph.node.insert(0, helper.make_node("Weights", [], ["weights"], domain="own"))
    del model.graph.initializer[0]


PLACES = (as_initializer, as_sparse_initializer, as_constant, in_a_subgraph, in_a_function)


class TestExternalData:
    """External data is not covered by the card's SHA-256, and old versions of onnxruntime read any file."""

    @pytest.mark.parametrize("location", ["beside.bin", "../outside.bin", "absolute", "link.bin", "*/_ORT_MEM_ADDR_/*"])
    @pytest.mark.parametrize("place", PLACES)
    def test_is_rejected_anywhere(
        self, tmp_path: Path, place: Callable[[onnx.ModelProto, str], None], location: str
    ) -> None:
        directory = tmp_path / "model"
        directory.mkdir()
        for path in (tmp_path / "outside.bin", directory / "beside.bin"):
            path.write_bytes(bytes(4 * 7840))
        (directory / "link.bin").symlink_to(tmp_path / "outside.bin")
        named = str(tmp_path / "outside.bin") if location == "absolute" else location
        write_model(directory, conditional=False, edit=lambda model: place(model, named))
        assert load_error(directory).endswith("got external data; save the model as one file")

    @pytest.mark.parametrize("place", PLACES)
    def test_would_otherwise_be_read(self, tmp_path: Path, place: Callable[[onnx.ModelProto, str], None]) -> None:
        """The graphs above are valid: without the check, onnxruntime runs them."""
        (tmp_path / "beside.bin").write_bytes(bytes(4 * 7840))
        write_model(tmp_path, conditional=False, edit=lambda model: place(model, "beside.bin"))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # for 1.27
        opened = onnxruntime.InferenceSession(tmp_path / "model.onnx", options)
        assert opened.run(None, {"latents": np.ones((2, 10), np.float32)})[0].shape == (2, 28, 28)

    @pytest.mark.parametrize("length", [b"\x08", b"\x88\x00", b"\x88\x80\x00"])
    def test_with_unusual_key_encoding(self, tmp_path: Path, length: bytes) -> None:
        tensor = external("weights", "")
        del tensor.external_data[:]
        entry = field(1, b"location", length) + field(2, b"beside.bin")
        (tmp_path / "beside.bin").write_bytes(bytes(4 * 7840))
        model = small_model(conditional=False)
        del model.graph.initializer[0]
        graph = model.SerializeToString() + field(7, field(5, tensor.SerializeToString() + field(13, entry)))
        write_card_of(tmp_path, graph)
        assert onnxruntime.InferenceSession(tmp_path / "model.onnx")  # reads it
        assert "external data" in load_error(tmp_path)


class TestDevice:
    """Devices, with a fake onnxruntime."""

    def test_auto_uses_cuda_if_available(self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CUDA, CPU], ends_on=CUDA)
        assert mnistgen.Generator(unconditional_model).device == "cuda"
        assert mnistgen.Generator(unconditional_model, device="cuda").device == "cuda"
        assert mnistgen.Generator(unconditional_model, device="cpu").device == "cpu"

    def test_silent_fallback_to_cpu(self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CUDA, CPU], ends_on=CPU)
        assert mnistgen.Generator(unconditional_model).device == "cpu"
        with pytest.raises(mnistgen.DeviceError, match=r"fell back to the CPU.*pip"):
            mnistgen.Generator(unconditional_model, device="cuda")

    def test_build_without_cuda(self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CPU], ends_on=CPU)
        assert mnistgen.Generator(unconditional_model).device == "cpu"
        with pytest.raises(mnistgen.DeviceError, match=r"built without CUDA.*onnxruntime-gpu"):
            mnistgen.Generator(unconditional_model, device="cuda")

    def test_missing_cuda_libraries_are_not_printed(
        self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CUDA, CPU], ends_on=CPU)
        mnistgen.Generator(unconditional_model)
        assert capsys.readouterr().out == ""

    def test_unknown_device(self, unconditional_model: Path) -> None:
        with pytest.raises(mnistgen.InputError, match="device: expected one of auto, cpu, cuda, got 'tpu'"):
            mnistgen.Generator(unconditional_model, device="tpu")  # type: ignore[arg-type]


class TestInstallation:
    def test_conflicting_onnxruntime_packages(
        self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path, tmp_path: Path
    ) -> None:
        install(tmp_path, monkeypatch, "onnxruntime-gpu")
        fix = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime"
        with pytest.warns(RuntimeWarning, match=fix):
            mnistgen.Generator(unconditional_model, device="cpu")
        with pytest.raises(mnistgen.DeviceError, match=fix), pytest.warns(RuntimeWarning, match=fix):
            mnistgen.Generator(unconditional_model, device="cuda")

    def test_single_onnxruntime_package(self) -> None:
        assert installation_conflict() is None

    def test_missing_onnxruntime(self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path) -> None:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)  # makes its import fail
        with pytest.raises(
            mnistgen.DeviceError, match=r"cannot be imported.*pip install --force-reinstall onnxruntime"
        ):
            mnistgen.Generator(unconditional_model)


SAMPLE = "import mnistgen, sys, os; mnistgen.generate(2, seed=1, model=sys.argv[1])"


@pytest.mark.parametrize(("chosen", "expected"), [(None, "1"), ("0", "0")])
def test_telemetry_is_disabled_by_default(
    unconditional_model: Path, tmp_path: Path, chosen: str | None, expected: str
) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    environment |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    if chosen:
        environment["ORT_DISABLE_TELEMETRY"] = chosen
    script = f"{SAMPLE}; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    command = [sys.executable, "-B", "-c", script, str(unconditional_model)]
    result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert result.stdout.strip() == expected
    assert result.stderr == ""
    if chosen is None:
        assert list(tmp_path.rglob("*")) == []


def test_sampling_with_read_only_home(unconditional_model: Path) -> None:
    environment = os.environ | {"HOME": "/proc/nowhere"}
    subprocess.run([sys.executable, "-B", "-c", SAMPLE, str(unconditional_model)], env=environment, check=True)


def test_only_session_imports_onnxruntime() -> None:
    for path in Path(session.__file__).parent.rglob("*.py"):
        if path.name != "session.py":
            assert "import onnxruntime" not in path.read_text(), path
