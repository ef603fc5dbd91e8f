"""Encoded handwriting: reconstructions, styles, data sets in a style, and what is refused."""

import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mnistgen
from mnistgen._arrays import UInt8
from tests.conftest import RunCli, assert_refused

DATA = Path(__file__).resolve().parents[1] / "data" / "MNIST" / "raw"


@pytest.fixture(scope="module")
def generator() -> mnistgen.Generator:
    return mnistgen.Generator("digits", device="cpu")


@pytest.fixture(scope="module")
def real() -> UInt8:
    """128 of MNIST's test digits."""
    return np.fromfile(DATA / "t10k-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28)


@pytest.fixture(scope="module")
def labels() -> Any:
    return np.fromfile(DATA / "t10k-labels-idx1-ubyte", np.uint8, offset=8).astype(np.int64)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture of three digits side by side, dark on light."""
    digits = mnistgen.number("274", seed=3)
    mnistgen.show(255 - np.pad(digits, 10), scale=6).save(tmp_path / "page.png")
    return tmp_path / "page.png"


def errors(images: UInt8, others: UInt8) -> Any:
    """Mean squared error per pixel, 0 to 1, of each image."""
    return np.square(images / 255 - others / 255).mean(axis=(1, 2))


def test_real_digits_are_reproduced(generator: mnistgen.Generator, real: UInt8, labels: Any) -> None:
    many = np.tile(real, (5, 1, 1))  # more than one batch
    latents, read = generator.encode(many)
    assert (latents.shape, latents.dtype.name) == ((640, 64), "float32")
    assert (read.shape, read.dtype.name) == ((640,), "int64")
    assert (read[:128] == labels).mean() > 0.97
    assert errors(generator.decode(latents[:128], labels), real).mean() < 0.012
    assert np.allclose(latents[-128:], latents[:128], atol=1e-4)
    again = pickle.loads(pickle.dumps(generator))  # noqa: S301 - our own bytes
    assert np.allclose(again.encode(real[:2]).latents, latents[:2], atol=1e-4)


def test_refinement_improves_every_digit(generator: mnistgen.Generator, real: UInt8, labels: Any) -> None:
    some, known = real[:40], labels[:40]
    before, after = (
        errors(generator.decode(generator.encode(some, known, steps=steps).latents, known), some) for steps in (0, 3)
    )
    assert after.mean() < 0.85 * before.mean()
    assert (after < before + 0.002).all()


def test_many_steps(generator: mnistgen.Generator, real: UInt8) -> None:
    few, many = (errors(generator.decode(*generator.encode(real[:1], steps=n)), real[:1]) for n in (5, 120))
    assert many[0] <= few[0]


def test_labels_matter_with_steps(generator: mnistgen.Generator, real: UInt8) -> None:
    read, eights = (generator.encode(real[:4], given, steps=2) for given in (None, 8))
    assert np.abs(read.latents - eights.latents).max() > 0.1
    assert np.array_equal(read.labels, eights.labels)
    assert np.array_equal(generator.encode(real[:4], 8).latents, generator.encode(real[:4]).latents)


def test_style_carries_over_to_other_digits(generator: mnistgen.Generator, real: UInt8, labels: Any) -> None:
    latents = generator.encode(real).latents
    source = mnistgen.measure(real)
    others = [mnistgen.measure(generator.decode(latents, (labels + shift) % 10)) for shift in (1, 4, 7)]
    for name in ("thickness", "slant"):
        mean = np.mean([getattr(other, name) for other in others], axis=0)
        assert np.corrcoef(getattr(source, name), mean)[0, 1] > 0.75, name


def test_numbers_and_imitations_agree(generator: mnistgen.Generator, real: UInt8) -> None:
    latents = generator.encode(real[:3]).latents
    number = generator.number("20 26", style=latents)
    assert number.shape == (28, 5 * 28)
    assert np.array_equal(number, generator.number("20 26", style=latents.mean(axis=0)))
    assert np.array_equal(number, mnistgen.number("20 26", style=latents))
    assert np.array_equal(number, mnistgen.imitate(real[:3], "20 26"))
    assert mnistgen.imitate(real[:1]).shape == (28, 10 * 28)
    assert not np.array_equal(mnistgen.imitate(real[:1], steps=2), mnistgen.imitate(real[:1]))


def test_pictures_are_imitated(picture: Path) -> None:
    written = mnistgen.imitate(picture, "7")
    assert np.array_equal(written, mnistgen.imitate([picture], "7"))
    assert np.array_equal(written, mnistgen.imitate(mnistgen.read_digits(picture), "7"))
    assert not np.array_equal(written, mnistgen.imitate(picture, "7", labels=[2, 7, 4]))
    original, other = (mnistgen.number("7", seed=seed) for seed in (3, 4))
    assert errors(written[None], original[None]) < errors(written[None], other[None])


def test_dark_digits_on_a_light_ground_cause_a_warning(generator: mnistgen.Generator, real: UInt8) -> None:
    inverted = np.concatenate([real[:3], 255 - real[3:5]])
    for call in (generator.encode, mnistgen.measure):
        with pytest.warns(UserWarning, match=r"2 of 5 look like dark digits .*255 - images") as caught:
            call(inverted)
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            call(real)


def refused(call: Callable[[], object]) -> str:
    """The message of an InputError, one line."""
    with pytest.raises(mnistgen.InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_refused_arguments(generator: mnistgen.Generator, conditional_model: Path, real: UInt8) -> None:
    some = real[:2]
    assert refused(lambda: generator.encode(some * 0)) == "images: expected digits, got 2 blank images"
    assert "255 and round them" in refused(lambda: generator.encode(some / 255))
    assert "images: expected uint8" in refused(lambda: generator.encode(some[:, :20]))
    assert "steps: expected a whole number, 0" in refused(lambda: generator.encode(some, steps=-1))
    assert "labels: expected whole numbers (2,)" in refused(lambda: generator.encode(some, [1, 2, 3]))
    assert "style: expected float (N, 64) or (64,)" in refused(lambda: mnistgen.number("1", style=np.zeros(100)))
    assert "style: expected latents (64,) or (M, 64)" in refused(lambda: mnistgen.number("1", style=np.zeros((0, 64))))
    assert "seed: expected none" in refused(lambda: mnistgen.number("1", style=np.zeros(64), seed=1))
    assert "text: expected digits" in refused(lambda: mnistgen.imitate(some, "x"))
    message = refused(lambda: mnistgen.Generator(conditional_model).encode(some))
    assert message == "images: model small has no encoder; models that have one: digits"


class TestDataSets:
    """Data sets in one handwriting style."""

    def test_style_and_spread(self, generator: mnistgen.Generator, real: UInt8, tmp_path: Path) -> None:
        wanted: dict[str, Any] = {"n": 200, "test": 0, "seed": 1, "format": "npz"}
        style = generator.encode(real[:2]).latents
        mnistgen.write_dataset(tmp_path / "same", **wanted, style=style, spread=0)
        with np.load(tmp_path / "same" / "mnist.npz") as arrays:
            for image, digit in zip(arrays["x_train"], arrays["y_train"], strict=True):
                assert (np.abs(image - generator.number(str(digit), style=style).astype(int)) <= 1).all()
        mnistgen.write_dataset(tmp_path / "spread", **wanted, style=style, thickness=3)
        with np.load(tmp_path / "spread" / "mnist.npz") as arrays:
            images, thickness = arrays["x_train"][arrays["y_train"] == 5], arrays["thickness_train"]
        assert 0 < errors(images, images[::-1]).mean() < 0.05
        assert np.abs(thickness - 3).mean() < 0.2

    def test_command_takes_pictures(self, run_cli: RunCli, picture: Path, tmp_path: Path) -> None:
        wanted = ("--out", tmp_path / "data", "--n", 10, "--test", 5, "--seed", 1, "--spread", 0.1)
        outcome = run_cli("dataset", *wanted, "--style", picture, "--style", picture)
        assert outcome.code == 0, outcome.err
        plan = json.loads((tmp_path / "data" / "dataset.json").read_text())
        expected = mnistgen.Generator().encode(mnistgen.read_digits(picture).images).latents.mean(axis=0)
        assert (plan["spread"], plan["style"]) == (0.1, pytest.approx(expected.tolist(), abs=1e-5))


class TestCommand:
    def test_writes_a_number(self, run_cli: RunCli, picture: Path, tmp_path: Path) -> None:
        out = tmp_path / "number.png"
        outcome = run_cli("imitate", picture, "--text", "2026", "--out", out, "--scale", 1)
        expected = f"{out}: 2026 from digits, in the handwriting of 3 digits read as 2, 7, 4\n"
        assert (outcome.code, outcome.out) == (0, expected)
        with Image.open(out) as written:
            assert np.array_equal(np.asarray(written), mnistgen.imitate(picture, "2026"))
        assert run_cli("imitate", picture, picture, "--text", "20 26", "--out", out, "--show").code == 0
        with Image.open(out) as sheet:
            assert sheet.size == (12 * 32 * 4, 7 * 32 * 4)

    def test_refused(self, run_cli: RunCli, picture: Path, tmp_path: Path) -> None:
        out = ("--out", tmp_path / "number.png")
        assert_refused(run_cli("imitate", "missing.png", *out), 2, "missing.png: expected a picture")
        assert_refused(run_cli("imitate", picture, "--model", "mlp", *out), 2, "model mlp has no encoder")
        assert list(tmp_path.iterdir()) == [picture]
