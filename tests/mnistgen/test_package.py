"""The public surface, what imports cost, and which way imports go."""

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

import mnistgen

ROOT = Path(__file__).resolve().parents[2]


ADAPTERS = ["ray", "testing", "torch"]
MODULES = ["drawings", *ADAPTERS]


def test_public_names() -> None:
    assert mnistgen.__all__ == [
        "DEFAULT_MODEL",
        "Attributes",
        "DependencyError",
        "DeviceError",
        "Encoded",
        "Generator",
        "InputError",
        "Labelled",
        "MnistgenError",
        "ModelCard",
        "ModelError",
        "OutputError",
        "Summary",
        "__version__",
        "benchmark",
        "card",
        "doctor",
        "generate",
        "grid",
        "imitate",
        "latents",
        "measure",
        "models",
        "number",
        "read_digits",
        "reproduce",
        "save",
        "show",
        "write_dataset",
    ]
    assert dir(mnistgen) == sorted(mnistgen.__all__ + MODULES)
    for name in mnistgen.__all__:
        assert getattr(mnistgen, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'generatr'"):
        mnistgen.generatr  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_public_modules_need_no_import(name: str) -> None:
    pytest.importorskip({"ray": "ray", "testing": "pytest", "torch": "torch"}.get(name, "mnistgen"))
    assert getattr(mnistgen, name).__all__


def test_everything_else_has_an_underscore() -> None:
    modules = {
        path.stem for path in (ROOT / "mnistgen").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert {name for name in modules if not name.startswith("_")} == set(MODULES)


@pytest.mark.parametrize(
    "name",
    [
        "benchmark",
        "doctor",
        "generate",
        "imitate",
        "latents",
        "number",
        "read_digits",
        "reproduce",
        "save",
        "show",
        "write_dataset",
        "Generator",
    ],
)
def test_signatures_are_spelt_out(name: str) -> None:
    parameters = inspect.signature(getattr(mnistgen, name)).parameters.values()
    various = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    assert not {parameter.kind for parameter in parameters} & various
    assert not [parameter.name for parameter in parameters if parameter.name.startswith("_")]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda it: it.generate(3, sed=1),
            "generate() got an unexpected keyword argument 'sed'; did you mean 'seed'?",
        ),
        (
            lambda it: it.Generator(modl="digits"),
            "Generator() got an unexpected keyword argument 'modl'; did you mean 'model'?",
        ),
        (
            lambda it: it.Generator().stream(3, batchsize=1),
            "Generator.stream() got an unexpected keyword argument 'batchsize'; did you mean 'batch_size'?",
        ),
        (
            lambda it: it.write_dataset("data", zzz=1),
            "write_dataset() got an unexpected keyword argument 'zzz'; known are out, n, test, format, ",
        ),
    ],
)
def test_a_misspelt_keyword(call: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(TypeError) as error:
        call(mnistgen)
    assert str(error.value).startswith(message)


def test_errors_are_one_tree() -> None:
    for name in ("InputError", "ModelError", "DeviceError", "DependencyError", "OutputError"):
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
SCRIPTS = {"training/pipeline.py", "training/publish.py"}  # which join all of it
OPTIONAL = {"mnistgen/_session.py": {"onnxruntime"}, "mnistgen/torch.py": {"torch"}}
WATCHED = {"mnistgen", "training", "export", "torch", "torchvision", "safetensors", "onnx", "onnxruntime"}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_one_way(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        place = path.relative_to(ROOT).as_posix()
        allowed = ROOMS[room] | ({"export"} if place in SCRIPTS else set())
        allowed |= OPTIONAL.get(place, set())
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


# What a program around the library needs that is no part of it: escaped text, and signals.
CLI_INFRASTRUCTURE = {"mnistgen._errors", "mnistgen._interruption"}


def test_the_command_line_uses_the_public_api_alone() -> None:
    for path in (ROOT / "mnistgen" / "_cli").glob("*.py"):
        names = {name for name in _imports(path) if name.startswith("mnistgen.")}
        assert {name for name in names if not name.startswith("mnistgen._cli")} <= CLI_INFRASTRUCTURE, path.name
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "mnistgen":
                assert {alias.name for alias in node.names} <= set(mnistgen.__all__), path.name
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "mnistgen":
                assert node.attr in {*mnistgen.__all__, *MODULES}, path.name


@pytest.mark.parametrize("room", ROOMS)
def test_imports_never_run_in_circles(room: str) -> None:
    """Imports within functions and for types included."""
    modules = {_module(path): path for path in (ROOT / room).rglob("*.py")}
    graph = {
        name: {needed for needed in _imported(path) if needed in modules and needed != name}
        for name, path in modules.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names them


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path) -> set[str]:
    """Modules, and names imported from packages, which may be modules."""
    names = _imports(path)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names - {path.relative_to(ROOT).parts[0]}  # which everything may take the version from
