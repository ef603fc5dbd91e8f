"""Picture files: writing PNG; CARRIERS, how each format stores text fields; opening untrusted files."""

import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from mnistgen._arrays import UInt8
from mnistgen._errors import InputError, plain
from mnistgen._images import PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image

DESCRIPTION = 0x010E  # EXIF tag ImageDescription

Fields = Mapping[str, str]  # ASCII, one line each


class Carrier(NamedTuple):
    """How a format stores text fields: options for Pillow's save(), and reading them before any pixel is decoded."""

    options: Callable[[Fields], dict[str, Any]]
    read: Callable[[Any], Fields]


@contextmanager
def open_picture(content: bytes) -> Iterator["Image"]:
    """Open a PNG, APNG, GIF or WebP file and read its header; the body of the `with` statement decodes the frames.

    Errors and warnings of Pillow are raised as InputError, also those from the body.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns where it repairs a file by guessing
            with Image.open(io.BytesIO(content), formats=list(CARRIERS)) as picture:
                yield picture
    except (InputError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"expected at most {PIXELS:,} pixels, got more") from None
    except UnidentifiedImageError:
        raise InputError("expected a PNG, GIF or WebP picture, got another or a damaged file") from None
    except Exception as error:  # noqa: BLE001 - Pillow raises many types for damaged files
        raise InputError(f"the picture is damaged ({plain(str(error) or type(error).__name__)})") from None


def write_png(file: BinaryIO, picture: UInt8, text: Fields | None = None) -> None:
    """Write a picture (H, W) as a greyscale PNG with optional text fields."""
    from PIL import Image  # imported here: importing it takes longer than writing most grids

    Image.fromarray(picture).save(file, format="PNG", **text_options("PNG", text))


def text_options(name: str, fields: Fields | None) -> dict[str, Any]:
    """Options for Pillow's save() that store text fields in a format of this name."""
    return CARRIERS[name].options(fields) if fields else {}


def read_fields(picture: "Image") -> Fields:
    """The text fields of an open picture; for a PNG, those stored before the pixels."""
    return CARRIERS[str(picture.format)].read(picture)


def _png_options(fields: Fields) -> dict[str, Any]:
    """One text chunk per field."""
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for name, value in fields.items():
        chunks.add_text(name, value)
    return {"pnginfo": chunks}


def _webp_options(fields: Fields) -> dict[str, Any]:
    """The EXIF image description, with one line per field."""
    from PIL import Image

    exif = Image.Exif()
    exif[DESCRIPTION] = _lines(fields)
    return {"exif": exif.tobytes()}


def _lines(fields: Fields) -> str:
    return "\n".join(f"{name}: {value}" for name, value in fields.items())


def _fields(lines: object) -> Fields:
    """Parse lines written by `_lines`; other lines are ignored."""
    pairs = (line.partition(": ") for line in lines.splitlines()) if isinstance(lines, str) else ()
    return {name: value for name, found, value in pairs if found}


CARRIERS: Mapping[str, Carrier] = {
    "PNG": Carrier(_png_options, lambda picture: {k: v for k, v in picture.info.items() if isinstance(v, str)}),
    "GIF": Carrier(  # the comment, with one line per field
        lambda fields: {"comment": _lines(fields).encode()},
        lambda picture: _fields(picture.info.get("comment", b"").decode(errors="replace")),
    ),
    "WEBP": Carrier(_webp_options, lambda picture: _fields(picture.getexif().get(DESCRIPTION))),
}
