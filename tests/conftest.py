"""Shared fixtures: small model directories, and running the command line in this process."""

import hashlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper

from mnistgen._loaded import CHUNK_WORK
from mnistgen._model import DIGITS, ModelCard

settings.register_profile("untimed", deadline=None)  # a slow machine must not cause failures
settings.load_profile("untimed")

# Restore signal handlers, since a parent process such as `nohup` may have set signals to be ignored.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
    signal.signal(signal.SIGINT, signal.default_int_handler)

if "PYTEST_XDIST_WORKER" in os.environ:  # a process for each core: more threads would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# They take longest, and start first, so that no process waits for another at the end.
LONGEST = ("test_train.py", "test_loops.py", "test_build.py", "test_evaluate.py", "test_ray.py")

LATENT_DIM = 10
NodeEdit = Callable[[onnx.ModelProto], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


def small_model(conditional: bool, classes: int = 10) -> onnx.ModelProto:
    """A valid model graph: images = sigmoid(latents @ weights + classes @ class_weights)."""
    source = np.random.default_rng(0)
    weights = {"weights": source.normal(0, 1, (LATENT_DIM, 784)), "class_weights": source.normal(0, 2, (classes, 784))}
    inputs = [helper.make_tensor_value_info("latents", TensorProto.FLOAT, ["N", LATENT_DIM])]
    nodes = [helper.make_node("MatMul", ["latents", "weights"], ["ink"])]
    if conditional:
        inputs.append(helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["N", classes]))
        nodes.append(helper.make_node("MatMul", ["classes", "class_weights"], ["class_ink"]))
        nodes.append(helper.make_node("Add", ["ink", "class_ink"], ["logits"]))
    nodes.append(helper.make_node("Sigmoid", ["logits" if conditional else "ink"], ["pixels"]))
    nodes.append(helper.make_node("Reshape", ["pixels", "shape"], ["images"]))
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    constants.append(numpy_helper.from_array(np.array([-1, 28, 28], np.int64), "shape"))
    output = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 28, 28])
    graph = helper.make_graph(nodes, "small", inputs, [output], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def write_model(
    directory: Path,
    *,
    conditional: bool = True,
    classes: tuple[str, ...] = DIGITS,
    edit: NodeEdit | None = None,
    **fields: Any,
) -> Path:
    """Write a small model directory; `edit` changes the graph first, `fields` the card."""
    directory.mkdir(parents=True, exist_ok=True)
    model = small_model(conditional, len(classes))
    if edit:
        edit(model)
    (directory / "model.onnx").write_bytes(model.SerializeToString())
    known: dict[str, Any] = {
        "name": "small",
        "summary": "for tests",
        "classes": classes if conditional else None,
        "latent_dim": LATENT_DIM,
        "prior": "N(0, 1)",
        "preset": {},
        "data": {},
        "steps": 0,
        "seed": 0,
        "parameters": 0,
        "multiply_adds": CHUNK_WORK // 64,  # so that it runs in chunks of 64
        "licence": "MIT",
        "versions": {},
        "sha256": hashlib.sha256((directory / "model.onnx").read_bytes()).hexdigest(),
    }
    ModelCard(**known | fields).write(directory)
    return directory


@pytest.fixture(scope="session")
def conditional_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("conditional"))


@pytest.fixture(scope="session")
def unconditional_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("unconditional"), conditional=False)


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Add a fake installed distribution."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(folder)


CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def stand_in_for_onnxruntime(
    monkeypatch: pytest.MonkeyPatch, available: list[str], ends_on: str, run_error: str = ""
) -> None:
    """Replace onnxruntime by a fake with other providers; sessions that request CUDA use provider `ends_on`."""

    class InferenceSession:
        def __init__(self, graph: bytes, options: Any, providers: list[Any]) -> None:
            self.providers = providers if providers == [CPU] else [ends_on]

        def get_providers(self) -> list[str]:
            return self.providers

        def get_inputs(self) -> list[Any]:
            return [SimpleNamespace(name="latents", shape=["N", LATENT_DIM])]

        def get_outputs(self) -> list[Any]:
            return [SimpleNamespace(name="images")]

        def run(self, outputs: list[str], feeds: dict[str, Any]) -> list[Any]:
            if run_error:
                raise RuntimeError(run_error)
            return [np.zeros((len(feeds["latents"]), 28, 28), np.float32)]

    engine = SimpleNamespace(
        SessionOptions=lambda: SimpleNamespace(add_session_config_entry=lambda key, value: None),
        InferenceSession=InferenceSession,
        get_available_providers=lambda: available,
        preload_dlls=lambda: print("Failed to load libcudart.so.13"),
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", engine)


@dataclass(frozen=True)
class Outcome:
    """The result of a command."""

    code: int
    out: str
    err: str


RunCli = Callable[..., Outcome]


def assert_refused(outcome: Outcome, code: int, *words: str) -> None:
    """Check that the only output is one line on standard error that contains these words."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("mnistgen: ")
    assert outcome.err.count("\n") == 1
    for word in words:
        assert word in outcome.err


def contents(folder: Path) -> dict[str, bytes]:
    """The contents of all files in a folder, by relative path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run_cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> RunCli:
    """Run the command line in this process."""
    import warnings

    from mnistgen.cli import main

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr("sys.argv", ["mnistgen", *map(str, arguments)])
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # restore what main() replaces
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capfd.readouterr()
        code = stop.value.code
        return Outcome(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run
