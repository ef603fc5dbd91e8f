"""What is found on machines that are sound, and on those that are not."""

import ctypes
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import mnistgen
from mnistgen import _catalog as catalog
from mnistgen import _doctor as doctor
from mnistgen import _trial as trial
from mnistgen._doctor import Finding, Findings, examine
from mnistgen._trial import examine_model
from tests.conftest import CPU, CUDA, RunCli, assert_refused, install, stand_in_for_onnxruntime, write_model

Row = dict[str, str | None]


def rows(run_cli: RunCli, code: int) -> dict[str, Row]:
    """The findings of `mnistgen doctor --json`, by name, once the table has been seen to say the same."""
    shown, data = run_cli("doctor"), run_cli("doctor", "--json")
    assert (shown.code, data.code, shown.err, data.err) == (code, code, "", "")
    findings: list[Row] = json.loads(data.out)
    lines = iter(shown.out.splitlines())
    for finding in findings:
        name = str(finding["name"])
        line = next(lines)
        assert line.startswith(f"{name} ")
        assert line[len(name) :].split(maxsplit=1) == [finding["status"], finding["found"]]
        if finding["fix"]:
            assert next(lines).strip() == f"-> {finding['fix']}"
    wrong = sum(finding["status"] == "wrong" for finding in findings)
    assert list(lines) == ["", f"{wrong or 'nothing'} wrong"]
    assert bool(wrong) == (code == 1)
    assert len({finding["name"] for finding in findings}) == len(findings)
    return {str(finding["name"]): finding for finding in findings}


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundled models in the place of ours: small ones, `digits` and `other`."""
    folder = tmp_path / "models"
    for name in (catalog.DEFAULT_MODEL, "other"):
        write_model(folder / name, conditional=False)
    monkeypatch.setattr(catalog, "MODELS", folder)
    return folder


def damage(model: Path) -> None:
    path = model / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"?")


class TestSound:
    def test_versions_and_what_is_in_use(self, run_cli: RunCli) -> None:
        found = rows(run_cli, 0)
        assert found["python"]["found"] == f"{platform.python_version()}, {sys.executable}"
        assert str(found["mnistgen"]["found"]).startswith(f"{mnistgen.__version__}, ")
        for name in ("numpy", "pillow", "typer", "onnxruntime"):
            assert found[name] == {
                "name": name,
                "status": "ok",
                "found": importlib.metadata.version(name),
                "fix": None,
            }
        assert CPU in str(found["providers"]["found"])
        assert found["cpu"]["found"] == "runs digits"
        assert [name for name in found if name.startswith("model ")] == [f"model {name}" for name in mnistgen.models()]
        assert "ORT_DISABLE_TELEMETRY=1" in str(found["telemetry"]["found"])

    def test_telemetry_that_the_user_wants(
        self, run_cli: RunCli, bundled: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
        telemetry = rows(run_cli, 0)["telemetry"]
        assert telemetry["status"] == "note"
        assert telemetry["found"] == "onnxruntime's telemetry is left as you set it (ORT_DISABLE_TELEMETRY=0)"

    @pytest.mark.parametrize(("usable", "status"), [(1, "note"), (8, "ok")])
    def test_cpus(
        self, run_cli: RunCli, bundled: Path, monkeypatch: pytest.MonkeyPatch, usable: int, status: str
    ) -> None:
        monkeypatch.setattr(doctor, "usable_cpus", lambda: usable)
        monkeypatch.setattr(os, "cpu_count", lambda: 8)
        threads = rows(run_cli, 0)["threads"]
        assert threads["status"] == status
        assert str(threads["found"]).startswith(f"{usable} by default: {usable} of 8 CPUs are usable")


class TestModels:
    def test_a_damaged_one(self, run_cli: RunCli, bundled: Path) -> None:
        damage(bundled / "other")
        found = rows(run_cli, 1)
        assert found["model other"]["status"] == "wrong"
        assert "model.onnx: expected SHA-256 " in str(found["model other"]["found"])
        assert str(found["model other"]["fix"]).endswith("pip install --force-reinstall --no-deps mnistgen")
        assert [name for name, row in found.items() if row["status"] == "wrong"] == ["model other"]

    def test_the_default_one_damaged_is_not_the_fault_of_the_cpu(self, run_cli: RunCli, bundled: Path) -> None:
        damage(bundled / "digits")
        found = rows(run_cli, 1)
        assert [name for name, row in found.items() if row["status"] == "wrong"] == ["model digits"]
        assert found["devices"]["found"] == "not checked: digits is damaged, see below"

    def test_without_a_card_that_can_be_read(self, run_cli: RunCli, bundled: Path) -> None:
        (bundled / "other" / "card.json").write_text("{")
        assert "cannot be read as JSON" in str(rows(run_cli, 1)["model other"]["found"])

    def test_none(self, run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(catalog, "MODELS", tmp_path)
        assert rows(run_cli, 1)["models"]["found"] == "none is bundled"


class TestInstallation:
    def test_both_onnxruntimes(
        self, run_cli: RunCli, bundled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install(tmp_path, monkeypatch, "onnxruntime-gpu")
        packages = rows(run_cli, 1)["packages"]
        assert packages["status"] == "wrong"
        assert str(packages["found"]).startswith("onnxruntime and onnxruntime-gpu are both installed")
        assert "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime" in str(packages["fix"])

    def test_a_missing_onnxruntime(self, run_cli: RunCli, bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)  # makes its import fail
        found = rows(run_cli, 1)
        assert found["onnxruntime"]["status"] == "wrong"
        assert str(found["onnxruntime"]["found"]).startswith("onnxruntime cannot be imported (")
        assert found["onnxruntime"]["fix"] == "Install it: pip install --force-reinstall onnxruntime"
        assert "cpu" not in found  # which the same row explains
        assert found["model digits"]["status"] == "ok"

    def test_a_missing_pillow(self, run_cli: RunCli, bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "PIL", None)
        pillow = rows(run_cli, 1)["pillow"]
        assert (pillow["status"], pillow["fix"]) == ("wrong", "pip install --force-reinstall pillow")

    def test_an_onnxruntime_that_breaks_in_an_unforeseen_way(
        self, run_cli: RunCli, bundled: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace())  # half of it is gone
        found = rows(run_cli, 1)
        assert found["onnxruntime"]["status"] == found["devices"]["status"] == "wrong"
        assert "__version__" in str(found["onnxruntime"]["found"])
        assert found["telemetry"]["status"] == "ok"


def libraries(*present: str, gpus: int = 0, error: int = 0) -> Callable[[str], Any]:
    """A stand-in for ctypes.CDLL: what can be loaded, the driver with its GPUs among it."""

    def load(name: str) -> Any:
        if name not in present:
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")

        def count(pointer: Any) -> int:
            pointer._obj.value = gpus
            return 0

        return SimpleNamespace(cuInit=lambda flags: error, cuDeviceGetCount=count)

    return load


DRIVER, TOOLKIT, CUDNN = "libcuda.so.1", ("libcudart.so.13", "libcublas.so.13"), "libcudnn.so.9"


@pytest.mark.skipif(sys.platform != "linux", reason="names of libraries are Linux's")
class TestCuda:
    @pytest.mark.parametrize(
        ("available", "ends_on", "load", "cuda", "fix", "auto"),
        [
            ([CPU], CPU, libraries(), "note", None, "cpu"),
            ([CPU], CPU, libraries(DRIVER, gpus=1), "note", "pip uninstall -y onnxruntime && pip install", "cpu"),
            ([CUDA, CPU], CPU, libraries(), "note", None, "cpu"),
            ([CUDA, CPU], CPU, libraries(DRIVER, gpus=2), "wrong", "onnxruntime-gpu[cuda,cudnn]", "cpu"),
            ([CUDA, CPU], CUDA, libraries(DRIVER, *TOOLKIT, CUDNN, gpus=1), "ok", None, "cuda"),
        ],
        ids=["no GPU", "a GPU unused", "no GPU for onnxruntime-gpu", "no CUDA for a GPU", "CUDA"],
    )
    def test_what_is_used_and_what_is_wrong(
        self,
        run_cli: RunCli,
        bundled: Path,
        monkeypatch: pytest.MonkeyPatch,
        available: list[str],
        ends_on: str,
        load: Callable[[str], Any],
        cuda: str,
        fix: str | None,
        auto: str,
    ) -> None:
        stand_in_for_onnxruntime(monkeypatch, available, ends_on)
        monkeypatch.setattr(ctypes, "CDLL", load)
        found = rows(run_cli, int(cuda == "wrong"))
        assert found["cuda"]["status"] == cuda
        assert (fix or "") in (found["cuda"]["fix"] or "")
        assert (found["cuda"]["fix"] is None) == (fix is None)
        assert found["auto"]["found"] == f"device auto selects {auto}"
        assert ("cuDNN" in found) == (CUDA in available)

    def test_which_libraries_are_missing(self, run_cli: RunCli, bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CUDA, CPU], ends_on=CPU)
        monkeypatch.setattr(ctypes, "CDLL", libraries(DRIVER, *TOOLKIT, gpus=1))
        found = rows(run_cli, 1)
        assert found["CUDA libraries"]["found"] == "libcudart.so.13, libcublas.so.13 found"
        assert found["cuDNN"]["status"] == "note"
        assert str(found["cuDNN"]["found"]).startswith("libcudnn.so.9: cannot open")
        assert found["gpu"]["found"] == "1 found by NVIDIA's driver"

    def test_a_driver_without_a_gpu(self, run_cli: RunCli, bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CPU], ends_on=CPU)
        monkeypatch.setattr(ctypes, "CDLL", libraries(DRIVER, error=100))
        gpu = rows(run_cli, 0)["gpu"]
        assert (gpu["status"], gpu["found"]) == ("note", "none found by NVIDIA's driver (CUDA error 100)")

    @pytest.mark.parametrize("gpus", [0, 1])
    def test_a_session_that_opens_but_does_not_run(
        self, run_cli: RunCli, bundled: Path, monkeypatch: pytest.MonkeyPatch, gpus: int
    ) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CUDA, CPU], ends_on=CUDA, run_error="cuDNN is missing")
        monkeypatch.setattr(ctypes, "CDLL", libraries(DRIVER, gpus=gpus))
        found = rows(run_cli, 1)
        assert found["cpu"]["status"] == found["cuda"]["status"] == "wrong"
        assert "onnxruntime cannot run it: cuDNN is missing" in str(found["cuda"]["found"])
        assert found["auto"]["found"] == "device auto selects cuda"  # which is what it would do


def test_findings_from_python(bundled: Path) -> None:
    findings = examine()
    assert not findings.wrong
    assert Findings([*findings, Finding("x", "wrong", "broken")]).wrong
    assert str(Findings([Finding("x", "wrong", "broken", "fix it"), Finding("long", "ok", "fine")])).splitlines() == [
        "x     wrong  broken",
        "             -> fix it",
        "long  ok     fine",
        "",
        "1 wrong",
    ]


def endless(model: onnx.ModelProto) -> None:
    """Let the latents go round a loop for ever."""
    scalar = partial(helper.make_tensor_value_info, shape=[])
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Sin", ["before"], ["after"])],
        "body",
        [scalar("turn", TensorProto.INT64), scalar("go", TensorProto.BOOL), matrix("before")],
        [scalar("goes", TensorProto.BOOL), matrix("after")],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(2**62), "turns"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node[0].input[0] = "turned"
    model.graph.node.insert(0, helper.make_node("Loop", ["turns", "yes", "latents"], ["turned"], body=body))


def enormous(model: onnx.ModelProto) -> None:
    """Add the largest of 100 GB to the latents."""
    model.graph.initializer.append(numpy_helper.from_array(np.array([25 * 10**9]), "many"))
    model.graph.node[0].input[0] = "moved"
    for place, node in enumerate(
        (
            helper.make_node("ConstantOfShape", ["many"], ["zeros"]),
            helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0),
            helper.make_node("Add", ["latents", "zero"], ["moved"]),
        )
    ):
        model.graph.node.insert(place, node)


def matrix(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


class TestTrial:
    """`doctor --model`: a model in a process of its own."""

    def test_a_sound_model(self, run_cli: RunCli, conditional_model: Path) -> None:
        outcome = run_cli("doctor", "--model", conditional_model, "--json")
        assert (outcome.code, outcome.err) == (0, "")
        findings = json.loads(outcome.out)
        assert [finding["name"] for finding in findings] == ["card", "opens", "draws"]
        assert {finding["status"] for finding in findings} == {"ok"}
        assert findings[2]["found"].startswith("100 digits generated, ")

    def test_one_that_never_ends(self, run_cli: RunCli, tmp_path: Path) -> None:
        model = write_model(tmp_path, conditional=False, edit=endless)
        outcome = run_cli("doctor", "--model", model, "--seconds", 1.5)
        assert (outcome.code, outcome.err) == (1, "")
        assert "wrong  not finished after 1.5 s\n" in outcome.out
        assert "-> Do not use it: outside this check, no limits apply\n" in outcome.out

    @pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
    def test_one_that_takes_all_memory(self, tmp_path: Path) -> None:
        *_, last = examine_model(write_model(tmp_path, conditional=False, edit=enormous), memory=2**31)
        assert last.status == "wrong"
        assert "Failed to allocate memory for requested buffer of size 100000000000" in last.found

    def test_one_that_kills_its_process(self, monkeypatch: pytest.MonkeyPatch, conditional_model: Path) -> None:
        monkeypatch.setattr(
            trial, "CHILD", trial.START + "import os; trial.STEPS['opens'] = lambda _: os.abort(); trial.run(**given)"
        )
        ok, wrong = examine_model(conditional_model)
        assert (ok.name, ok.status) == ("card", "ok")
        assert (wrong.name, wrong.status, wrong.found) == ("opens", "wrong", "its process ended with SIGABRT")

    @pytest.mark.parametrize(
        ("model", "found"), [("mpl", "no model 'mpl': did you mean mlp"), ("a\0b\udcff", "no model 'a\\x00b\\udcff'")]
    )
    def test_one_that_is_not_there(self, run_cli: RunCli, model: str, found: str) -> None:
        outcome = run_cli("doctor", "--model", model)
        assert outcome.code == 1
        assert outcome.out.startswith(f"card  wrong  {found}")

    def test_hostile_text(self, run_cli: RunCli, tmp_path: Path) -> None:
        model = write_model(tmp_path, conditional=False, edit=renamed)
        outcome = run_cli("doctor", "--model", model)
        assert outcome.code == 1
        (line,) = [line for line in outcome.out.splitlines() if line.startswith("opens")]
        assert "expected inputs latents float32 (N, 10), got \\x1b[31m\\nzzz" in line
        assert len(line) < 600

    def test_times_that_make_no_sense(self, run_cli: RunCli, conditional_model: Path) -> None:
        for seconds in (0, "nan", 10**9):
            outcome = run_cli("doctor", "--model", conditional_model, "--seconds", seconds)
            assert_refused(outcome, 2, "seconds: expected 1 to 3600 seconds, got")


def renamed(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = model.graph.node[0].input[0] = "\x1b[31m\n" + "z" * 1000
