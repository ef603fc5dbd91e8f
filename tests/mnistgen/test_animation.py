"""Animations, as Pillow reads them back."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

import mnistgen
from mnistgen.animation import ANIMATIONS, write_animation
from mnistgen.images import UInt8


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
        ("walk.gif", {"scale": 0}, "scale: expected 1 or more, got 0"),
    ],
)
def test_refuses(name: str, options: dict[str, float], message: str, frames: UInt8, tmp_path: Path) -> None:
    with pytest.raises(mnistgen.InputError) as error:
        write_animation(tmp_path / name, frames, **options)  # type: ignore[arg-type]
    assert str(error.value).endswith(message)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder(frames: UInt8, tmp_path: Path) -> None:
    with pytest.raises(mnistgen.OutputError, match="does not exist; make it first"):
        write_animation(tmp_path / "none" / "walk.gif", frames)
