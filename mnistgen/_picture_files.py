"""Picture files: PNG; CARRIERS, the formats that carry text fields beside the pixels; files of strangers."""

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

DESCRIPTION = 0x010E  # tag of EXIF

Fields = Mapping[str, str]  # ASCII, one line each


class Carrier(NamedTuple):
    """Text fields to what Pillow's save() takes, and back from a picture of which no pixel is decoded yet."""

    options: Callable[[Fields], dict[str, Any]]
    read: Callable[[Any], Fields]


@contextmanager
def open_picture(content: bytes) -> Iterator["Image"]:
    """A PNG, APNG, GIF or WebP file, its header read; the block decodes it frame by frame.

    Raises InputError for whatever Pillow raises or warns of, in the block too.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Pillow warns of, it has repaired by guessing
            with Image.open(io.BytesIO(content), formats=list(CARRIERS)) as picture:
                yield picture
    except (InputError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"expected at most {PIXELS:,} pixels, got more") from None
    except UnidentifiedImageError:
        raise InputError("expected a PNG, GIF or WebP picture, got something else or a damaged one") from None
    except Exception as error:  # noqa: BLE001  Pillow lets out whatever a damaged file leads it to
        raise InputError(f"the picture is damaged ({plain(str(error) or type(error).__name__)})") from None


def write_png(file: BinaryIO, picture: UInt8, text: Fields | None = None) -> None:
    """Write a picture (H, W) as a grey PNG, with text fields where there are any."""
    from PIL import Image  # late: it takes longer to import than most grids take to draw

    Image.fromarray(picture).save(file, format="PNG", **text_options("PNG", text))


def text_options(kind: str, fields: Fields | None) -> dict[str, Any]:
    """What Pillow's save() takes to carry text fields in a kind of file, where there are any."""
    return CARRIERS[kind].options(fields) if fields else {}


def read_fields(picture: "Image") -> Fields:
    """The text fields of an open picture; of a PNG, those that come before its pixels."""
    return CARRIERS[str(picture.format)].read(picture)


def _png_options(fields: Fields) -> dict[str, Any]:
    """A chunk for each field."""
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for name, value in fields.items():
        chunks.add_text(name, value)
    return {"pnginfo": chunks}


def _webp_options(fields: Fields) -> dict[str, Any]:
    """EXIF's description of the picture, a line for each field."""
    from PIL import Image

    exif = Image.Exif()
    exif[DESCRIPTION] = _lines(fields)
    return {"exif": exif.tobytes()}


def _lines(fields: Fields) -> str:
    return "\n".join(f"{name}: {value}" for name, value in fields.items())


def _fields(lines: object) -> Fields:
    """Back from lines; whatever else stands there is passed over."""
    pairs = (line.partition(": ") for line in lines.splitlines()) if isinstance(lines, str) else ()
    return {name: value for name, found, value in pairs if found}


CARRIERS: Mapping[str, Carrier] = {
    "PNG": Carrier(_png_options, lambda picture: {k: v for k, v in picture.info.items() if isinstance(v, str)}),
    "GIF": Carrier(  # the comment, a line for each field
        lambda fields: {"comment": _lines(fields).encode()},
        lambda picture: _fields(picture.info.get("comment", b"").decode(errors="replace")),
    ),
    "WEBP": Carrier(_webp_options, lambda picture: _fields(picture.getexif().get(DESCRIPTION))),
}
