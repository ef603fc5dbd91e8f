"""ANIMATIONS: animated pictures, one row per file format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from mnistgen._arrays import UInt8
from mnistgen._checks import checked_fps, whole_number
from mnistgen._errors import InputError
from mnistgen._formats import open_output
from mnistgen._images import PIXELS, check_images, check_pixels, enlarged
from mnistgen._picture_files import text_options

# File extension -> options for Pillow's save().
ANIMATIONS: Mapping[str, Mapping[str, Any]] = {
    ".gif": {"format": "GIF", "disposal": 1},
    ".apng": {"format": "PNG"},
    ".webp": {"format": "WEBP", "lossless": True},
}
SIDES = {"GIF": 65_535, "WEBP": 16_383}  # largest side in pixels


def frame_time(fps: float) -> int:
    """Duration of a frame in milliseconds."""
    return round(1000 / fps)


def write_animation(
    path: Path, frames: UInt8, fps: float = 20.0, scale: int = 4, text: Mapping[str, str] | None = None
) -> None:
    """Write frames uint8 (N, H, W) atomically as GIF, APNG or WebP, chosen by the file extension; it loops forever.

    `scale` repeats every pixel in both directions. Durations are rounded to milliseconds, in a GIF to hundredths of a
    second. `text` fields are ASCII, one line each. Raises InputError for another extension, other frames, fps outside
    1 to 100, scale below 1, and more pixels than `PIXELS` or the format allows; OutputError as `open_output` does.
    """
    checked_fps(fps)
    check_images("frames", frames)
    count, height, width = frames.shape
    scale = whole_number("scale", scale, 1, PIXELS)
    check_pixels(count, height * scale, width * scale)
    with open_output(path, ANIMATIONS) as file:
        options = ANIMATIONS[path.suffix.lower()]
        limit, longest = SIDES.get(options["format"], PIXELS), max(height, width) * scale
        if longest > limit:
            raise InputError(
                f"{path}: expected sides of at most {limit:,} pixels, got {longest:,}; choose a smaller scale or .apng"
            )
        _save(file, frames, frame_time(fps), scale, {**options, **text_options(options["format"], text)})


def _save(file: BinaryIO, frames: UInt8, milliseconds: int, scale: int, options: Mapping[str, Any]) -> None:
    from PIL import Image  # imported here: importing it takes longer than most pictures take to draw

    first, *rest = (Image.fromarray(enlarged(frame, scale)) for frame in frames)
    first.save(file, save_all=True, append_images=rest, duration=milliseconds, loop=0, **options)
