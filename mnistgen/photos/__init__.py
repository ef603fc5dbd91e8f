"""read_digits: handwritten digits in photos, scans and drawings, normalised as MNIST's are."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mnistgen._arrays import Float32, UInt8
from mnistgen._attributes import measured
from mnistgen._errors import InputError, plain, shown
from mnistgen._loaded import to_uint8
from mnistgen.photos.segmentation import MIN_CONTRAST, Found, largest, noise, segment

if TYPE_CHECKING:
    from PIL.Image import Image

Picture: TypeAlias = "str | os.PathLike[str] | Image"

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")  # none that starts another program
MAX_PIXELS = 50_000_000
MAX_DIGITS = 64  # in one picture
LONGEST = 1500  # pixels: larger pictures are scaled down
NOISE = 4.0  # standard deviations of noise that ink exceeds

BOX = 20  # side of a digit, in pixels of MNIST
FINE = 8  # pixels of the grid on which a digit is cut out, per pixel of MNIST
MIN_THICKNESS = 1.8  # pixels of MNIST, as by `mnistgen.measure`
EDGE = 0.05  # ink at the edge of a digit


def read_digits(pictures: Picture | Sequence[Picture]) -> UInt8:
    """Read all handwritten digits in pictures as uint8 (N, 28, 28), ink 255, background 0, normalised as MNIST's are.

    A picture is a path or a Pillow image: a photo, a scan or a drawing, dark on light or light on dark, of at most 50
    megapixels, with 1 to 64 digits that do not touch each other; of an animation, the first frame. Digits come in
    reading order: rows from top to bottom, each from left to right; pictures in the order given.

    Each digit is scaled to fit 20 x 20 pixels, then moved by whole pixels so that its centre of mass is at pixel
    (14, 14) (Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database"). Strokes are thickened to at least 1.8 pixels.
    The threshold is that of N. Otsu ("A threshold selection method from gray-level histograms", 1979).

    Raises InputError for no pictures, or one that cannot be read, is too large or blank, or has no digits or over 64.
    """
    several = pictures if isinstance(pictures, Sequence) and not isinstance(pictures, str | bytes) else [pictures]
    if not several:
        raise InputError("pictures: expected at least one path or Pillow image, got none")
    return np.concatenate([_read(picture, number) for number, picture in enumerate(several, 1)])


def _read(picture: Picture, number: int) -> UInt8:
    """The digits uint8 (N, 28, 28) of one picture."""
    from PIL import Image

    if isinstance(picture, Image.Image):
        with _naming(f"picture {number}"):
            return _digits(_grey(picture))
    if not isinstance(picture, str | os.PathLike):
        raise InputError(f"picture {number}: expected a path or a Pillow image, got {shown(picture)}")
    with _naming(plain(os.fsdecode(picture))):
        return _digits(_grey_of_file(Path(picture)))


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Prefix errors with the picture's name; those of Pillow become InputError, and its warnings are ignored."""
    from PIL.Image import DecompressionBombError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MemoryError:
        raise
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except DecompressionBombError:
        raise InputError(f"{name}: expected at most {MAX_PIXELS:,} pixels, got more; scale it down") from None
    except Exception as error:  # noqa: BLE001 - Pillow raises many types for damaged files
        why = plain(str(error) or type(error).__name__)
        raise InputError(f"{name}: the picture is damaged or cannot be decoded ({why}); save it again as PNG") from None


def _grey_of_file(path: Path) -> Float32:
    """As `_grey`, of a file's first frame."""
    from PIL import Image, UnidentifiedImageError

    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"expected a picture, the file cannot be read ({error.strerror})") from None
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            _check_size(picture)
            picture.draft(None, (LONGEST, LONGEST))  # decodes a large JPEG at a smaller size
            return _grey(picture)
    except UnidentifiedImageError:
        raise InputError("expected a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF picture, got another file") from None


def _check_size(picture: Image) -> None:
    if (pixels := picture.width * picture.height) > MAX_PIXELS:
        raise InputError(f"expected at most {MAX_PIXELS:,} pixels, got {pixels:,}; scale it down")


def _grey(picture: Image) -> Float32:
    """Grey levels (H, W), 0 to 255, of an upright picture without transparency, at most LONGEST pixels on a side."""
    from PIL import Image, ImageOps

    _check_size(picture)
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        levels = np.nan_to_num(np.asarray(picture, np.float32))
        top = next((top for top in (1, 255, 65535) if levels.max(initial=0) <= top), levels.max())
        picture = Image.fromarray(np.clip(levels * (255 / top), 0, 255).astype(np.uint8))
    elif picture.has_transparency_data:
        picture = picture.convert("RGBA").convert("LA")
    elif picture.mode != "L":
        picture = picture.convert("RGB").convert("L")
    if max(picture.size) > LONGEST:
        picture.thumbnail((LONGEST, LONGEST), Image.Resampling.HAMMING)
    grey, *alpha = (np.asarray(band, np.float32) for band in picture.split())
    return _opaque(grey, alpha[0] / np.float32(255)) if alpha else grey


def _opaque(grey: Float32, alpha: Float32) -> Float32:
    """Replace transparency: in a mostly opaque picture by its median level, else by black or white, unlike its ink."""
    if not alpha.any():
        return alpha
    light_ink = np.average(grey, weights=alpha) >= 128
    behind = np.median(grey[alpha > 0.5]) if alpha.mean() > 0.5 else 255 * (1 - light_ink)
    return grey * alpha + np.float32(behind) * (1 - alpha)


def _digits(grey: Float32) -> UInt8:
    """The digits uint8 (N, 28, 28) of grey levels (H, W)."""
    if not grey.size or np.ptp(grey) < MIN_CONTRAST * 255 / 2:
        raise InputError("expected dark digits on a light ground or the reverse, got a blank picture")
    found = segment(grey)
    count, floor = len(found.boxes), NOISE * noise(found.ink)
    if not count or found.ink[(found.labels >= 0) & (found.labels < count)].mean() < floor:
        raise InputError("expected digits, found none; write larger or darker, or crop the picture to its digits")
    if count > MAX_DIGITS:
        raise InputError(f"expected at most {MAX_DIGITS} digits, found {count}; cut it into several pictures")
    return np.stack([_normalised(_cut_out(found, digit, floor)) for digit in range(count)])


def _cut_out(found: Found, digit: int, floor: float) -> Float32:
    """One digit on the fine grid, where its longer side is about BOX * FINE pixels; its darkest tenth of ink is 1."""
    left, top, right, bottom = found.boxes[digit]
    side = max(right - left, bottom - top)
    margin = math.ceil(0.1 * side) + 1
    window = np.s_[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
    labels, ink = np.pad(found.labels[window], 1, constant_values=-1), np.pad(found.ink[window], 1)
    own = labels == digit
    scale = BOX * FINE / side
    scale = round(scale) if scale > 1 else scale  # whole pixels keep the grey levels of a digit of MNIST
    shape = [max(1, round(scale * length)) for length in ink.shape]
    level = float(np.quantile(ink[own], 0.9))
    floor = min(floor / level, 0.5)
    ink = (np.where(own | (labels == -1), ink, 0) / level).astype(np.float32)
    near = largest(_sampled(own.astype(np.float32), shape), 2 * FINE + 1) > 0  # soft edges belong to it
    fine = _sampled(ink, shape)
    return np.where(near, np.clip((fine - floor) / (1 - floor), 0, 1), 0)


def _normalised(fine: Float32) -> UInt8:
    """Normalise a digit on the fine grid to uint8 (28, 28), with strokes that are thick enough."""
    while True:
        image = _centred(_fitted(fine))
        if measured(image[None]).thickness[0] >= MIN_THICKNESS:
            return image
        fine = largest(np.pad(fine, 1), 3)


def _fitted(fine: Float32) -> Float32:
    """Crop to the ink and scale to BOX pixels on the longer side."""
    rows, columns = (np.flatnonzero((fine > EDGE).any(axis)) for axis in (1, 0))
    fine = fine[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    unit = max(fine.shape) / BOX
    shape = [min(BOX, max(1, math.ceil(side / unit - 0.01))) for side in fine.shape]
    missing = [round(pixels * unit) - side for pixels, side in zip(shape, fine.shape, strict=True)]
    fine = np.pad(fine, [(max(0, one) // 2, max(0, one - one // 2)) for one in missing])
    return _sampled(fine, shape)


def _centred(image: Float32) -> UInt8:
    """Place an image of at most BOX x BOX pixels in 28 x 28, its centre of mass near pixel (14, 14)."""
    framed = np.zeros((28, 28), np.float32)
    offset = []
    for axis in (0, 1):
        centre = np.average(np.arange(image.shape[axis]), weights=image.sum(1 - axis))
        offset.append(int(np.clip(math.floor(14.5 - centre), 0, 28 - image.shape[axis])))
    framed[offset[0] : offset[0] + image.shape[0], offset[1] : offset[1] + image.shape[1]] = image
    return to_uint8(framed / framed.max())


def _sampled(values: Float32, shape: Sequence[int]) -> Float32:
    """Resample (H, W) to another shape by area means of square pixels."""
    from PIL import Image

    return np.asarray(Image.fromarray(values).resize((shape[1], shape[0]), Image.Resampling.BOX))
