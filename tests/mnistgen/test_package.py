"""The public surface, what imports cost, which way they go, and the size of the package."""

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import mnistgen

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "mnistgen"
ADAPTERS = ["ray", "torch"]  # public modules that need optional packages
FOLDERS = ["cli", "dataset", "photos"]


def test_public_names() -> None:
    assert mnistgen.__all__ == [
        "Attributes",
        "DEFAULT_MODEL",
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
        "Reading",
        "Summary",
        "__version__",
        "card",
        "generate",
        "generate_labelled",
        "grid",
        "imitate",
        "latents",
        "measure",
        "models",
        "number",
        "read_digits",
        "save",
        "show",
        "write_dataset",
    ]
    assert dir(mnistgen) == mnistgen.__all__
    for name in mnistgen.__all__:
        assert getattr(mnistgen, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'generatr'"):
        getattr(mnistgen, "generatr")  # noqa: B009
    stub = ast.parse((RUNTIME / "__init__.pyi").read_text())
    declared = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert declared == {*mnistgen.__all__, *ADAPTERS} - {"__version__"}


def test_everything_else_has_an_underscore() -> None:
    modules = {path.stem for path in RUNTIME.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert {name for name in modules if not name.startswith("_")} == {*ADAPTERS, *FOLDERS}


def test_errors_are_one_tree() -> None:
    for name in ("InputError", "ModelError", "DeviceError", "DependencyError", "OutputError"):
        assert issubclass(getattr(mnistgen, name), mnistgen.MnistgenError)
    assert issubclass(mnistgen.InputError, ValueError)


def test_import_is_light() -> None:
    script = "import sys, json, mnistgen; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in json.loads(result.stdout)}
    assert not loaded & {"onnxruntime", "PIL", "typer", "numpy", "torch", "cv2"}


def nodes(folder: Path) -> Iterator[tuple[Path, ast.AST]]:
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            yield path, node


def test_signatures_are_spelt_out() -> None:
    for path, node in nodes(RUNTIME):
        assert not (isinstance(node, ast.alias) and node.name == "overload"), path
    public = [getattr(mnistgen, name) for name in mnistgen.__all__]
    for function in filter(inspect.isfunction, [*public, *vars(mnistgen.Generator).values()]):
        kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
        assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}, function


def test_size() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in RUNTIME.rglob("*.py")}
    photos = {path for path in lengths if path.parent.name == "photos"}
    assert len(lengths.keys() - photos) <= 32
    assert [path for path, length in lengths.items() if length > 300] == []


# Which of our own packages and of PyTorch's world each package may import. The runtime loads onnxruntime late, with
# telemetry disabled.
PACKAGES = {
    "mnistgen": {"mnistgen"},
    "training": {"training", "mnistgen", "torch", "torchvision", "safetensors"},
    "export": {"export", "training", "mnistgen", "torch", "onnx", "onnxruntime"},
}
MORE = {
    "mnistgen/torch.py": {"torch"},
    "training/train.py": {"export"},  # these two join everything
    "training/publish.py": {"export"},
}
TO_EXPORT = {"config", "errors", "fit", "model", "networks"}  # what export may import of training: nothing that trains
WATCHED = {"mnistgen", "training", "export", "torch", "torchvision", "safetensors", "onnx", "onnxruntime"}


def imported(folder: Path) -> dict[str, set[str]]:
    """What each file of a package imports: modules, and names from packages, which may be modules.

    The package itself, from which every module may import the version, is left out.
    """
    found: dict[str, set[str]] = {path.relative_to(ROOT).as_posix(): set() for path in folder.rglob("*.py")}
    for path, node in nodes(folder):
        names = found[path.relative_to(ROOT).as_posix()]
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {path: names - {folder.name} for path, names in found.items()}


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    for path, names in imported(ROOT / package).items():
        outside = {name.split(".")[0] for name in names} & WATCHED
        assert outside <= PACKAGES[package] | MORE.get(path, set()), path


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_never_run_in_circles(package: str) -> None:
    """Imports within functions and for types included."""
    files = imported(ROOT / package)
    modules = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in files}
    graph = {name: (files[path] & modules.keys()) - {name} for name, path in modules.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names them


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_never_import_each_other_in_circles(package: str) -> None:
    def unit(name: str) -> str:
        return name.split(".")[1] if "." in name else name  # a folder, or a module beside the folders

    graph: dict[str, set[str]] = {}
    for path, names in imported(ROOT / package).items():
        own = unit(path.removesuffix(".py").replace("/", "."))
        graph.setdefault(own, set()).update({unit(name) for name in names if name.startswith(f"{package}.")} - {own})
    TopologicalSorter(graph).prepare()


def test_export_imports_nothing_that_trains_and_evaluation_no_runs() -> None:
    for path, names in imported(ROOT / "export").items():
        assert {name.split(".")[1] for name in names if name.startswith("training.")} <= TO_EXPORT, path
    for path, names in imported(ROOT / "training/evaluation").items():
        assert not names & {"training.run", "training.train"}, path


def test_the_command_line_uses_the_public_api() -> None:
    """And what a program around the library needs that is no part of it."""
    allowed = {"cli", "_errors", "_files", "_pictures", "_model", "_runtime", *mnistgen.__all__}
    for path, names in imported(RUNTIME / "cli").items():
        assert {name.split(".")[1] for name in names if name.startswith("mnistgen.")} <= allowed, path
    for file, node in nodes(RUNTIME / "cli"):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "mnistgen":
            assert node.attr in {*mnistgen.__all__, *ADAPTERS}, file
