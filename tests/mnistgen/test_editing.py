"""Attributes on request: reached, in range, the same on every call, and refused where they cannot be had."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mnistgen
from mnistgen._arrays import Float32, UInt8
from mnistgen._attributes import CONTROLLED
from mnistgen._model import MODELS
from tests.conftest import RunCli, assert_refused, write_model

N = 1500
# The 5th and 95th percentiles of MNIST's test digits, which every class of the model can have.
SPANS = {"thickness": (1.76, 3.93), "slant": (-0.28, 0.49)}
LEAST = {"thickness": 0.96, "slant": 0.96, "width": 0.96, "height": 0.9}  # coefficients of determination


@pytest.fixture(scope="module")
def generator() -> mnistgen.Generator:
    return mnistgen.Generator("digits", device="cpu")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A model directory to damage."""
    return Path(shutil.copytree(MODELS / "digits", tmp_path / "copied"))


def determination(reached: Float32, requested: Any) -> float:
    return float(1 - np.square(reached - requested).sum() / np.square(requested - np.mean(requested)).sum())


def ranges(name: str) -> Any:
    """From and to, (10, 2), by class, without the outermost tenths."""
    card = mnistgen.card("digits").attributes
    assert card is not None
    low, high = np.array(card[name]["ranges"]).T
    return np.stack([low + 0.15 * (high - low), high - 0.15 * (high - low)], 1)


@pytest.mark.parametrize("name", CONTROLLED)
def test_requested_values_are_reached(generator: mnistgen.Generator, name: str) -> None:
    plain = generator.sample(N, seed=1, return_labels=True)
    low, high = ranges(name)[plain.labels].T
    requested = low + np.random.default_rng(0).random(N) * (high - low)
    images, labels = generator.sample(N, seed=1, return_labels=True, **{name: requested})
    assert (labels == plain.labels).all()
    assert determination(getattr(mnistgen.measure(images), name), requested) > LEAST[name]


@pytest.mark.parametrize("name", SPANS)
def test_a_range_is_drawn_from_uniformly(generator: mnistgen.Generator, name: str) -> None:
    low, high = SPANS[name]
    reached = getattr(mnistgen.measure(generator.sample(N, seed=2, **{name: (low, high)})), name)  # type: ignore[call-overload]
    shares = np.sort((reached - low) / (high - low))
    assert np.abs(shares - np.linspace(0, 1, N)).mean() < 0.03
    alike = generator.sample(N, seed=2, **{name: sum(SPANS[name]) / 2})  # type: ignore[call-overload]
    assert getattr(mnistgen.measure(alike), name).std() < reached.std() / 3


def test_the_rest_of_the_style_stays(generator: mnistgen.Generator) -> None:
    plain, slanted = generator.sample(N, seed=3), generator.sample(N, seed=3, slant=0.3)
    before, after = mnistgen.measure(plain), mnistgen.measure(slanted)
    for name in ("thickness", "width"):
        one, other = getattr(before, name), getattr(after, name)
        assert np.corrcoef(one, other)[0, 1] > 0.9
    assert distance(plain, slanted) < 0.7 * distance(plain, generator.sample(N, seed=4, digit=labels(generator)))


def labels(generator: mnistgen.Generator) -> list[int]:
    return list(map(int, generator.sample(N, seed=3, return_labels=True).labels))


def distance(first: UInt8, second: UInt8) -> float:
    return float(np.abs(first.astype(np.float32) - second).mean())


def test_any_slice_and_any_batch(generator: mnistgen.Generator) -> None:
    requested: dict[str, Any] = {"thickness": (2.0, 4.0), "slant": 0.2, "seed": 5}
    whole = generator.sample(300, **requested)
    assert np.abs(generator.sample(100, start=200, **requested).astype(int) - whole[200:]).max() <= 8
    batches = np.concatenate(list(generator.stream(300, batch_size=70, **requested)))
    assert np.abs(batches.astype(int) - whole).max() <= 8
    again = mnistgen.generate(300, **requested)
    assert np.array_equal(again, generator.sample(300, **requested))


def test_each_class_has_its_own_range(generator: mnistgen.Generator) -> None:
    card = mnistgen.card("digits").attributes
    assert card is not None
    wide = mnistgen.measure(generator.sample(20, digit=[0, 1], seed=6, width=15)).width
    assert wide[::2] == pytest.approx(15, abs=1.5)
    assert wide[1::2] == pytest.approx(card["width"]["ranges"][1][1], abs=1.5)


@pytest.mark.parametrize("value", [np.float32(0.25), np.array(0.25), [0.25] * 3, np.full(3, 0.25, np.float16)])
def test_anything_that_numpy_reads(generator: mnistgen.Generator, value: Any) -> None:
    assert np.array_equal(generator.sample(3, seed=1, slant=value), generator.sample(3, seed=1, slant=0.25))


def test_an_unconditional_card_with_attributes(tmp_path: Path) -> None:
    card = mnistgen.card("digits").attributes
    model = write_model(tmp_path, conditional=False, attributes=card)
    with pytest.raises(mnistgen.InputError, match="has no attributes to choose"):
        mnistgen.generate(2, slant=0.1, model=model)


def test_mixtures_have_a_range_between(generator: mnistgen.Generator) -> None:
    mixture = np.full((2, 10), 0.1)
    assert generator.sample(2, labels=mixture, seed=1, thickness=3).shape == (2, 28, 28)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"slant": 2}, "slant: expected a number from -0.612 to 0.8186, got 2"),
        ({"slant": float("nan")}, "slant: expected a number from "),
        ({"slant": True}, "slant: expected a number from "),
        ({"slant": (0.3, 0.1)}, "slant: expected a range from low to high, got (0.3, 0.1)"),
        ({"slant": (0.3, 9)}, "slant: expected a number from "),
        ({"slant": [0.1, 0.2]}, "slant: expected a number, a range (low, high) or floats (3,), from "),
        ({"slant": [0.1, 0.2, 5]}, "slant: expected a number, a range (low, high) or floats (3,), from "),
        ({"slant": [0.1, 0.2, float("nan")]}, "got values from nan to nan"),
        ({"slant": "steep"}, "slant: expected a number, a range (low, high) or floats (3,), from "),
        ({"thickness": 40}, "thickness: expected a number from "),
    ],
)
def test_refused(generator: mnistgen.Generator, given: dict[str, Any], message: str) -> None:
    for call in (generator.sample, generator.stream):
        with pytest.raises(mnistgen.InputError) as error:
            call(3, **given)
        assert message in str(error.value)


def test_models_without_attributes(unconditional_model: Path, conditional_model: Path) -> None:
    for model in (unconditional_model, conditional_model):
        with pytest.raises(mnistgen.InputError) as error:
            mnistgen.generate(3, thickness=2, model=model)
        assert str(error.value) == "thickness: model small has no attributes to choose; models that have: digits"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card["attributes"].pop("slant"), "attributes: damaged; export the model again"),
        (lambda card: card["attributes"]["slant"].update(mean="x"), "attributes: damaged; export the model again"),
        (lambda card: card["attributes"]["slant"].update(mean=[]), "attributes: damaged; export the model again"),
        (lambda card: card["attributes"]["slant"].update(deviation=0), "attributes: expected finite numbers"),
        (lambda card: card["attributes"]["slant"].update(mean=1e300), "attributes: expected finite numbers"),
        (lambda card: card["attributes"].update(sha256="0" * 64), "attributes.onnx: the SHA-256 is not that of card"),
    ],
)
def test_damaged_cards(copied: Path, change: Any, message: str) -> None:
    path = copied / "card.json"
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))
    with pytest.raises(mnistgen.ModelError) as error:
        mnistgen.generate(3, slant=0.1, model=copied)
    assert message in str(error.value)


@pytest.mark.parametrize("content", [None, b"", b"no graph", (MODELS / "digits" / "model.onnx").read_bytes()])
def test_damaged_graphs(copied: Path, content: bytes | None) -> None:
    path = copied / "attributes.onnx"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
        card = json.loads((copied / "card.json").read_text())
        card["attributes"]["sha256"] = hashlib.sha256(content).hexdigest()
        (copied / "card.json").write_text(json.dumps(card))
    with pytest.raises(mnistgen.ModelError) as error:
        mnistgen.generate(3, slant=0.1, model=copied)
    assert "attributes.onnx: " in str(error.value)


def test_command_line(run_cli: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "grid.png"
    arguments = ("--n", 6, "--seed", 1, "--slant", "-0.3:0.5", "--thickness", 3, "--width", "9", "--height", 18.5)
    assert run_cli("sample", *arguments, "--out", path).code == 0
    assert ": every pixel is equal" in run_cli("reproduce", path).out
    assert run_cli("sample", *arguments, "--out", tmp_path / "a.npy").code == 0
    images = mnistgen.generate(6, seed=1, slant=(-0.3, 0.5), thickness=3, width=9, height=18.5)
    assert np.array_equal(np.load(tmp_path / "a.npy"), images)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--slant", "x"), "'--slant': expected a number or a range such as 1.5:4, got 'x'"),
        (("--slant", "1:2:3"), "'--slant': expected a number or a range such as 1.5:4, got '1:2:3'"),
        (("--thickness", "40"), "--thickness: expected a number from "),
        (("--thickness", "3:2"), "--thickness: expected a range from low to high, got (3.0, 2.0)"),
        (("--thickness", "3", "--model", "mlp"), "--thickness: model mlp has no attributes to choose"),
    ],
)
def test_command_line_refuses(run_cli: RunCli, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    assert_refused(run_cli("sample", "--n", 3, "--out", tmp_path / "a.png", *arguments), 2, words)
    assert not list(tmp_path.iterdir())
