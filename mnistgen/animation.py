"""ANIMATIONS: moving pictures of digits, one row a file format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from mnistgen.checks import check_fps
from mnistgen.formats import written
from mnistgen.images import UInt8, check_grid, enlarged
from mnistgen.picture_files import CARRIERS

# Ending -> what Pillow is told. All repeat for ever.
ANIMATIONS: Mapping[str, Mapping[str, Any]] = {
    ".gif": {"format": "GIF", "disposal": 1},
    ".apng": {"format": "PNG"},
    ".webp": {"format": "WEBP", "lossless": True},
}


def frame_time(fps: float) -> int:
    """How long a frame is shown, in milliseconds."""
    return round(1000 / fps)


def write_animation(
    path: Path, frames: UInt8, fps: float = 20.0, scale: int = 4, text: Mapping[str, str] | None = None
) -> None:
    """Write frames (N, H, W) as GIF, APNG or WebP, by the path's ending, whole or not at all; it repeats for ever.

    `scale` repeats every pixel in both directions. Frames last whole milliseconds, in a GIF hundredths of a second.
    `text` are fields that the file carries, ASCII, one line each.
    Raises InputError for another ending, fps outside 1 to 100 and scale below 1, OutputError as `formats.write` does.
    """
    check_fps(fps)
    check_grid(None, scale)
    with written(path, ANIMATIONS) as file:
        options = ANIMATIONS[path.suffix.lower()]
        carried = CARRIERS[options["format"]].options(text or {})
        _save(file, frames, frame_time(fps), scale, {**options, **carried})


def _save(file: BinaryIO, frames: UInt8, milliseconds: int, scale: int, options: Mapping[str, Any]) -> None:
    from PIL import Image  # late: it takes longer to import than most pictures take to draw

    first, *rest = (Image.fromarray(enlarged(frame, scale)) for frame in frames)
    first.save(file, save_all=True, append_images=rest, duration=milliseconds, loop=0, **options)
