"""Pictures and files of digits: grids and lines; show and save. As in MNIST, ink is 255 and the background 0."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, SupportsIndex, cast

import numpy as np
from numpy.typing import ArrayLike

from mnistgen import __version__
from mnistgen._arrays import UInt8
from mnistgen._checks import as_array, checked_images, real_number, whole_number
from mnistgen._errors import InputError, OutputError
from mnistgen._files import whole_file

if TYPE_CHECKING:
    from PIL.Image import Image

MARGIN = 2  # background pixels on every side of a digit in a grid
CELL = 28 + 2 * MARGIN
MAX_PIXELS = 2**26  # of a picture, in all frames: a grid of 65,536 digits
FPS = (1, 100)  # range of frames per second: GIF stores hundredths of a second
DESCRIPTION = 0x010E  # EXIF tag ImageDescription

# File extension -> options of an animation, for Pillow's save().
ANIMATIONS: Mapping[str, Mapping[str, Any]] = {".gif": {"disposal": 1}, ".apng": {}, ".webp": {"lossless": True}}
ENDINGS = (".png", ".npz", ".npy", *ANIMATIONS)

Fields = Mapping[str, Any]  # what a file records: texts and numbers


def grid(images: ArrayLike, columns: SupportsIndex | None = None, scale: SupportsIndex = 1) -> UInt8:
    """Tile images uint8 (N, 28, 28) into one picture uint8 (H, W), row by row, with a margin of 2 pixels per image.

    `columns` defaults to that of the smallest square that holds all images. `scale` repeats every pixel in both
    directions. Raises InputError for other images, for columns or scale below 1, and for more than 67,108,864 pixels.
    """
    digits = checked_images(images)
    count = len(digits)
    wanted = math.isqrt(count - 1) + 1 if columns is None else whole_number("columns", columns, 1, MAX_PIXELS)
    across = min(wanted, count)
    rows = -(-count // across)
    factor = whole_number("scale", scale, 1, MAX_PIXELS)
    _check_pixels(rows * across * (CELL * factor) ** 2)
    cells = np.zeros((rows * across, CELL, CELL), np.uint8)
    cells[:count, MARGIN:-MARGIN, MARGIN:-MARGIN] = digits
    picture = cells.reshape(rows, across, CELL, CELL).swapaxes(1, 2).reshape(rows * CELL, across * CELL)
    return _enlarged(picture, factor)


def show(images: ArrayLike, *, columns: SupportsIndex | None = None, scale: SupportsIndex = 2) -> Image:
    """Return a Pillow image of digits. Notebooks display it; elsewhere, `.show()` opens it.

    Images uint8 (N, 28, 28) are tiled as by `mnistgen.grid`. A picture uint8 (H, W), such as a number, is shown as it
    is. `scale` repeats every pixel in both directions. Raises InputError as `mnistgen.grid` does.
    """
    from PIL import Image  # imported here: importing it takes longer than drawing most grids

    array = _checked(images)
    if array.ndim == 3:
        return Image.fromarray(grid(array, columns, scale))
    factor = whole_number("scale", scale, 1, MAX_PIXELS)
    _check_pixels(array.size * factor**2)
    return Image.fromarray(_enlarged(array, factor))


def save(
    path: str | os.PathLike[str] | BinaryIO,
    images: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    columns: SupportsIndex | None = None,
    scale: SupportsIndex = 1,
    fps: float = 20.0,
    record: Fields | None = None,
) -> None:
    """Write images uint8 (N, 28, 28), or a picture uint8 (H, W), to a file, in the format of the file extension.

    .png is a grid as by `mnistgen.grid`; .npy contains the images; .npz the images and, if given, labels, whole numbers
    (N,). .gif, .apng and .webp are animations with `fps` frames per second, 1 to 100. `columns` applies to
    .png, `scale` to pictures and animations. `record`, texts and numbers by name, is stored in the file too: as text
    chunks of PNG, in the EXIF image description of WebP, in the comment of GIF, as arrays of .npz. Files are written
    atomically. An open binary file gets PNG.

    Raises InputError for another extension, for other images and labels, and for labels with a format other than .npz;
    OutputError if the file cannot be written.
    """
    target = checked_target(path) if isinstance(path, str | os.PathLike) else None
    ending = ".png" if target is None else target.suffix.lower()
    array = _checked(images)
    if labels is not None and ending != ".npz":
        raise InputError(f"labels: expected none for {ending}; only .npz stores labels")
    found = None if labels is None else as_array("labels: expected whole numbers", labels)
    if found is not None and not (found.dtype.kind in "iu" and found.shape == (len(array),)):
        raise InputError(f"labels: expected whole numbers ({len(array)},), got {found.dtype} {found.shape}")
    frames: list[Image] = []
    if ending in ANIMATIONS:
        frames = _frames(array, whole_number("scale", scale, 1, MAX_PIXELS))
    elif ending == ".png":
        frames = [show(array, columns=columns, scale=scale)]
    milliseconds = round(1000 / real_number("fps", fps, *FPS))
    opened: AbstractContextManager[BinaryIO] = whole_file(target) if target else nullcontext(cast(BinaryIO, path))
    with opened as file:
        if ending == ".npy":
            np.save(file, array)
        elif ending == ".npz":
            arrays: dict[str, Any] = {"images": array} | ({} if found is None else {"labels": found.astype(np.int64)})
            np.savez_compressed(file, **{**arrays, **(record or {}), **arrays})
        else:
            # Without a format, Pillow goes by the file's name, and imports what writes that format only.
            _write(file, frames, ending, milliseconds, record, format=None if target else "PNG")


def checked_target(path: str | os.PathLike[str]) -> Path:
    """The path of a file to write. Raises InputError for another extension, and OutputError for an impossible place."""
    target = Path(path)
    ending, folder = target.suffix.lower(), Path(os.path.realpath(target)).parent
    if ending not in ENDINGS:
        raise InputError(f"{target}: expected a name ending in {', '.join(ENDINGS)}, got {ending or 'none'}")
    if not folder.is_dir():
        raise OutputError(f"{target}: the folder {folder} does not exist; create it first")
    if target.is_dir():
        raise OutputError(f"{target}: expected a file, got a folder")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{target}: no permission to write to {folder}")
    return target


def png_bytes(image: UInt8, record: Fields | None = None) -> bytes:
    """The bytes of a picture (H, W) as a greyscale PNG, with what it records."""
    from PIL import Image

    file = io.BytesIO()
    _write(file, [Image.fromarray(image)], ".png", 0, record, format="PNG")
    return file.getvalue()


def _write(
    file: BinaryIO, frames: list[Image], ending: str, milliseconds: int, record: Fields | None, **options: Any
) -> None:
    if record:
        options |= _recorded(ending, record)
    if ending in ANIMATIONS:
        more = {"save_all": True, "append_images": frames[1:], "duration": milliseconds, "loop": 0}
        options |= {**more, **ANIMATIONS[ending]}
    try:
        frames[0].save(file, **options)
    except ValueError as error:  # WebP is at most 16,383 pixels wide
        raise InputError(f"{ending}: {error}; choose a smaller scale, or .png") from None


def _recorded(ending: str, record: Fields) -> dict[str, Any]:
    """Options for Pillow's save() that store texts and numbers in the format of a file extension."""
    named = {"Software": f"mnistgen {__version__}", **record}
    texts = {key: str(value).encode("ascii", "backslashreplace").decode() for key, value in named.items()}  # for EXIF
    lines = "\n".join(f"{key}: {value}" for key, value in texts.items())
    if ending == ".gif":
        return {"comment": lines.encode()}
    if ending == ".webp":
        from PIL.Image import Exif

        exif = Exif()
        exif[DESCRIPTION] = lines
        return {"exif": exif.tobytes()}
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for key, value in texts.items():
        chunks.add_text(key, value)
    return {"pnginfo": chunks}


def _frames(array: UInt8, scale: int) -> list[Image]:
    """The frames of an animation: images (N, 28, 28), or one picture (H, W)."""
    from PIL import Image

    _check_pixels(array.size * scale * scale)
    return [Image.fromarray(_enlarged(frame, scale)) for frame in array.reshape(-1, *array.shape[-2:])]


def _checked(images: ArrayLike) -> UInt8:
    """Images uint8 (N, 28, 28), or a picture uint8 (H, W)."""
    array = as_array("images: expected uint8 (N, 28, 28) or (H, W)", images)
    if array.ndim == 2 and array.dtype == np.uint8 and array.size:
        return array
    return checked_images(array)


def _check_pixels(pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise InputError(
            f"picture: expected at most {MAX_PIXELS:,} pixels in total, got {pixels:,}; "
            "choose fewer digits or frames, or a smaller scale"
        )


def _enlarged(picture: UInt8, scale: int) -> UInt8:
    """Repeat every pixel of a picture (H, W) in both directions: (H scale, W scale)."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)
