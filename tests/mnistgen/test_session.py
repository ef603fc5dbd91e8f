"""The engine: contract checks, devices, telemetry, installations that clash."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from onnx import TensorProto

import mnistgen
from mnistgen import session
from mnistgen.installation import installation_conflict
from tests.conftest import CPU, CUDA, install, stand_in_for_onnxruntime, write_model


def load_error(directory: Path) -> str:
    with pytest.raises(mnistgen.ModelError) as error:
        mnistgen.Generator(directory)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(str(directory / "model.onnx"))
    return message


class TestGraph:
    def test_other_inputs(self, tmp_path: Path) -> None:
        def rename(model: onnx.ModelProto) -> None:
            model.graph.input[0].name = model.graph.node[0].input[0] = "z"

        message = load_error(write_model(tmp_path, conditional=False, edit=rename))
        assert message.endswith("expected inputs latents float32 (N, 10), got z float32 (N, 10)")

    def test_another_latent_dimension_than_the_card(self, tmp_path: Path) -> None:
        message = load_error(write_model(tmp_path, conditional=False, latent_dim=100))
        assert message.endswith("expected inputs latents float32 (N, 100), got latents float32 (N, 10)")

    def test_conditional_on_the_card_alone(self, tmp_path: Path) -> None:
        directory = write_model(tmp_path, conditional=False)
        card = (directory / "card.json").read_text()
        (directory / "card.json").write_text(card.replace('"conditional": false', '"conditional": true'))
        message = load_error(directory)
        assert message.endswith(
            "expected inputs latents float32 (N, 10), classes float32 (N, 10), got latents float32 (N, 10)"
        )

    def test_other_outputs(self, tmp_path: Path) -> None:
        def rename(model: onnx.ModelProto) -> None:
            model.graph.output[0].name = model.graph.node[-1].output[0] = "x"

        message = load_error(write_model(tmp_path, conditional=False, edit=rename))
        assert message.endswith("expected outputs images float32 or uint8 (N, 28, 28), got x float32 (N, 28, 28)")

    def test_a_fixed_batch(self, tmp_path: Path) -> None:
        def fix(model: onnx.ModelProto) -> None:
            model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4

        assert "got latents float32 (4, 10)" in load_error(write_model(tmp_path, conditional=False, edit=fix))

    def test_an_operator_that_onnxruntime_lacks(self, tmp_path: Path) -> None:
        def exchange(model: onnx.ModelProto) -> None:
            model.graph.node[0].op_type = "Conjure"

        assert "Conjure" in load_error(write_model(tmp_path, conditional=False, edit=exchange))

    @pytest.mark.parametrize("content", [b"", b"not a model at all", b"\x89PNG\r\n\x1a\n" * 20])
    def test_a_foreign_file(self, tmp_path: Path, content: bytes) -> None:
        write_model(tmp_path, sha256=hashlib.sha256(content).hexdigest())
        (tmp_path / "model.onnx").write_bytes(content)
        assert "onnxruntime cannot load it" in load_error(tmp_path)

    def test_a_truncated_file_with_a_matching_card(self, tmp_path: Path) -> None:
        whole = (write_model(tmp_path) / "model.onnx").read_bytes()
        half = whole[: len(whole) // 2]
        write_model(tmp_path, sha256=hashlib.sha256(half).hexdigest())
        (tmp_path / "model.onnx").write_bytes(half)
        assert "onnxruntime cannot load it" in load_error(tmp_path)

    @pytest.mark.parametrize("location", ["../outside.bin", "/etc/hostname"])
    def test_external_data_outside_the_directory(self, tmp_path: Path, location: str) -> None:
        (tmp_path / "outside.bin").write_bytes(bytes(40_000))

        def move_out(model: onnx.ModelProto) -> None:
            weight = model.graph.initializer[0]
            weight.ClearField("raw_data")
            weight.data_location = TensorProto.EXTERNAL
            weight.external_data.add(key="location", value=location)

        assert "onnxruntime cannot load it" in load_error(
            write_model(tmp_path / "model", conditional=False, edit=move_out)
        )

    @pytest.mark.parametrize("shape", [[3, 28, 28], [1, -1, 28, 28]])
    def test_a_graph_that_breaks_its_promise_when_it_runs(self, tmp_path: Path, shape: list[int]) -> None:
        def reshape(model: onnx.ModelProto) -> None:
            constant = next(weight for weight in model.graph.initializer if weight.name == "shape")
            constant.CopyFrom(onnx.numpy_helper.from_array(np.array(shape, np.int64), "shape"))
            del model.graph.value_info[:]

        write_model(tmp_path, conditional=False, edit=reshape)
        with pytest.raises(mnistgen.ModelError) as error:
            mnistgen.Generator(tmp_path).sample(5)
        assert str(error.value).startswith(f"{tmp_path / 'model.onnx'}: ")
        assert "\n" not in str(error.value)


class TestDevice:
    """A stand-in for onnxruntime plays the machines that tests do not run on."""

    def test_auto_takes_cuda_where_it_works(self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CUDA, CPU], ends_on=CUDA)
        assert mnistgen.Generator(unconditional_model).device == "cuda"
        assert mnistgen.Generator(unconditional_model, device="cuda").device == "cuda"
        assert mnistgen.Generator(unconditional_model, device="cpu").device == "cpu"

    def test_a_silent_fallback_is_not_cuda(self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CUDA, CPU], ends_on=CPU)
        assert mnistgen.Generator(unconditional_model).device == "cpu"
        with pytest.raises(mnistgen.DeviceError, match=r"fell back to the CPU.*pip"):
            mnistgen.Generator(unconditional_model, device="cuda")

    def test_without_cuda_in_the_build(self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CPU], ends_on=CPU)
        assert mnistgen.Generator(unconditional_model).device == "cpu"
        with pytest.raises(mnistgen.DeviceError, match=r"built without CUDA.*onnxruntime-gpu"):
            mnistgen.Generator(unconditional_model, device="cuda")

    def test_what_onnxruntime_misses_of_cuda_is_not_printed(
        self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CUDA, CPU], ends_on=CPU)
        mnistgen.Generator(unconditional_model)
        assert capsys.readouterr().out == ""

    def test_an_unknown_device(self, unconditional_model: Path) -> None:
        with pytest.raises(mnistgen.InputError, match="device: expected one of auto, cpu, cuda, got 'tpu'"):
            mnistgen.Generator(unconditional_model, device="tpu")


class TestInstallation:
    def test_both_onnxruntimes_are_named_with_the_mend(
        self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path, tmp_path: Path
    ) -> None:
        install(tmp_path, monkeypatch, "onnxruntime-gpu")
        mend = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime"
        with pytest.warns(RuntimeWarning, match=mend):
            mnistgen.Generator(unconditional_model, device="cpu")
        with pytest.raises(mnistgen.DeviceError, match=mend), pytest.warns(RuntimeWarning, match=mend):
            mnistgen.Generator(unconditional_model, device="cuda")

    def test_one_is_fine(self) -> None:
        assert installation_conflict() is None

    def test_a_missing_onnxruntime(self, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path) -> None:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)  # makes its import fail
        with pytest.raises(
            mnistgen.DeviceError, match=r"cannot be imported.*pip install --force-reinstall onnxruntime"
        ):
            mnistgen.Generator(unconditional_model)


SAMPLE = "import mnistgen, sys, os; mnistgen.generate(2, seed=1, model=sys.argv[1])"


@pytest.mark.parametrize(("chosen", "expected"), [(None, "1"), ("0", "0")])
def test_telemetry_is_off_unless_the_user_set_it(
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


def test_sampling_works_with_a_home_that_cannot_be_written(unconditional_model: Path) -> None:
    environment = os.environ | {"HOME": "/proc/nowhere"}
    subprocess.run([sys.executable, "-B", "-c", SAMPLE, str(unconditional_model)], env=environment, check=True)


def test_nothing_but_session_imports_onnxruntime() -> None:
    for path in Path(session.__file__).parent.rglob("*.py"):
        if path.name != "session.py":
            assert "import onnxruntime" not in path.read_text(), path
