"""Attributes on request: reached, in range, the same on every call, and refused where they cannot be had."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mnistgen
from mnistgen._arrays import Float32, UInt8
from tests.conftest import RunCli, assert_refused

N = 1500
# The 5th and 95th percentiles of MNIST's test digits, which every class of the model can have.
SPANS = {"thickness": (1.76, 3.93), "slant": (-0.28, 0.49)}
LEAST = {"thickness": 0.96, "slant": 0.96, "width": 0.96, "height": 0.9}  # coefficients of determination


@pytest.fixture(scope="module")
def generator() -> mnistgen.Generator:
    return mnistgen.Generator("digits", device="cpu")


def class_ranges(name: str) -> Any:
    """From and to, (10, 2), by class."""
    return np.array((mnistgen.card("digits").attributes or {})[name]["ranges"])


def determination(reached: Float32, requested: Any) -> float:
    return float(1 - np.square(reached - requested).sum() / np.square(requested - np.mean(requested)).sum())


def distance(first: UInt8, second: UInt8) -> float:
    return float(np.abs(first.astype(np.float32) - second).mean())


@pytest.mark.parametrize("name", LEAST)
def test_requested_values_are_reached(generator: mnistgen.Generator, name: str) -> None:
    _, drawn = generator.sample_labelled(N, seed=1)
    low, high = class_ranges(name)[drawn].T
    requested = low + np.random.default_rng(0).uniform(0.15, 0.85, N) * (high - low)
    images, labels = generator.sample_labelled(N, seed=1, **{name: requested})
    assert (labels == drawn).all()
    assert determination(getattr(mnistgen.measure(images), name), requested) > LEAST[name]


@pytest.mark.parametrize("name", SPANS)
def test_a_range_is_drawn_from_uniformly(generator: mnistgen.Generator, name: str) -> None:
    def reached(wanted: Any) -> Any:
        return getattr(mnistgen.measure(generator.sample(N, seed=2, **{name: wanted})), name)

    low, high = SPANS[name]
    values = reached((low, high))
    shares = np.sort((values - low) / (high - low))
    assert np.abs(shares - np.linspace(0, 1, N)).mean() < 0.03
    assert reached((low + high) / 2).std() < values.std() / 3


def test_the_rest_of_the_style_stays(generator: mnistgen.Generator) -> None:
    plain, labels = generator.sample_labelled(N, seed=3)
    slanted = generator.sample(N, seed=3, slant=0.3)
    before, after = mnistgen.measure(plain), mnistgen.measure(slanted)
    for name in ("thickness", "width"):
        assert np.corrcoef(getattr(before, name), getattr(after, name))[0, 1] > 0.9
    assert distance(plain, slanted) < 0.7 * distance(plain, generator.sample(labels=labels, seed=4))


def test_every_entry_point_agrees(generator: mnistgen.Generator) -> None:
    requested: dict[str, Any] = {"thickness": (2.0, 4.0), "slant": 0.2, "seed": 5}
    whole, labels = generator.sample_labelled(300, **requested)
    assert np.array_equal(mnistgen.generate(300, **requested), whole)
    assert np.abs(generator.sample(100, start=200, **requested).astype(int) - whole[200:]).max() <= 8
    batches = np.concatenate(list(generator.stream(300, batch_size=70, **requested)))
    assert np.abs(batches.astype(int) - whole).max() <= 8
    decoded = generator.decode(mnistgen.latents(5, n=300), labels, slant=0.2, thickness=[3.0] * 300)
    assert np.array_equal(decoded, generator.sample(300, seed=5, slant=0.2, thickness=3))


def test_each_class_has_its_own_range(generator: mnistgen.Generator) -> None:
    wide = mnistgen.measure(generator.sample(20, digit=[0, 1], seed=6, width=15)).width
    assert wide[::2] == pytest.approx(15, abs=1.5)
    assert wide[1::2] == pytest.approx(class_ranges("width")[1, 1], abs=1.5)
    assert generator.sample(2, labels=np.full((2, 10), 0.1), thickness=3).shape == (2, 28, 28)  # a range between


@pytest.mark.parametrize("value", [np.float32(0.25), np.array(0.25), [0.25] * 3, np.full(3, 0.25, np.float16)])
def test_anything_that_numpy_reads(generator: mnistgen.Generator, value: Any) -> None:
    assert np.array_equal(generator.sample(3, seed=1, slant=value), generator.sample(3, seed=1, slant=0.25))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"slant": 2}, "slant: expected a number from -0.612 to 0.8186, got 2"),
        ({"slant": float("nan")}, "slant: expected a number from "),
        ({"slant": True}, "slant: expected a number from "),
        ({"slant": (0.3, 0.1)}, "slant: expected a range from low to high, got (0.3, 0.1)"),
        ({"slant": (0.3, 9)}, "slant: expected a number from "),
        ({"slant": [0.1, 0.2]}, "slant: expected a number, a range (low, high) or floats (3,), from "),
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


def test_models_without_attributes(conditional_model: Path) -> None:
    with pytest.raises(mnistgen.InputError) as error:
        mnistgen.generate(3, thickness=2, model=conditional_model)
    assert str(error.value) == "thickness: model small has no attributes to choose; models that have: digits"


def test_command_line(run_cli: RunCli, tmp_path: Path) -> None:
    wanted = ("--n", 6, "--seed", 1, "--slant", "-0.3:0.5", "--thickness", 3, "--width", "9", "--height", 18.5)
    assert run_cli("sample", *wanted, "--out", tmp_path / "a.npy").code == 0
    images = mnistgen.generate(6, seed=1, slant=(-0.3, 0.5), thickness=3, width=9, height=18.5)
    assert np.array_equal(np.load(tmp_path / "a.npy"), images)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--slant", "1:2:3"), "'--slant': expected a number or a range such as 1.5:4, got '1:2:3'"),
        (("--thickness", "3:2"), "--thickness: expected a range from low to high, got (3.0, 2.0)"),
        (("--thickness", "3", "--model", "mlp"), "--thickness: model mlp has no attributes to choose"),
    ],
)
def test_command_line_refuses(run_cli: RunCli, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    assert_refused(run_cli("sample", "--n", 3, "--out", tmp_path / "a.png", *arguments), 2, words)
    assert not list(tmp_path.iterdir())
