"""Reproduce a file that mnistgen wrote from the arguments that it records, and compare the two."""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex, cast

import numpy as np

from mnistgen import __version__
from mnistgen._animation import ANIMATIONS
from mnistgen._arrays import UInt8
from mnistgen._catalog import names
from mnistgen._checks import checked_path
from mnistgen._devices import Device
from mnistgen._errors import InputError, ModelError, plain, shown
from mnistgen._files import read_file
from mnistgen._formats import PICTURES, check_target
from mnistgen._generator import Generator
from mnistgen._images import PIXELS, check_pixels
from mnistgen._keywords import suggesting_keywords
from mnistgen._picture_files import open_picture, read_fields
from mnistgen.drawings import DRAWINGS, FIELD, Drawing, Provenance

if TYPE_CHECKING:
    from PIL.Image import Image

ROUNDING = 1  # grey levels by which pixels may differ where arithmetic runs in another order
CHANGED = "the picture was changed since it was drawn"
LONGEST = 2**20  # characters of the field that holds the provenance, at most


class Reproduction(NamedTuple):
    """The result of a comparison: whether the file was reproduced, and in one line what was compared and differs."""

    same: bool  # every byte of a data set; every pixel of a picture within one grey level
    message: str


class Difference(NamedTuple):
    """Between a picture and its reproduction."""

    pixels: int  # how many differ
    levels: int  # by how many grey levels, at most


OpenModel = Callable[[str, str, str], Generator]  # name, SHA-256, mnistgen's version, as recorded
Reproducer = Callable[[Path, Path | None, OpenModel], Reproduction]  # the file, where to write, what opens its model


@suggesting_keywords
def reproduce(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    model: str | os.PathLike[str] | None = None,
    device: Device = "auto",
    threads: SupportsIndex | None = None,
) -> Reproduction:
    """Reproduce a picture or a dataset.json that mnistgen wrote, compare every pixel or byte, and write it to `out`.

    Pictures of the command line and of `mnistgen.drawings` record their arguments, as does a data set's dataset.json.
    Without `out` nothing is written. `model`, a bundled name or a path, replaces the recorded name; its SHA-256 must
    be the recorded one. `device` and `threads` are as for `Generator`.

    Raises InputError for a file that records nothing usable, ModelError for a model that is missing or is not the
    recorded one, OutputError where `out` cannot be written.
    """
    source = Path(checked_path(path))
    target = None if out is None else Path(checked_path(out))
    ending = source.suffix.lower()
    if ending not in REPRODUCERS:
        raise InputError(f"{source}: expected a name ending in {', '.join(REPRODUCERS)}, got {ending or 'no ending'!r}")
    return REPRODUCERS[ending](source, target, partial(_open, source, model, device, threads))


def _open(
    path: Path,
    given: str | os.PathLike[str] | None,
    device: Device,
    threads: SupportsIndex | None,
    name: str,
    sha256: str,
    version: str,
) -> Generator:
    """The model that a file records; its bytes must be the recorded ones."""
    if given is None and name not in names():
        raise ModelError(
            f"{path}: drawn by model {shown(name, 300)}, which is not bundled; give its directory with --model PATH"
        )
    generator = Generator(given or name, device=device, threads=threads)
    if (got := generator.card.sha256) != sha256:
        fix = f"install mnistgen {version}, which drew it, or " if given is None and version != __version__ else ""
        raise ModelError(
            f"{path}: drawn by a model with SHA-256 {sha256}, but that of {given or name} is {got}; "
            f"{fix}give the directory of the model that drew it with --model PATH"
        )
    return generator


def reproduce_picture(path: Path, out: Path | None, open_model: OpenModel) -> Reproduction:
    """Draw a picture again and compare it frame by frame.

    No pixel is decoded before the picture's size has been compared with that of its text fields.
    """
    try:
        content = read_file(path, PIXELS)  # no picture of digits takes more than a byte a pixel
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    with _about(path), open_picture(content) as picture:
        made = from_fields(read_fields(picture))
        drawing = made.drawing
        check_pixels(*drawing.size)
        _check_size(picture, drawing)
    if out is not None:
        check_target(out, drawing.endings)
    generator = open_model(made.model, made.sha256, made.version)
    with _about(path):
        images = drawing.images(generator)
        with open_picture(content) as picture:
            found = difference(picture, drawing, images)
    again = Provenance.of(drawing, generator.card)
    if out is not None:
        drawing.write(out, images, again.fields())
    return Reproduction(found.levels <= ROUNDING, _says(path, made.version, again, found, out))


def from_fields(found: Mapping[str, str]) -> Provenance:
    """Provenance from untrusted text fields; the model's name may be any text.

    Raises InputError where there is none, and for a drawing's arguments that leave its size undetermined.
    """
    if FIELD not in found:
        raise InputError("carries no text fields of mnistgen; the picture is not from its command line, or lost them")
    if len(text := found[FIELD]) > LONGEST:
        raise InputError(f"{FIELD}: expected at most {LONGEST:,} characters, got {len(text):,}")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    match content:
        case {"mnistgen": str(version), "command": str(command), "model": str(model), "sha256": str(sha256), **rest}:
            if command in DRAWINGS:
                version, sha256 = plain(version, 40), plain(sha256, 64)
                drawing = _drawing(command, cast(dict[str, Any], rest))
                return Provenance(drawing=drawing, model=model, sha256=sha256, version=version)
    commands = ", ".join(DRAWINGS)
    raise InputError(f"{FIELD}: expected JSON that says what one of {commands} drew, got {shown(text)}")


def _drawing(command: str, arguments: dict[str, Any]) -> Drawing:
    expected = {item.name for item in fields(DRAWINGS[command])}
    if arguments.keys() != expected:
        came = plain(", ".join(sorted(arguments)), 100)
        raise InputError(f"{command}: expected {', '.join(sorted(expected))}, got {came}")
    return DRAWINGS[command](**arguments)


def difference(picture: "Image", drawing: Drawing, images: UInt8) -> Difference:
    """Compare the frames of a file with what was drawn, one at a time. Raises InputError for another number of them."""
    from PIL import Image, ImageChops, ImageSequence

    expected, done = drawing.size[0], 0
    histogram = np.zeros(256, np.int64)  # of the pixels, by how many grey levels they are apart
    for stored in ImageSequence.Iterator(picture):
        _check_size(stored, drawing)  # a GIF may grow on the way
        stored.load()
        bands = (stored if stored.mode == "L" else stored.convert("RGB")).split()
        first, done = done, done + drawing.count(stored.info.get("duration", 0))
        for index in range(first, min(done, expected)):
            drawn = Image.fromarray(drawing.frame(images, index))
            apart = reduce(ImageChops.lighter, (ImageChops.difference(band, drawn) for band in bands))
            histogram += apart.histogram()
        if done > expected:
            break
    if done != expected:
        more = " or more" * (done > expected)
        raise InputError(f"frames: expected {expected:,} by its text fields, got {done:,}{more}; {CHANGED}")
    return Difference(int(histogram[1:].sum()), int(histogram.nonzero()[0].max()))


def _check_size(picture: "Image", drawing: Drawing) -> None:
    """Raise InputError unless a picture has the size that its text fields imply."""
    _, height, width = drawing.size
    if picture.size != (width, height):
        sides = "{:,} x {:,}".format(*picture.size)
        raise InputError(f"expected {width:,} x {height:,} pixels by its text fields, got {sides}; {CHANGED}")


def _says(path: Path, version: str, again: Provenance, found: Difference, out: Path | None) -> str:
    drawing = again.drawing
    place = f"seed {drawing.seed}, index {drawing.index}"
    origin = f"{path}: drawn again by {drawing.command} from {plain(again.model)}, {place}"
    written = "" if out is None else f"; written to {out}"
    if not found.pixels:
        return f"{origin}: every pixel is equal{written}"
    many = f"{found.pixels:,} pixel{'s' * (found.pixels > 1)} of {math.prod(drawing.size):,}"
    if found.levels <= ROUNDING:
        return (
            f"{origin}: the same digits; {many} differ by {found.levels} grey level, "
            f"for arithmetic ran in another order{written}"
        )
    other = "" if version == __version__ else f"mnistgen {version} drew it, this is {__version__}, or "
    return f"{origin}: {many} differ, by up to {found.levels} grey levels; {other}{CHANGED}{written}"


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Put the file's name before the message of an InputError, which is shortened."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {plain(str(error))}") from None


def reproduce_dataset(path: Path, out: Path | None, open_model: OpenModel) -> Reproduction:
    """Make a data set again from its dataset.json, and compare every file."""
    from mnistgen._dataset.again import make_again

    return Reproduction(*make_again(path, out, open_model))


REPRODUCERS: Mapping[str, Reproducer] = {
    **dict.fromkeys((*PICTURES, *ANIMATIONS), reproduce_picture),
    ".json": reproduce_dataset,
}
