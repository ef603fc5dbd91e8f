"""ANIMATIONS: moving pictures of digits, one row a file format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from mnistgen._arrays import UInt8
from mnistgen._checks import checked_fps, whole_number
from mnistgen._errors import InputError
from mnistgen._formats import written
from mnistgen._images import PIXELS, check_images, check_pixels, enlarged
from mnistgen._picture_files import text_options

# Ending -> what Pillow is told. All repeat for ever.
ANIMATIONS: Mapping[str, Mapping[str, Any]] = {
    ".gif": {"format": "GIF", "disposal": 1},
    ".apng": {"format": "PNG"},
    ".webp": {"format": "WEBP", "lossless": True},
}
SIDES = {"GIF": 65_535, "WEBP": 16_383}  # pixels of a side, at most


def frame_time(fps: float) -> int:
    """How long a frame is shown, in milliseconds."""
    return round(1000 / fps)


def write_animation(
    path: Path, frames: UInt8, fps: float = 20.0, scale: int = 4, text: Mapping[str, str] | None = None
) -> None:
    """Write frames (N, H, W) as GIF, APNG or WebP, by the path's ending, whole or not at all; it repeats for ever.

    `scale` repeats every pixel in both directions. Frames last whole milliseconds, in a GIF hundredths of a second.
    `text` are fields that the file carries, ASCII, one line each.
    Raises InputError for another ending, other frames, fps outside 1 to 100, scale below 1 and more pixels than
    `PIXELS` or than the format holds, OutputError as `formats.write` does.
    """
    checked_fps(fps)
    check_images("frames", frames)
    count, height, width = frames.shape
    scale = whole_number("scale", scale, 1, PIXELS)
    check_pixels(count, height * scale, width * scale)
    with written(path, ANIMATIONS) as file:
        options = ANIMATIONS[path.suffix.lower()]
        limit, longest = SIDES.get(options["format"], PIXELS), max(height, width) * scale
        if longest > limit:
            raise InputError(
                f"{path}: expected sides of at most {limit:,} pixels, got {longest:,}; choose a smaller scale or .apng"
            )
        _save(file, frames, frame_time(fps), scale, {**options, **text_options(options["format"], text)})


def _save(file: BinaryIO, frames: UInt8, milliseconds: int, scale: int, options: Mapping[str, Any]) -> None:
    from PIL import Image  # late: it takes longer to import than most pictures take to draw

    first, *rest = (Image.fromarray(enlarged(frame, scale)) for frame in frames)
    first.save(file, save_all=True, append_images=rest, duration=milliseconds, loop=0, **options)
