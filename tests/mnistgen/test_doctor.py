"""mnistgen doctor: what is found on machines that are sound, and on those that are not."""

import importlib.metadata
import json
import platform
import sys
from pathlib import Path
from typing import Any

import pytest

from mnistgen import _model
from tests.conftest import CPU, CUDA, RunCli, install, stand_in_for_onnxruntime, write_model


def findings(run_cli: RunCli, code: int) -> dict[str, dict[str, Any]]:
    """The findings of `mnistgen doctor --json`, by name, once the table has been seen to say the same."""
    shown, data = run_cli("doctor"), run_cli("doctor", "--json")
    assert (shown.code, data.code, shown.err, data.err) == (code, code, "", "")
    found: list[dict[str, Any]] = json.loads(data.out)
    lines = iter(shown.out.splitlines())
    for one in found:
        line = next(lines)
        assert line.startswith(f"{one['name']} ")
        assert line[len(one["name"]) :].split(maxsplit=1) == ["ok" if one["ok"] else "wrong", one["found"]]
        if one["fix"]:
            assert next(lines).strip() == f"-> {one['fix']}"
    wrong = sum(not one["ok"] for one in found)
    assert list(lines) == ["", f"{wrong or 'nothing'} wrong"]
    assert bool(wrong) == (code == 1)
    return {one["name"]: one for one in found}


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundled models in the place of ours: small ones, `digits` and `other`."""
    folder = tmp_path / "models"
    for name in (_model.DEFAULT_MODEL, "other"):
        write_model(folder / name, conditional=False)
    monkeypatch.setattr(_model, "MODELS", folder)
    return folder


def test_a_sound_installation(run_cli: RunCli) -> None:
    found = findings(run_cli, 0)
    assert f"Python {platform.python_version()}, {sys.executable}" in found["mnistgen"]["found"]
    for name in ("numpy", "onnxruntime", "pillow", "rich", "typer"):
        assert found[name]["found"] == importlib.metadata.version(name)
    assert found["device"]["found"].startswith("auto runs digits on ")
    assert [name for name in found if name.startswith("model ")] == [f"model {name}" for name in _model.names()]


@pytest.mark.parametrize("name", ["model.onnx", "attributes.onnx", "encoder.onnx", "card.json"])
def test_a_damaged_model(run_cli: RunCli, bundled: Path, name: str) -> None:
    if name in ("attributes.onnx", "encoder.onnx"):
        (bundled / "other" / name).touch()
    path = bundled / "other" / name
    path.write_bytes(path.read_bytes() + b"?")
    other = findings(run_cli, 1)["model other"]
    assert f"{path}: " in other["found"]
    assert other["fix"] == "pip install --force-reinstall --no-deps mnistgen"


def test_both_onnxruntimes(run_cli: RunCli, bundled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "onnxruntime-gpu")
    packages = findings(run_cli, 1)["packages"]
    assert packages["found"] == "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files"
    assert "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime" in packages["fix"]


def test_no_onnxruntime(run_cli: RunCli, bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # makes its import fail
    device = findings(run_cli, 1)["device"]
    assert device["found"].startswith("onnxruntime cannot be imported (")
    assert "pip install --force-reinstall onnxruntime" in device["found"] + device["fix"]


@pytest.mark.parametrize(
    ("available", "ends_on", "found"),
    [
        ([CPU], CPU, "auto runs digits on cpu: CUDA is not used because this onnxruntime is built without CUDA"),
        ([CUDA, CPU], CPU, "on cpu: CUDA is not used because onnxruntime could not load CUDA or cuDNN"),
        ([CUDA, CPU], CUDA, "auto runs digits on cuda"),
    ],
)
def test_the_device_and_why(
    run_cli: RunCli,
    bundled: Path,
    monkeypatch: pytest.MonkeyPatch,
    available: list[str],
    ends_on: str,
    found: str,
) -> None:
    stand_in_for_onnxruntime(monkeypatch, available, ends_on)
    assert found in findings(run_cli, 0)["device"]["found"]


def test_a_session_that_opens_but_does_not_run(run_cli: RunCli, bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_onnxruntime(monkeypatch, [CUDA, CPU], ends_on=CUDA, run_error="cuDNN is missing")
    device = findings(run_cli, 1)["device"]
    assert "onnxruntime cannot run it: cuDNN is missing" in device["found"]
    assert 'use device="cpu"' in device["fix"]
