"""Model directories with a mutated or crafted model.onnx and a matching SHA-256 in the card."""

import hashlib
import itertools
import json
import os
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mnistgen import Generator
from mnistgen._doctor import WRONG
from mnistgen._trial import examine_model
from tests.conftest import small_model, write_model
from tests.faults.mutations import changed_bytes
from tests.faults.trials import Outcome, call_problem

SECONDS = 2.0  # timeout of `doctor --model`, sufficient for all graphs that terminate


class Crafted(NamedTuple):
    """An edit of a valid class-conditional graph in a directory."""

    edit: Callable[[onnx.ModelProto, Path], None]
    refused: bool = True  # False: opening and sampling may also succeed


def trial(source: random.Random, workdir: Path) -> Outcome:
    """Open a model and sample from it."""
    folder, tried, refused = _prepared(source, workdir)
    if tried == "endless loop":
        return _examined(folder, tried)
    used: list[Generator] = []

    def use() -> None:
        generator = Generator(folder, device="cpu", threads=1)
        generator.sample(3, seed=1)
        used.append(generator)

    problem = call_problem(use)
    return Outcome(tried, problem or ("is accepted" if refused and used else ""))


def by_doctor(source: random.Random, workdir: Path) -> Outcome:
    """For graphs that crash or hang the process, which is documented: `doctor --model` must detect them."""
    folder, tried, _ = _prepared(source, workdir)
    return Outcome(tried, "hangs or crashes") if tried in ODD_FILES else _examined(folder, tried)


def _examined(folder: Path, tried: str) -> Outcome:
    wrong = [finding for finding in examine_model(folder, seconds=SECONDS) if finding.status == WRONG]
    return Outcome(tried, "" if wrong else "hangs or crashes, and doctor --model finds nothing wrong")


def _prepared(source: random.Random, workdir: Path) -> tuple[Path, str, bool]:
    """Create a model directory; returns it, a description, and whether it must be rejected."""
    folder = workdir / "model"
    if source.random() < 0.6:
        write_model(folder, conditional=source.random() < 0.5)
        content = changed_bytes(source, (folder / "model.onnx").read_bytes())
        _write_model_and_checksum(folder, content)
        return folder, f"changed bytes, SHA-256 {hashlib.sha256(content).hexdigest()}", False
    write_model(folder)
    if source.random() < 0.1:
        name = source.choice(list(ODD_FILES))
        (folder / "model.onnx").unlink()
        ODD_FILES[name](folder / "model.onnx")
        return folder, name, True
    name = source.choice(list(CRAFTED))
    model = small_model(conditional=True)
    CRAFTED[name].edit(model, folder)
    _write_model_and_checksum(folder, model.SerializeToString())
    return folder, name, CRAFTED[name].refused


def _write_model_and_checksum(folder: Path, content: bytes) -> None:
    (folder / "model.onnx").write_bytes(content)
    card = json.loads((folder / "card.json").read_bytes())
    card["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "card.json").write_text(json.dumps(card))


def _external(model: onnx.ModelProto, folder: Path, location: str, *, constant: bool = False) -> None:
    """Move weights to external data; files exist at all local locations."""
    tensor = model.graph.initializer[0]
    (folder / "weights.bin").write_bytes(tensor.raw_data)
    (folder.parent / "outside.bin").write_bytes(tensor.raw_data)
    (folder / "link.bin").symlink_to("../outside.bin")
    entries = {"location": location.format(folder=folder.parent), "offset": "0", "length": str(len(tensor.raw_data))}
    if constant:
        model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
        del model.graph.initializer[0]
        tensor = model.graph.node[0].attribute[0].t
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


def _signature(model: onnx.ModelProto, folder: Path, which: str, **changes: Any) -> None:
    """Change the name, type or shape of the first input or of the output."""
    info = (model.graph.input if which == "input" else model.graph.output)[0]
    kind = info.type.tensor_type
    shape = ["N", *(size.dim_value for size in kind.shape.dim[1:])]
    info.CopyFrom(
        helper.make_tensor_value_info(**{"name": info.name, "elem_type": kind.elem_type, "shape": shape} | changes)
    )


def _append(model: onnx.ModelProto, folder: Path, nodes: Sequence[Any], constants: Mapping[str, Any]) -> None:
    """Insert nodes between `before`, the pixels, and `images`, the output."""
    model.graph.node[-1].output[0] = "before"
    model.graph.node.extend(nodes)
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))


def _operator(operator: str, *inputs: str, refused: bool = True, domain: str = "", **constants: Any) -> Crafted:
    """Append an operator."""
    node = helper.make_node(operator, inputs or ("before",), ["images"], name="\x1b[31mred\n", domain=domain)
    return Crafted(partial(_append, nodes=[node], constants=constants), refused)


def _chain(length: int) -> Crafted:
    names = ["before", *map(str, range(length)), "images"]
    nodes = [helper.make_node("Neg", [one], [other]) for one, other in itertools.pairwise(names)]
    return Crafted(partial(_append, nodes=nodes, constants={}), refused=False)


def _loop() -> Crafted:
    state = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("state", "next")]
    going = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("go", "go_on")]
    turn = helper.make_tensor_value_info("turn", TensorProto.INT64, [])
    work = [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Sin", ["state"], ["next"])]
    body = helper.make_graph(work, "body", [turn, going[0], state[0]], [going[1], state[1]])
    node = helper.make_node("Loop", ["turns", "yes", "before"], ["images"], body=body)
    return Crafted(partial(_append, nodes=[node], constants={"turns": np.int64(2**62), "yes": np.bool_(True)}))


def _field(**fields: Any) -> Crafted:
    """Change fields of the model."""

    def edit(model: onnx.ModelProto, folder: Path) -> None:
        for name, value in fields.items():
            setattr(model, name, value)

    return Crafted(edit, refused=False)


PLACES = ("weights.bin", "link.bin", "../outside.bin", "{folder}/outside.bin", "/etc/passwd", "*/_ORT_MEM_ADDR_/*", "")
SQRT_OF_SOME = [helper.make_node("Sub", ["before", "half"], ["less"]), helper.make_node("Sqrt", ["less"], ["images"])]
ZERO, HUGE = np.float32(0), np.array([200_000, 200_000], np.int64)
CRAFTED: Mapping[str, Crafted] = {
    **{f"external data at {where!r}": Crafted(partial(_external, location=where)) for where in PLACES},
    **{f"a constant at {where!r}": Crafted(partial(_external, location=where, constant=True)) for where in PLACES},
    "latents named otherwise": Crafted(partial(_signature, which="input", name="z")),
    "latents of another size": Crafted(partial(_signature, which="input", shape=["N", 11])),
    "latents of any rank": Crafted(partial(_signature, which="input", shape=None)),
    "latents in float64": Crafted(partial(_signature, which="input", elem_type=TensorProto.DOUBLE)),
    "images named otherwise": Crafted(partial(_signature, which="output", name="\x1b[2J")),
    "images of another size": Crafted(partial(_signature, which="output", shape=["N", 28, 27]), refused=False),
    "images of any rank": Crafted(partial(_signature, which="output", shape=None), refused=False),
    "images in text": Crafted(partial(_signature, which="output", elem_type=TensorProto.STRING)),
    "NaN": _operator("Div", "zero", "zero", refused=True, zero=np.zeros((3, 28, 28), np.float32)),
    "NaN somewhere": Crafted(partial(_append, nodes=SQRT_OF_SOME, constants={"half": np.float32(0.5)})),
    "infinity": _operator("Div", "before", "zero", zero=ZERO),
    "other values than promised": _operator("Mul", "before", "many", refused=False, many=np.float32(-1e30)),
    "one image for all": _operator("ReduceMax", "before", "first", first=np.array([0], np.int64)),
    "more images": _operator("Tile", "before", "twice", twice=np.array([2, 1, 1], np.int64)),
    "fewer pixels": _operator("Reshape", "before", "shape", shape=np.array([-1, 14, 28], np.int64)),
    "160 GB": _operator("ConstantOfShape", "shape", shape=HUGE),
    "160 GB on the way": _operator("Expand", "before", "shape", shape=np.array([10**5, 3, 28, 10**4], np.int64)),
    "a shape that overflows": _operator("ConstantOfShape", "shape", shape=np.array([2**62, 4], np.int64)),
    "an unknown operator": _operator("NoSuch", "before"),
    "an unknown domain": _operator("NoSuch", "before", domain="com.example"),
    "random numbers": _operator("RandomUniformLike", refused=False),
    "endless loop": _loop(),
    "2,000 operators": _chain(2000),
    "a future version": _field(ir_version=10**6),
    "no version": _field(ir_version=0),
    "an odd producer": _field(producer_name="\x1b[31m" * 1000, doc_string="x" * 10**6),
    "no nodes": Crafted(lambda model, folder: model.graph.ClearField("node")),
    "no outputs": Crafted(lambda model, folder: model.graph.ClearField("output")),
    "no graph": Crafted(lambda model, folder: model.ClearField("graph")),
    "no operators' version": Crafted(lambda model, folder: model.ClearField("opset_import")),
}
ODD_FILES: Mapping[str, Callable[[Path], None]] = {
    "a folder": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "nothing at all": lambda path: None,
}
