"""A model of four named classes: labels by name and by number, wherever a label goes."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import mnistgen
from tests.conftest import LATENT_DIM, RunCli, assert_refused, write_model
from tests.mnistgen.conftest import near

CLASSES = ("T-shirt/top", "Sneaker", "Bag", "bag")
KNOWN = "T-shirt/top, Sneaker, Bag, bag"
ATTRIBUTES = ("thickness", "slant", "width", "height")


def graph(inputs: dict[str, int], outputs: dict[str, tuple[str, int]]) -> bytes:
    """A graph from vectors of given sizes to matrix products of one of them."""
    source, nodes, constants = np.random.default_rng(0), [], []
    for name, (factor, size) in outputs.items():
        nodes.append(helper.make_node("Flatten", [factor], [f"{name}_flat"]))
        nodes.append(helper.make_node("MatMul", [f"{name}_flat", f"{name}_weights"], [name]))
        weights = source.normal(0, 0.1, (inputs[factor], size)).astype(np.float32)
        constants.append(numpy_helper.from_array(weights, f"{name}_weights"))
    shapes: dict[str, list[int | str]] = {
        name: ["N", 28, 28] if size == 784 else ["N", size] for name, size in inputs.items()
    }
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size]) for name, (_, size) in outputs.items()],
        constants,
    )
    opsets = [helper.make_opsetid("", 18)]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return content


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory of four classes, with attributes and an encoder."""
    folder = tmp_path_factory.mktemp("classes")
    attributes = graph(
        {"latents": LATENT_DIM, "classes": 4, "change": 4},
        {"attributes": ("classes", 4), "changed": ("change", LATENT_DIM)},
    )
    encoder = graph({"images": 784}, {"latents": ("images", LATENT_DIM), "label_logits": ("images", 4)})
    ranges = [[-number, number] for number in range(1, 5)]
    cards: dict[str, Any] = {
        name: {"sha256": hashlib.sha256(content).hexdigest()}
        for name, content in (("attributes", attributes), ("encoder", encoder))
    }
    cards["attributes"] |= {name: {"mean": 0, "deviation": 1, "ranges": ranges} for name in ATTRIBUTES}
    (folder / "attributes.onnx").write_bytes(attributes)
    (folder / "encoder.onnx").write_bytes(encoder)
    return write_model(folder, name="four", classes=CLASSES, **cards)


@pytest.fixture(scope="module")
def four(model: Path) -> mnistgen.Generator:
    return mnistgen.Generator(model, device="cpu", threads=1)


def test_names_are_numbers(four: mnistgen.Generator) -> None:
    assert four.card.classes == CLASSES
    assert set(four.sample_labelled(100, seed=1).labels) == {0, 1, 2, 3}
    images, labels = four.sample_labelled(3, seed=1, labels="Sneaker")
    assert labels.tolist() == [1, 1, 1]
    for same in (
        1,
        ["Sneaker"] * 3,
        np.array(["Sneaker"] * 3, object),
        [0.0, 1.0, 0.0, 0.0],
        np.eye(4, dtype=int)[labels],
    ):
        assert near(four.sample(3, seed=1, labels=same), images)
    latents = mnistgen.latents(1, n=3, model=four.model)
    assert near(four.decode(latents, ["bag", "Bag", "Sneaker"]), four.sample(seed=1, labels=[3, 2, 1]))
    assert near(next(four.stream(10**12, seed=1, labels="Sneaker", batch_size=3)), images)
    assert near(mnistgen.generate(3, seed=1, labels="Sneaker", model=four.model), images)
    assert mnistgen.generate_labelled(labels=["7", "0"]).labels.tolist() == [7, 0]


def test_weights_of_names(four: mnistgen.Generator) -> None:
    _, labels = four.sample_labelled(1000, seed=1, labels={"Sneaker": 3, 3: 1})
    assert set(labels) == {1, 3}
    assert 700 < np.count_nonzero(labels == 1) < 800


def test_walks_between_names(four: mnistgen.Generator) -> None:
    assert near(four.interpolate("Bag", "bag", frames=5, seed=2), four.interpolate(2, 3, frames=5, seed=2))
    images = four.walk(("Bag", "Sneaker", 0, 3), rows=2, columns=2, seed=2)
    assert near(images, four.sample(labels=[2, 1, 0, 3], seed=2))


def test_attributes_and_encoder(four: mnistgen.Generator) -> None:
    values = four.sample(9, seed=1, slant=4, labels="bag")  # in the range of this class only
    assert values.shape == (9, 28, 28)
    latents, labels = four.encode(values)
    assert latents.shape == (9, LATENT_DIM)
    assert set(labels) <= {0, 1, 2, 3}
    refined = four.encode(values, labels=["bag"] * 9, steps=1).latents
    errors = [np.abs(four.decode(it, "bag") - values.astype(float)).mean() for it in (latents, refined)]
    assert errors[1] < errors[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda it: it.sample(labels="Sneeker"),
            f"labels: expected one of {KNOWN}, got 'Sneeker'; did you mean Sneaker?",
        ),
        (lambda it: it.sample(labels=["Bag", "Hat"]), f"labels: expected one of {KNOWN}, got 'Hat'"),
        (lambda it: it.sample(labels={"Hat": 1}), f"labels: expected one of {KNOWN}, got 'Hat'"),
        (lambda it: it.sample(labels={"Bag": 0}), "labels: weight: expected a whole number, 1 or more, got 0"),
        (lambda it: it.sample(labels={}), "labels: expected some of 0 to 3, got none"),
        (lambda it: it.sample(labels=4), "labels: expected a whole number, 0 to 3, got 4"),
        (
            lambda it: it.decode(np.zeros((1, LATENT_DIM)), [4]),
            "labels: expected whole numbers (1,) from 0 to 3, or mixtures (1, 4) whose rows sum to 1, "
            "got values from 4 to 4",
        ),
        (lambda it: it.interpolate("Bag", "Hat"), f"last: expected one of {KNOWN}, got 'Hat'"),
        (lambda it: it.sample(digit=1), f"digit 1: model four generates no digits; labels= takes {KNOWN}"),
        (lambda it: it.number("1"), f"text '1': model four generates no digits; labels= takes {KNOWN}"),
        (
            lambda it: mnistgen.read_digits(np.zeros((30, 30), np.uint8), model=it.model),
            f"pictures: model four generates no digits; labels= takes {KNOWN}",
        ),
        (
            lambda it: mnistgen.write_dataset("none", balance="mnist", model=it.model),
            f"balance mnist: model four generates no digits; labels= takes {KNOWN}",
        ),
    ],
)
def test_refused(four: mnistgen.Generator, call: Callable[[Any], object], message: str) -> None:
    with pytest.raises(mnistgen.InputError) as error:
        call(four)
    assert str(error.value) == message


def test_in_pytorch(model: Path) -> None:
    pytest.importorskip("torch")
    items = mnistgen.torch.Digits(5, seed=1, labels={"Bag": 1, "Sneaker": 1}, model=model)
    assert items.classes == list(CLASSES)
    assert {items.classes[label] for _, label in (items[index] for index in range(5))} <= {"Bag", "Sneaker"}


WANTED: dict[str, Any] = {"n": 40, "test": 10, "seed": 1, "digits": {"Bag": 2, "bag": 1, 0: 1}}


def numbers_of_idx(folder: Path) -> list[int]:
    return list((folder / "MNIST" / "raw" / "train-labels-idx1-ubyte").read_bytes()[8:])


def numbers_of_npz(folder: Path) -> list[int]:
    with np.load(folder / "mnist.npz") as arrays:
        return arrays["y_train"].tolist()  # type: ignore[no-any-return]


def numbers_of_png(folder: Path) -> list[int]:
    names = ["0-T-shirt_top", "1-Sneaker", "2-Bag", "3-bag"]  # Bag and bag are the same folder to some systems
    found = sorted((folder / "train").glob("*/*.png"), key=lambda path: path.name)
    return [names.index(path.parent.name) for path in found]


def numbers_of_parquet(folder: Path) -> list[int]:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(next((folder / "data").glob("train-*")))
    described = json.loads(table.schema.metadata[b"huggingface"])
    assert described["info"]["features"]["label"] == {"names": list(CLASSES), "_type": "ClassLabel"}
    assert "Generated images of 4 classes" in (folder / "README.md").read_text()
    return table["label"].to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("read", [numbers_of_idx, numbers_of_npz, numbers_of_png, numbers_of_parquet])
def test_data_sets(model: Path, tmp_path: Path, read: Callable[[Path], list[int]]) -> None:
    name = read.__name__.rpartition("_")[2]
    counts = mnistgen.write_dataset(tmp_path / name, format=name, model=model, **WANTED).counts
    labels = read(tmp_path / name)
    assert set(labels) == {0, 2, 3}
    assert np.bincount(labels).tolist() == counts["train"]
    assert (tmp_path / name / "classes.txt").read_text().splitlines() == list(CLASSES)


def test_folders_of_safe_names(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", classes=("T-shirt/top", "..", "Dr. Ö"))
    mnistgen.write_dataset(tmp_path / "data", n=20, test=0, format="png", slant=None, model=model)
    assert sorted(it.name for it in (tmp_path / "data" / "train").iterdir()) == ["Dr_ Ö", "T-shirt_top", "__"]


def test_digits_have_no_list_of_classes(conditional_model: Path, tmp_path: Path) -> None:
    mnistgen.write_dataset(tmp_path / "data", n=3, model=conditional_model)
    assert not (tmp_path / "data" / "classes.txt").exists()


def test_on_the_command_line(run_cli: RunCli, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "bags.npz"
    outcome = run_cli("sample", "--model", model, "-n", 9, "--label", "Bag", "--label", "bag", "--seed", 1, "-o", path)
    assert (outcome.err, outcome.out) == ("", f"{path}: 9 images from four, seed 1\n")
    with np.load(path) as arrays:
        assert set(arrays["labels"]) == {2, 3}
        again = json.loads(str(arrays["arguments"]))
        assert (mnistgen.Generator(model).sample(**again) == arrays["images"]).all()
    data = run_cli("dataset", "--model", model, "-n", 9, "--digits", "3", "--label", "Bag", "-o", tmp_path / "data")
    assert data.out.splitlines()[1].split() == ["image", *CLASSES]
    assert "classes     T-shirt/top, Sneaker, Bag, bag\n" in run_cli("info", model).out
    refused = run_cli("sample", "--model", model, "--label", "Hat", "-o", path)
    assert_refused(refused, 2, f"--label: expected one of {KNOWN}, got 'Hat'")
    refused = run_cli("sample", "--model", model, "--digit", 1, "-o", path)
    assert_refused(refused, 2, f"digit 1: model four generates no digits; mnistgen sample --label takes {KNOWN}")
