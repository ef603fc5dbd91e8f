"""Animations, as Pillow reads them back."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

import mnistgen
from mnistgen._animation import ANIMATIONS, write_animation
from mnistgen._arrays import UInt8


@pytest.fixture
def frames() -> UInt8:
    """Ten frames, the fifth and sixth of them alike."""
    frames = np.random.default_rng(1).integers(0, 256, (10, 28, 28), np.uint8)
    frames[5] = frames[4]
    return frames


@pytest.mark.parametrize("ending", ANIMATIONS)
def test_every_format_shows_every_pixel(ending: str, frames: UInt8, tmp_path: Path) -> None:
    path = tmp_path / f"walk{ending}"
    write_animation(path, frames, fps=25, scale=2)
    with Image.open(path) as picture:
        assert picture.size == (56, 56)
        assert picture.info["loop"] == 0  # for ever
        shown, milliseconds = [], []
        for frame in ImageSequence.Iterator(picture):
            shown.append(np.asarray(frame.convert("L"))[::2, ::2])
            milliseconds.append(frame.info["duration"])
    assert sum(milliseconds) == pytest.approx(400)
    expected = frames if len(shown) == 10 else np.delete(frames, 5, axis=0)  # one frame for two that are alike
    assert np.array_equal(np.stack(shown), expected)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("walk.mp4", {}, "walk.mp4: expected a name ending in .gif, .apng, .webp, got '.mp4'"),
        ("walk.gif", {"fps": 0}, "fps: expected 1 to 100 frames a second, got 0"),
        ("walk.gif", {"fps": float("nan")}, "fps: expected 1 to 100 frames a second, got nan"),
        ("walk.gif", {"scale": 0}, "scale: expected a whole number, 1 or more, got 0"),
    ],
)
def test_refuses(name: str, options: dict[str, float], message: str, frames: UInt8, tmp_path: Path) -> None:
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
        ("walk.apng", (2**13, 128, 128), "picture: expected at most 67,108,864 pixels in all, got 134,217,728"),
        ("walk.gif", (2, 0, 28), "frames: expected uint8 (N, H, W), one or more, got uint8 (2, 0, 28)"),
        ("walk.gif", (28, 28), "frames: expected uint8 (N, H, W), one or more, got uint8 (28, 28)"),
    ],
)
def test_refuses_sizes_that_no_file_holds(name: str, shape: tuple[int, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(mnistgen.InputError) as error:
        write_animation(tmp_path / name, np.zeros(shape, np.uint8), scale=1)
    assert message in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "width"), [("walk.webp", 16_383), ("walk.gif", 65_535), ("walk.apng", 65_536)])
def test_sides_that_are_just_short_enough(name: str, width: int, tmp_path: Path) -> None:
    write_animation(tmp_path / name, np.zeros((1, 1, width), np.uint8), scale=1)
    with Image.open(tmp_path / name) as picture:
        assert picture.size == (width, 1)


def test_a_missing_folder(frames: UInt8, tmp_path: Path) -> None:
    with pytest.raises(mnistgen.OutputError, match="does not exist; make it first"):
        write_animation(tmp_path / "none" / "walk.gif", frames)
