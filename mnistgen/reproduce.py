"""REPRODUCERS: a file that mnistgen wrote is made again from what it says of itself, and the two are compared."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnistgen import __version__
from mnistgen.animation import ANIMATIONS
from mnistgen.catalog import names
from mnistgen.drawings import Drawing
from mnistgen.errors import InputError, ModelError
from mnistgen.formats import PICTURES, check_target
from mnistgen.generator import Generator
from mnistgen.images import UInt8, enlarged
from mnistgen.picture_files import PIXELS, StoredPicture, read_picture
from mnistgen.provenance import Provenance, from_fields

ROUNDING = 1  # grey levels by which pixels may differ where arithmetic runs in another order
LONGEST = 300  # characters of what a stranger's fields make us say


class Reproduction(NamedTuple):
    """How it ended."""

    same: bool
    says: str  # in one line


class Difference(NamedTuple):
    """Between a picture and what was drawn again."""

    pixels: int  # that differ
    levels: int  # of grey, at most


OpenModel = Callable[[str, str, str], Generator]  # name, SHA-256, mnistgen's version, as recorded
Reproducer = Callable[[Path, Path | None, OpenModel], Reproduction]  # the file, where to write, what opens its model


def reproduce(
    path: Path,
    out: Path | None = None,
    *,
    model: str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Reproduction:
    """Make a file again from what it says of itself, compare the two, and write the new one where `out` is given.

    `model`, a bundled name or a path, stands in for the recorded name; its SHA-256 must be the recorded one. `device`
    and `threads` are as for `Generator`.
    Raises InputError for a file that cannot be used, ModelError for a model that is not there or another one, and what
    `formats.write` raises.
    """
    ending = path.suffix.lower()
    if ending not in REPRODUCERS:
        raise InputError(
            f"{path}: expected a name ending in {', '.join(REPRODUCERS)}, got {path.suffix or 'no ending'!r}"
        )
    return REPRODUCERS[ending](path, out, partial(_open, path, model, device, threads))


def _open(
    path: Path, given: str | None, device: str, threads: int | None, name: str, sha256: str, version: str
) -> Generator:
    """The model that a file records, whose bytes must be the recorded ones."""
    if given is None and name not in names():
        raise ModelError(
            f"{path}: drawn by model {name[:LONGEST]!r}, which is not bundled; give its directory with --model PATH"
        )
    generator = Generator(given or name, device=device, threads=threads)
    if (got := generator.card.sha256) != sha256:
        mend = f"install mnistgen {version}, which drew it, or " if given is None and version != __version__ else ""
        raise ModelError(
            f"{path}: drawn by a model with SHA-256 {sha256}, but that of {given or name} is {got}; "
            f"{mend}give the directory of the model that drew it with --model PATH"
        )
    return generator


def reproduce_picture(path: Path, out: Path | None, open_model: OpenModel) -> Reproduction:
    """Draw a picture again, if its text fields speak of the size that it has. Raises as `reproduce` does."""
    stored = read_picture(path)
    with _about(path):
        made = from_fields(stored.fields)
        counts = [made.drawing.count(shown) for shown in stored.milliseconds]
        _check_size(stored, counts, made.drawing)
    if out is not None:
        check_target(out, made.drawing.endings)
    generator = open_model(made.model, made.sha256, made.version)
    with _about(path):
        frames = made.drawing.draw(generator)
    found = difference(stored.frames, counts, frames, made.drawing.scale)
    again = Provenance.of(made.drawing, generator.card)
    if out is not None:
        again.drawing.write(out, frames, again.fields())
    return Reproduction(found.levels <= ROUNDING, _says(path, made.version, again, found, out))


def difference(stored: list[UInt8], counts: list[int], frames: UInt8, scale: int) -> Difference:
    """Between stored frames (H scale, W scale) or (…, 3), each standing for so many, and drawn ones (N, H, W)."""
    pixels = levels = 0
    for before, after in zip(chain.from_iterable(map(repeat, stored, counts)), frames, strict=True):
        drawn = enlarged(after, scale)
        colours = drawn if before.ndim == 2 else drawn[..., None]
        apart = np.maximum(before, colours) - np.minimum(before, colours)
        if before.ndim == 3:
            apart = apart.max(axis=-1)
        pixels += int(np.count_nonzero(apart))
        levels = max(levels, int(apart.max()))
    return Difference(pixels, levels)


def _check_size(stored: StoredPicture, counts: list[int], drawing: Drawing) -> None:
    """Raise InputError unless the recorded arguments speak of as many frames and pixels as the file holds."""
    frames, height, width = drawing.shape
    expected = frames, height * drawing.scale, width * drawing.scale
    got = sum(counts), *stored.frames[0].shape[:2]
    if expected != got:
        shapes = (" of ".join((f"{n} frame{'s' * (n > 1)}", f"{w} x {h} pixels")) for n, h, w in (expected, got))
        raise InputError("expected {} by its text fields, got {}; it was changed since it was drawn".format(*shapes))
    if math.prod(expected) > PIXELS:  # a frame in the file may stand for many
        raise InputError(f"expected at most {PIXELS:,} pixels in all frames, got {math.prod(expected):,}")


def _says(path: Path, version: str, again: Provenance, found: Difference, out: Path | None) -> str:
    drawing = again.drawing
    origin = f"{drawing.command} from {again.model}, seed {drawing.seed}, index {drawing.index}"
    written = "" if out is None else f"; written to {out}"
    if not found.pixels:
        return f"{path}: drawn again by {origin}: every pixel is equal{written}"
    many = f"{found.pixels:,} pixel{'s' * (found.pixels > 1)} of {math.prod(drawing.shape) * drawing.scale**2:,}"
    if found.levels <= ROUNDING:
        return (
            f"{path}: drawn again by {origin}: the same digits; {many} differ by {found.levels} grey level, "
            f"for arithmetic ran in another order{written}"
        )
    other = "" if version == __version__ else f"mnistgen {version} drew it, this is {__version__}, or "
    return (
        f"{path}: drawn again by {origin}: {many} differ, by up to {found.levels} grey levels; "
        f"{other}the picture was changed since it was drawn{written}"
    )


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Say which file an InputError is about, in not too many words."""
    try:
        yield
    except InputError as error:
        text = str(error)
        raise InputError(f"{path}: {text[:LONGEST]}{'…' * (len(text) > LONGEST)}") from None


def reproduce_dataset(path: Path, out: Path | None, open_model: OpenModel) -> Reproduction:
    """Make a data set again from its dataset.json, and compare every file. Raises as `reproduce` does."""
    from mnistgen.dataset.again import make_again

    return Reproduction(*make_again(path, out, open_model))


REPRODUCERS: Mapping[str, Reproducer] = {
    **dict.fromkeys((*PICTURES, *ANIMATIONS), reproduce_picture),
    ".json": reproduce_dataset,
}
