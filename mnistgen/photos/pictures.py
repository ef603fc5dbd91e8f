"""Pictures: a path, bytes, a file, a Pillow image or an array -> the grey levels of its pages, upright and opaque."""

import os
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageOps

from mnistgen._arrays import UInt8
from mnistgen._errors import InputError, plain

Picture = str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | ArrayLike
Page = tuple[UInt8, float]  # grey levels (H, W), and how many pixels of the picture each of its pixels is wide

PICTURE = "a picture (a file such as PNG, its bytes, a Pillow image, an array; HEIC needs pillow-heif)"
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")  # none that starts another program
HEIC = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1")  # how files begin, after four bytes
LONGEST = 2000  # pixels: larger pictures are scaled down


def pages_of(picture: Picture, name: str) -> list[Page]:
    """The pages of a picture. All that cannot be decoded raises InputError, with the name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of large or odd files
            return [_grey(page, longest) for page, longest in _decoded(picture) if min(page.size)]
    except Exception as error:  # noqa: BLE001 - Pillow raises many types for damaged files
        why = plain(getattr(error, "strerror", None) or str(error).partition(" <")[0] or type(error).__name__)
        raise InputError(f"{name}: expected {PICTURE}, cannot read it: {why}") from None


def _decoded(picture: Any) -> Iterator[tuple[Image.Image, int]]:
    """The pages of a picture, all of a TIFF, else the first; and the longer side of each before decoding."""
    if isinstance(picture, str | os.PathLike):
        picture = Path(picture).read_bytes()
    content = picture.read() if hasattr(picture, "read") else picture
    if isinstance(content, bytes) and content[4:12] in HEIC:
        from pillow_heif import open_heif

        content = open_heif(BytesIO(content)).to_pillow()
    if isinstance(content, bytes):
        with Image.open(BytesIO(content), formats=FORMATS) as page:
            longest = max(page.size)
            page.draft(None, (LONGEST, LONGEST))  # decodes a large JPEG at a smaller size
            for number in range(getattr(page, "n_frames", 1) if page.format == "TIFF" else 1):
                page.seek(number)
                yield page, max(*page.size, longest if number == 0 else 0)
        return
    if not isinstance(content, Image.Image):
        levels = np.asarray(content)
        content = Image.fromarray(_stretched(levels) if levels.dtype.kind == "f" else levels)
    yield content, max(content.size)


def _stretched(levels: NDArray[Any]) -> UInt8:
    """Levels of any range as uint8, the least 0 and the largest 255."""
    low, high = np.nanmin(levels), np.nanmax(levels)
    return np.asarray(np.nan_to_num(255 * (levels - low) / (high - low or 1)).round(), np.uint8)


def _grey(picture: Image.Image, longest: int) -> Page:
    """A page upright, opaque, and of at most LONGEST pixels on a side."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = Image.fromarray(_stretched(np.asarray(picture, np.float32)))
    if picture.has_transparency_data:
        grey, alpha = picture.convert("RGBA").convert("LA").split()
        ink = np.average(np.asarray(grey), weights=np.asarray(alpha) + 1e-6)
        picture = Image.composite(grey, Image.new("L", grey.size, 0 if ink > 128 else 255), alpha)
    picture = picture.convert("L")
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.HAMMING)
    return np.asarray(picture), longest / max(picture.size)
