"""What a picture file holds beside pixels: CARRIERS, how each format carries text fields; and reading it all back."""

import io
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mnistgen.errors import InputError
from mnistgen.images import UInt8

if TYPE_CHECKING:
    from PIL.Image import Image

PIXELS = 180_000_000  # of all frames together, at most: about what Pillow takes for no bomb
DESCRIPTION, SOFTWARE = 0x010E, 0x0131  # tags of EXIF

Fields = Mapping[str, str]  # ASCII, one line each


class Carrier(NamedTuple):
    """Text fields to what Pillow's save() takes, and back from an open picture."""

    options: Callable[[Fields], dict[str, Any]]
    read: Callable[[Any], Fields]


class StoredPicture(NamedTuple):
    """What a file holds."""

    fields: Fields
    frames: list[UInt8]  # (H, W) each, or (H, W, 3) where the file speaks of colours
    milliseconds: list[float]  # that each is shown; 0 in a still picture


def read_picture(path: Path) -> StoredPicture:
    """All frames and text fields of a PNG, APNG, GIF or WebP file.

    Raises InputError, naming the file, where it is absent, no such picture, damaged or of more than PIXELS pixels.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Pillow warns of, it has repaired by guessing
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=list(CARRIERS)) as picture:
                return _stored(picture)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Image.DecompressionBombError:
        raise InputError(f"{path}: expected at most {PIXELS:,} pixels, got more") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: expected a PNG, GIF or WebP picture, got something else or a damaged one") from None
    except Exception as error:  # noqa: BLE001  Pillow lets out whatever a damaged file leads it to
        reason = str(error) or type(error).__name__
        raise InputError(f"{path}: the picture is damaged ({reason.splitlines()[0]})") from None


def _stored(picture: "Image") -> StoredPicture:
    count = getattr(picture, "n_frames", 1)
    pixels = count * picture.width * picture.height
    if pixels > PIXELS:
        raise InputError(f"expected at most {PIXELS:,} pixels in all frames, got {pixels:,}")
    fields = CARRIERS[str(picture.format)].read(picture)
    frames, milliseconds = [], []
    for index in range(count):
        picture.seek(index)
        picture.load()
        frames.append(np.array(picture if picture.mode == "L" else picture.convert("RGB")))
        milliseconds.append(float(picture.info.get("duration", 0)))
    return StoredPicture(fields, frames, milliseconds)


def _png_options(fields: Fields) -> dict[str, Any]:
    """A chunk for each field."""
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for name, value in fields.items():
        chunks.add_text(name, value)
    return {"pnginfo": chunks}


def _gif_options(fields: Fields) -> dict[str, Any]:
    """The comment, a line for each field."""
    return {"comment": _lines(fields).encode()} if fields else {}


def _webp_options(fields: Fields) -> dict[str, Any]:
    """EXIF's description of the picture, a line for each field, and its software."""
    if not fields:
        return {}
    from PIL import Image

    exif = Image.Exif()
    exif[DESCRIPTION] = _lines(fields)
    if "Software" in fields:
        exif[SOFTWARE] = fields["Software"]
    return {"exif": exif.tobytes()}


def _lines(fields: Fields) -> str:
    return "\n".join(f"{name}: {value}" for name, value in fields.items())


def _fields(lines: object) -> Fields:
    """Back from lines; whatever else stands there is passed over."""
    pairs = (line.partition(": ") for line in lines.splitlines()) if isinstance(lines, str) else ()
    return {name: value for name, found, value in pairs if found}


CARRIERS: Mapping[str, Carrier] = {
    "PNG": Carrier(_png_options, lambda picture: picture.text),
    "GIF": Carrier(_gif_options, lambda picture: _fields(picture.info.get("comment", b"").decode(errors="replace"))),
    "WEBP": Carrier(_webp_options, lambda picture: _fields(picture.getexif().get(DESCRIPTION))),
}
