"""Encoded handwriting: reconstructions, styles, data sets in a style, and what is refused."""

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mnistgen
from mnistgen._arrays import UInt8
from mnistgen._model import MODELS
from tests.conftest import RunCli, assert_refused, contents, write_model

DATA = Path(__file__).resolve().parents[1] / "data" / "MNIST" / "raw"


@pytest.fixture(scope="module")
def generator() -> mnistgen.Generator:
    return mnistgen.Generator("digits", device="cpu")


@pytest.fixture(scope="module")
def real() -> UInt8:
    """128 of MNIST's test digits."""
    content = (DATA / "t10k-images-idx3-ubyte").read_bytes()
    return np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28)


@pytest.fixture(scope="module")
def labels() -> Any:
    content = (DATA / "t10k-labels-idx1-ubyte").read_bytes()
    return np.frombuffer(content, np.uint8, offset=8).astype(np.int64)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture of three digits side by side, dark on light."""
    drawn = np.concatenate(list(mnistgen.generate(digit=[2, 7, 4], seed=3)), axis=1)
    path = tmp_path / "page.png"
    mnistgen.show(255 - np.pad(drawn, 10), scale=6).save(path)
    return path


def errors(images: UInt8, others: UInt8) -> Any:
    """Mean squared error per pixel, 0 to 1, of each image."""
    return np.square(images / 255 - others / 255).mean(axis=(1, 2))


def test_real_digits_are_reproduced(generator: mnistgen.Generator, real: UInt8, labels: Any) -> None:
    latents, read = generator.encode(real, return_labels=True)
    assert latents.shape == (128, 64)
    assert latents.dtype == np.float32
    assert (read == labels).mean() > 0.97
    assert errors(generator.decode(latents, labels), real).mean() < 0.012


def test_refinement_improves_every_digit(generator: mnistgen.Generator, real: UInt8, labels: Any) -> None:
    some, known = real[:40], labels[:40]
    before, after = (errors(generator.decode(generator.encode(some, known, steps=n), known), some) for n in (0, 3))
    assert after.mean() < 0.85 * before.mean()
    assert (after < before + 0.002).all()


def test_labels_matter_with_steps(generator: mnistgen.Generator, real: UInt8) -> None:
    read, eights = (generator.encode(real[:4], given, steps=2) for given in (None, 8))
    assert np.abs(read - eights).max() > 0.1
    assert np.array_equal(generator.encode(real[:4], 8), generator.encode(real[:4]))


def test_any_batch(generator: mnistgen.Generator, real: UInt8) -> None:
    many = np.tile(real, (5, 1, 1))  # more than one chunk
    latents = generator.encode(many)
    assert np.allclose(latents[-128:], latents[:128], atol=1e-4)
    assert np.allclose(generator.encode(many[7:9]), latents[7:9], atol=1e-4)


def test_style_carries_over_to_other_digits(generator: mnistgen.Generator, real: UInt8, labels: Any) -> None:
    latents = generator.encode(real)
    source = mnistgen.measure(real)
    others = [mnistgen.measure(generator.decode(latents, (labels + shift) % 10)) for shift in (1, 4, 7)]
    for name in ("thickness", "slant"):
        mean = np.mean([getattr(other, name) for other in others], axis=0)
        assert np.corrcoef(getattr(source, name), mean)[0, 1] > 0.75, name


def test_number_and_imitation(generator: mnistgen.Generator, real: UInt8) -> None:
    latents = generator.encode(real[:3])
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
    original, other = (mnistgen.generate(1, digit=7, seed=seed, start=1) for seed in (3, 4))
    assert errors(written[None], original)[0] < errors(written[None], other)[0]


def test_pickled_generators_encode(generator: mnistgen.Generator, real: UInt8) -> None:
    again = pickle.loads(pickle.dumps(generator))  # noqa: S301 - our own bytes
    assert np.array_equal(again.encode(real[:3]), generator.encode(real[:3]))


def refused(call: Callable[[], object], error: type[Exception] = mnistgen.InputError) -> str:
    """The message of an error, one line."""
    with pytest.raises(error) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_refused_arguments(generator: mnistgen.Generator, real: UInt8) -> None:
    some = real[:2]
    blank = np.stack([real[0], np.zeros((28, 28), np.uint8)])
    assert refused(lambda: generator.encode(blank)) == "images: expected digits, got 1 blank image"
    assert "images: expected uint8" in refused(lambda: generator.encode(some / 255))  # type: ignore[arg-type]
    assert "images: expected uint8" in refused(lambda: generator.encode(some[:, :20]))
    assert "steps: expected a whole number, 0" in refused(lambda: generator.encode(some, steps=-1))
    assert "labels: expected whole numbers (2,)" in refused(lambda: generator.encode(some, [1, 2, 3]))
    assert "style: expected float (N, 64) or (64,)" in refused(lambda: mnistgen.number("1", style=np.zeros(100)))
    assert "style: expected latents (64,) or (M, 64)" in refused(lambda: mnistgen.number("1", style=np.zeros((0, 64))))
    assert "seed: expected none" in refused(lambda: mnistgen.number("1", style=np.zeros(64), seed=1))
    assert "text: expected digits" in refused(lambda: mnistgen.imitate(some, "x"))


def test_models_without_an_encoder(conditional_model: Path, unconditional_model: Path, real: UInt8) -> None:
    for model in (conditional_model, unconditional_model):
        message = refused(lambda model=model: mnistgen.Generator(model).encode(real))  # type: ignore[misc]
        assert message == "images: model small has no encoder; models that have one: digits"


@pytest.mark.parametrize("content", [None, b"", b"no graph", (MODELS / "digits" / "model.onnx").read_bytes()])
def test_damaged_encoders(tmp_path: Path, real: UInt8, content: bytes | None) -> None:
    model = Path(shutil.copytree(MODELS / "digits", tmp_path / "copied"))
    path, card = model / "encoder.onnx", json.loads((model / "card.json").read_text())
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
        assert "the SHA-256 is not that of card.json" in refused(
            lambda: mnistgen.Generator(model).encode(real), mnistgen.ModelError
        )
        card["encoder"]["sha256"] = hashlib.sha256(content).hexdigest()
        (model / "card.json").write_text(json.dumps(card))
    assert "encoder.onnx: " in refused(lambda: mnistgen.Generator(model).encode(real), mnistgen.ModelError)


def test_refinement_survives_flat_and_steep_models(tmp_path: Path, real: UInt8) -> None:
    model = mnistgen.Generator(write_model(tmp_path / "small"))
    from mnistgen._encoder import refine

    start = np.zeros((5, 10), np.float32)
    classes = np.eye(10, dtype=np.float32)[:5]
    before, after = (
        errors(model.decode(latents, classes), real[:5]).mean()
        for latents in (start, refine(model.decode, real[:5], start, classes, 4))
    )
    assert after < before
    same = refine(lambda latents, classes: np.repeat(real[:1], len(latents), axis=0), real[:5], start, classes, 3)
    assert np.array_equal(same, start)


class TestDataSets:
    """Data sets in one handwriting style."""

    def test_style_and_spread(self, generator: mnistgen.Generator, real: UInt8, tmp_path: Path) -> None:
        style = generator.encode(real[:2])
        mnistgen.write_dataset(tmp_path / "same", n=200, test=10, seed=1, format="npz", style=style, spread=0)
        with np.load(tmp_path / "same" / "mnist.npz") as arrays:
            for digit in range(10):
                images = arrays["x_train"][arrays["y_train"] == digit]
                expected = generator.number(str(digit), style=style)
                assert (np.abs(images - expected.astype(int)) <= 1).all()
        mnistgen.write_dataset(tmp_path / "spread", n=200, test=10, seed=1, format="npz", style=style, thickness=3)
        with np.load(tmp_path / "spread" / "mnist.npz") as arrays:
            images, thickness = arrays["x_train"][arrays["y_train"] == 5], arrays["thickness_train"]
        assert 0 < errors(images, images[::-1]).mean() < 0.05
        assert np.abs(thickness - 3).mean() < 0.2

    def test_every_byte_and_every_picture_is_reproduced(
        self, run_cli: RunCli, generator: mnistgen.Generator, real: UInt8, tmp_path: Path
    ) -> None:
        arguments: dict[str, Any] = {
            "n": 20,
            "test": 5,
            "seed": 1,
            "format": "png",
            "style": generator.encode(real[:1]),
        }
        mnistgen.write_dataset(tmp_path / "one", **arguments, slant=(-0.2, 0.3))
        mnistgen.write_dataset(tmp_path / "two", **arguments, slant=(-0.2, 0.3), workers=2)
        assert contents(tmp_path / "one") == contents(tmp_path / "two")
        assert run_cli("reproduce", tmp_path / "one" / "dataset.json", "--threads", 1).code == 0
        picture = next((tmp_path / "one").rglob("*.png"))
        assert run_cli("reproduce", picture, "--threads", 1).code == 0
        with pytest.raises(mnistgen.InputError, match="was started with"):
            mnistgen.write_dataset(tmp_path / "one", **arguments, slant=(-0.2, 0.3), spread=0.5, resume=True)

    def test_command_takes_a_picture(self, run_cli: RunCli, picture: Path, tmp_path: Path) -> None:
        arguments = ("--out", tmp_path / "data", "--n", 10, "--test", 5, "--seed", 1, "--workers", 1)
        outcome = run_cli("dataset", *arguments, "--style", picture, "--style", picture, "--spread", 0.1)
        assert outcome.code == 0, outcome.err
        plan = json.loads((tmp_path / "data" / "dataset.json").read_text())
        expected = mnistgen.Generator().encode(mnistgen.read_digits(picture)).mean(axis=0)
        assert (plan["spread"], plan["style"]) == (0.1, pytest.approx(expected.tolist(), abs=1e-5))

    def test_refused(self, tmp_path: Path) -> None:
        arguments: dict[str, Any] = {"out": tmp_path / "data", "n": 10, "seed": 1}
        assert "style: expected float (N, 64)" in refused(
            lambda: mnistgen.write_dataset(**arguments, style=np.zeros(100))
        )
        assert "spread: expected a number from 0 to 1, got 2" in refused(
            lambda: mnistgen.write_dataset(**arguments, style=np.zeros(64), spread=2)
        )
        assert not list(tmp_path.iterdir())


class TestCommand:
    def test_writes_a_number(self, run_cli: RunCli, picture: Path, tmp_path: Path) -> None:
        out = tmp_path / "number.png"
        outcome = run_cli("imitate", picture, "--text", "2026", "--out", out, "--scale", 1)
        expected = f"{out}: 2026 from digits, in the handwriting of 3 digits read as 2, 7, 4\n"
        assert (outcome.code, outcome.out) == (0, expected)
        from PIL import Image

        with Image.open(out) as written:
            assert np.array_equal(np.asarray(written), mnistgen.imitate(picture, "2026"))
        again = run_cli("reproduce", out)
        assert again.code == 0, again.err

    def test_shows_reconstructions(self, run_cli: RunCli, picture: Path, tmp_path: Path) -> None:
        outcome = run_cli("imitate", picture, picture, "--text", "20 26", "--out", tmp_path / "a.png", "--show")
        assert outcome.code == 0, outcome.err
        from PIL import Image

        with Image.open(tmp_path / "a.png") as sheet:
            assert sheet.size == (12 * 32 * 4, 7 * 32 * 4)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("missing.png",), "missing.png"),
            (("page.png", "--text", "x"), "text: expected digits and spaces"),
            (("page.png", "--model", "mlp"), "model mlp has no encoder"),
        ],
    )
    def test_refused(
        self,
        run_cli: RunCli,
        picture: Path,
        monkeypatch: pytest.MonkeyPatch,
        arguments: tuple[str, ...],
        words: str,
    ) -> None:
        monkeypatch.chdir(picture.parent)
        assert_refused(run_cli("imitate", *arguments, "--out", "number.png"), 2, words)
        assert [path.name for path in picture.parent.iterdir()] == ["page.png"]
