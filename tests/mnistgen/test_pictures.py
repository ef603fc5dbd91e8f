"""Pictures and files of digits: grid, show and save, read back with Pillow and NumPy."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageSequence

import mnistgen
from mnistgen._loaded import to_uint8

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
NUMBER = IMAGES.swapaxes(0, 1).reshape(28, -1)  # a picture (28, 140)


def test_rounds_to_nearest() -> None:
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    assert (to_uint8(levels.copy()) == np.arange(256)).all()
    assert (to_uint8((levels + np.float32(0.4 / 255))[:255]) == np.arange(255)).all()


class TestGrid:
    @given(count=st.integers(1, 40), columns=st.none() | st.integers(1, 50), scale=st.integers(1, 3))
    def test_layout(self, count: int, columns: int | None, scale: int) -> None:
        images = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)
        picture = mnistgen.grid(images, columns, scale)[::scale, ::scale]
        rows, across = picture.shape[0] // 32, picture.shape[1] // 32
        assert rows * across >= count > (rows - 1) * across
        assert across == (min(columns, count) if columns else across)
        cells = picture.reshape(rows, 32, across, 32).swapaxes(1, 2).reshape(-1, 32, 32)
        assert (cells[:count, 2:30, 2:30] == images).all()
        assert cells.sum() == images.sum()

    @pytest.mark.parametrize(("count", "shape"), [(64, (256, 256)), (5, (64, 96)), (1, (32, 32))])
    def test_smallest_square(self, count: int, shape: tuple[int, int]) -> None:
        assert mnistgen.grid(np.zeros((count, 28, 28), np.uint8)).shape == shape

    @pytest.mark.parametrize(
        ("images", "arguments", "message"),
        [
            (IMAGES, {"columns": 0}, "columns: expected a whole number, 1 or more, got 0"),
            (IMAGES, {"scale": -1}, "scale: expected a whole number, 1 or more, got -1"),
            (IMAGES, {"scale": 1000}, "picture: expected at most 67,108,864 pixels in total, got 6,144,000,000"),
            (IMAGES[:0], {}, "images: expected uint8 (N, 28, 28), N at least 1, got uint8 (0, 28, 28)"),
            (IMAGES / 255, {}, "got float64 (5, 28, 28); multiply pixels from 0 to 1 by 255 and round them"),
            ([[1], [2, 3]], {}, "got a value that NumPy cannot convert"),
        ],
    )
    def test_refused(self, images: Any, arguments: dict[str, int], message: str) -> None:
        with pytest.raises(mnistgen.InputError) as error:
            mnistgen.grid(images, **arguments)
        assert message in str(error.value)


class TestShow:
    def test_images_and_pictures(self) -> None:
        shown = mnistgen.show(IMAGES, columns=5)
        assert isinstance(shown, Image.Image)
        assert (np.asarray(shown) == mnistgen.grid(IMAGES, columns=5, scale=2)).all()
        assert (np.asarray(mnistgen.show(NUMBER, scale=1)) == NUMBER).all()

    def test_labelled_images(self, conditional_model: Path) -> None:
        with pytest.raises(mnistgen.InputError, match="; unpack the tuple first"):
            mnistgen.show(mnistgen.generate_labelled(3, model=conditional_model))

    @pytest.mark.parametrize("images", [IMAGES / 255, IMAGES[:0], IMAGES[0, 0], [[1]]])
    def test_refused(self, images: Any) -> None:
        with pytest.raises(mnistgen.InputError, match=r"images: expected uint8 \(N, "):
            mnistgen.show(images)


class TestSave:
    @pytest.mark.parametrize("images", [IMAGES, NUMBER])
    def test_takes_what_show_takes(self, tmp_path: Path, images: Any) -> None:
        mnistgen.save(tmp_path / "a.png", images, columns=2, scale=3)
        with Image.open(tmp_path / "a.png") as read:
            assert read.mode == "L"
            assert (np.asarray(read) == np.asarray(mnistgen.show(images, columns=2, scale=3))).all()

    def test_an_open_file(self) -> None:
        file = io.BytesIO()
        mnistgen.save(file, NUMBER)
        with Image.open(file, formats=["PNG"]) as read:
            assert (np.asarray(read) == NUMBER).all()

    def test_arrays(self, tmp_path: Path) -> None:
        mnistgen.save(str(tmp_path / "digits.npy"), IMAGES)
        assert (np.load(tmp_path / "digits.npy") == IMAGES).all()
        mnistgen.save(
            tmp_path / "digits.npz",
            IMAGES,
            [1, 2, 3, 4, 5],
            record={"seed": np.uint64(7), "model": "small", "images": 1},
        )
        with np.load(tmp_path / "digits.npz") as read:
            assert (read["images"] == IMAGES).all()
            assert read["labels"].tolist() == [1, 2, 3, 4, 5]
            assert (read["seed"].dtype, int(read["seed"]), str(read["model"])) == (np.uint64, 7, "small")
        mnistgen.save(tmp_path / "alone.npz", NUMBER)
        with np.load(tmp_path / "alone.npz") as read:
            assert list(read) == ["images"]

    @pytest.mark.parametrize("ending", [".gif", ".apng", ".webp"])
    def test_animations(self, tmp_path: Path, ending: str) -> None:
        frames = np.concatenate([IMAGES, IMAGES[-1:]])  # the last two are equal: Pillow may merge them
        mnistgen.save(tmp_path / f"a{ending}", frames, scale=2, fps=25)
        with Image.open(tmp_path / f"a{ending}") as read:
            assert read.info["loop"] == 0  # forever
            shown = [(np.asarray(it.convert("L")), it.info["duration"]) for it in ImageSequence.Iterator(read)]
        assert sum(milliseconds for _, milliseconds in shown) == 240
        for (pixels, _), image in zip(shown, frames, strict=False):
            assert (pixels[::2, ::2] == image).all()
        mnistgen.save(tmp_path / f"b{ending}", NUMBER)
        with Image.open(tmp_path / f"b{ending}") as read:
            assert (np.asarray(read.convert("L")) == NUMBER).all()

    @pytest.mark.parametrize("ending", [".png", ".apng", ".gif", ".webp"])
    def test_pictures_record(self, tmp_path: Path, ending: str) -> None:
        record = {"model": "ü", "seed": 2**64 - 1, "arguments": '{"n": 2}'}
        mnistgen.save(tmp_path / f"a{ending}", IMAGES, record=record)
        texts = {"Software": f"mnistgen {mnistgen.__version__}", "model": "\\xfc", "seed": str(2**64 - 1)}
        texts["arguments"] = '{"n": 2}'
        with Image.open(tmp_path / f"a{ending}") as read:
            if ending in (".png", ".apng"):
                found = {name: str(read.info[name]) for name in texts}
            else:
                lines = read.info["comment"].decode() if ending == ".gif" else read.getexif()[0x010E]
                found = dict(line.split(": ", 1) for line in lines.splitlines())
        assert found == texts

    @pytest.mark.parametrize(
        ("name", "arguments", "message"),
        [
            ("a.jpg", {}, "expected a name ending in .png, .npz, .npy, .gif, .apng, .webp, got .jpg"),
            ("a", {}, ".webp, got none"),
            ("a.png", {"labels": [1] * 5}, "labels: expected none for .png; only .npz stores labels"),
            ("a.npz", {"labels": [1, 2]}, "labels: expected whole numbers (5,)"),
            (
                "a.npz",
                {"labels": np.full((5, 10), 0.1)},
                "labels: expected whole numbers (5,), got float64 (5, 10)",
            ),
            ("a.png", {"scale": 0}, "scale: expected a whole number, 1 or more, got 0"),
            ("a.gif", {"fps": 0}, "fps: expected a number from 1 to 100, got 0"),
            ("a.gif", {"scale": 10_000}, "picture: expected at most 67,108,864 pixels in total"),
        ],
    )
    def test_refused(self, tmp_path: Path, name: str, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(mnistgen.InputError) as error:
            mnistgen.save(tmp_path / name, IMAGES, **arguments)
        assert message in str(error.value)
        assert list(tmp_path.iterdir()) == []

    def test_too_wide_for_webp(self, tmp_path: Path) -> None:
        with pytest.raises(mnistgen.InputError, match=r"\.webp: .* 16383 pixels; choose a smaller scale, or \.png"):
            mnistgen.save(tmp_path / "a.webp", np.zeros((1, 16_384), np.uint8))
        assert list(tmp_path.iterdir()) == []

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(mnistgen.OutputError, match="does not exist; create it first"):
            mnistgen.save(tmp_path / "none" / "a.npy", IMAGES)
