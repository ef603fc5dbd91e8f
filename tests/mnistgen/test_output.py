"""mnistgen.show and mnistgen.save, read back with Pillow and NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

import mnistgen

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)


class TestShow:
    def test_grid(self) -> None:
        shown = mnistgen.show(IMAGES, columns=5)
        assert isinstance(shown, Image.Image)
        assert (np.asarray(shown) == mnistgen.grid(IMAGES, columns=5, scale=2)).all()

    def test_single_picture(self) -> None:
        assert (np.asarray(mnistgen.show(IMAGES[0], scale=1)) == IMAGES[0]).all()
        assert mnistgen.show(mnistgen.number("2026", seed=1)).size == (4 * 56, 56)

    @pytest.mark.parametrize("images", [IMAGES / 255, IMAGES[:0], IMAGES[0, 0], [[1]]])
    def test_invalid_arguments(self, images: Any) -> None:
        with pytest.raises(mnistgen.InputError, match=r"images: expected uint8 \(N, "):
            mnistgen.show(images)


class TestSave:
    def test_a_grid(self, tmp_path: Path) -> None:
        mnistgen.save(tmp_path / "grid.png", IMAGES, columns=2, scale=3)
        with Image.open(tmp_path / "grid.png") as read:
            assert (np.asarray(read) == mnistgen.grid(IMAGES, columns=2, scale=3)).all()

    def test_arrays(self, tmp_path: Path) -> None:
        mnistgen.save(str(tmp_path / "digits.npy"), IMAGES)
        assert (np.load(tmp_path / "digits.npy") == IMAGES).all()
        mnistgen.save(tmp_path / "digits.npz", IMAGES, [1, 2, 3, 4, 5])
        with np.load(tmp_path / "digits.npz") as read:
            assert (read["images"] == IMAGES).all()
            assert read["labels"].tolist() == [1, 2, 3, 4, 5]
        mnistgen.save(tmp_path / "alone.npz", IMAGES)
        with np.load(tmp_path / "alone.npz") as read:
            assert list(read) == ["images"]

    @pytest.mark.parametrize("ending", [".gif", ".apng", ".webp"])
    def test_animations(self, tmp_path: Path, ending: str) -> None:
        path = tmp_path / f"digits{ending}"
        mnistgen.save(path, IMAGES, scale=2, fps=10)
        with Image.open(path) as read:
            frames = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(read)]
        assert [frame.shape for frame in frames] == [(56, 56)] * 5
        assert all((frame[::2, ::2] == image).all() for frame, image in zip(frames, IMAGES, strict=True))

    @pytest.mark.parametrize(
        ("name", "arguments", "message"),
        [
            ("a.jpg", {}, r"expected a name ending in .png, .npy, .npz, .gif, .apng, .webp, got '.jpg'"),
            ("a.png", {"labels": [1] * 5}, "labels: expected none for .png; only .npz stores labels"),
            ("a.npz", {"labels": [1, 2]}, r"labels: expected whole numbers \(5,\)"),
            ("a.npz", {"labels": np.eye(10)[:5]}, r"labels: expected whole numbers \(5,\) from 0 to 9, got mixtures"),
            ("a.png", {"scale": 0}, "scale: expected a whole number, 1 or more, got 0"),
            ("a.gif", {"fps": 0}, "fps: expected 1 to 100 frames per second, got 0"),
        ],
    )
    def test_invalid_arguments(self, tmp_path: Path, name: str, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(mnistgen.InputError, match=message):
            mnistgen.save(tmp_path / name, IMAGES, **arguments)
        assert list(tmp_path.iterdir()) == []

    def test_other_images_and_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(mnistgen.InputError, match=r"images: expected uint8 \(N, 28, 28\)"):
            mnistgen.save(tmp_path / "a.npy", IMAGES[0])
        with pytest.raises(mnistgen.OutputError, match="does not exist; create it first"):
            mnistgen.save(tmp_path / "none" / "a.npy", IMAGES)
        with pytest.raises(mnistgen.InputError, match="path: expected a file path, got 3"):
            mnistgen.save(3, IMAGES)  # type: ignore[arg-type]
