"""Animations, read back with Pillow."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

import mnistgen
from mnistgen._animation import ANIMATIONS, write_animation
from mnistgen._arrays import UInt8


@pytest.fixture
def frames() -> UInt8:
    """Ten frames; the fifth and sixth are equal."""
    frames = np.random.default_rng(1).integers(0, 256, (10, 28, 28), np.uint8)
    frames[5] = frames[4]
    return frames


@pytest.mark.parametrize("ending", ANIMATIONS)
def test_formats_preserve_pixels(ending: str, frames: UInt8, tmp_path: Path) -> None:
    path = tmp_path / f"walk{ending}"
    write_animation(path, frames, fps=25, scale=2)
    with Image.open(path) as picture:
        assert picture.size == (56, 56)
        assert picture.info["loop"] == 0  # forever
        shown, milliseconds = [], []
        for frame in ImageSequence.Iterator(picture):
            shown.append(np.asarray(frame.convert("L"))[::2, ::2])
            milliseconds.append(frame.info["duration"])
    assert sum(milliseconds) == pytest.approx(400)
    expected = frames if len(shown) == 10 else np.delete(frames, 5, axis=0)  # equal frames are merged
    assert np.array_equal(np.stack(shown), expected)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("walk.mp4", {}, "walk.mp4: expected a name ending in .gif, .apng, .webp, got '.mp4'"),
        ("walk.gif", {"fps": 0}, "fps: expected 1 to 100 frames per second, got 0"),
        ("walk.gif", {"fps": float("nan")}, "fps: expected 1 to 100 frames per second, got nan"),
        ("walk.gif", {"scale": 0}, "scale: expected a whole number, 1 or more, got 0"),
    ],
)
def test_invalid_arguments(name: str, options: dict[str, float], message: str, frames: UInt8, tmp_path: Path) -> None:
    with pytest.raises(mnistgen.InputError) as error:
        write_animation(tmp_path / name, frames, **options)  # type: ignore[arg-type]
    assert str(error.value).endswith(message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        (
            "walk.webp",
            (2, 28, 16_384),
            "expected sides of at most 16,383 pixels, got 16,384; choose a smaller scale or .apng",
        ),
        (
            "walk.webp",
            (2, 16_384, 1),
            "expected sides of at most 16,383 pixels, got 16,384; choose a smaller scale or .apng",
        ),
        (
            "walk.gif",
            (2, 1, 65_536),
            "expected sides of at most 65,535 pixels, got 65,536; choose a smaller scale or .apng",
        ),
        ("walk.apng", (2**13, 128, 128), "picture: expected at most 67,108,864 pixels in total, got 134,217,728"),
        ("walk.gif", (2, 0, 28), "frames: expected uint8 (N, H, W), N at least 1, got uint8 (2, 0, 28)"),
        ("walk.gif", (28, 28), "frames: expected uint8 (N, H, W), N at least 1, got uint8 (28, 28)"),
    ],
)
def test_too_large_sizes(name: str, shape: tuple[int, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(mnistgen.InputError) as error:
        write_animation(tmp_path / name, np.zeros(shape, np.uint8), scale=1)
    assert message in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "width"), [("walk.webp", 16_383), ("walk.gif", 65_535), ("walk.apng", 65_536)])
def test_largest_sizes(name: str, width: int, tmp_path: Path) -> None:
    write_animation(tmp_path / name, np.zeros((1, 1, width), np.uint8), scale=1)
    with Image.open(tmp_path / name) as picture:
        assert picture.size == (width, 1)


def test_missing_folder(frames: UInt8, tmp_path: Path) -> None:
    with pytest.raises(mnistgen.OutputError, match="does not exist; create it first"):
        write_animation(tmp_path / "none" / "walk.gif", frames)
