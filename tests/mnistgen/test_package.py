"""The public surface, what imports cost, and which way imports go."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import mnistgen

ROOT = Path(__file__).resolve().parents[2]


def test_public_names() -> None:
    assert mnistgen.__all__ == [
        "DeviceError",
        "Generator",
        "InputError",
        "MnistgenError",
        "ModelCard",
        "ModelError",
        "OutputError",
        "__version__",
        "generate",
        "models",
        "write",
        "write_dataset",
    ]
    assert dir(mnistgen) == sorted(mnistgen.__all__)
    for name in mnistgen.__all__:
        assert getattr(mnistgen, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'generatr'"):
        mnistgen.generatr  # noqa: B018


def test_errors_are_one_tree() -> None:
    for name in ("InputError", "ModelError", "DeviceError", "OutputError"):
        assert issubclass(getattr(mnistgen, name), mnistgen.MnistgenError)
    assert issubclass(mnistgen.InputError, ValueError)


def test_import_is_light() -> None:
    script = "import sys, json, mnistgen; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in json.loads(result.stdout)}
    assert not loaded & {"onnxruntime", "PIL", "typer", "numpy", "torch"}


# Which of our own packages and of PyTorch's world each room may import.
ROOMS = {
    "mnistgen": {"mnistgen"},
    "training": {"training", "mnistgen", "torch", "torchvision", "safetensors"},
    "export": {"export", "training", "mnistgen", "torch", "onnx", "onnxruntime"},
}
SCRIPTS = {"training/train.py", "training/publish.py"}  # which join all of it
WATCHED = {"mnistgen", "training", "export", "torch", "torchvision", "safetensors", "onnx", "onnxruntime"}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_one_way(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        place = path.relative_to(ROOT).as_posix()
        allowed = ROOMS[room] | ({"export"} if place in SCRIPTS else set())
        allowed |= {"onnxruntime"} if place == "mnistgen/session.py" else set()
        imported = {name.split(".")[0] for name in _imports(path)}
        assert imported & WATCHED <= allowed, place


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names
