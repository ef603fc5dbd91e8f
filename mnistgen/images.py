"""Pictures of digits: float to uint8, grids, PNG.

Arrays keep MNIST's convention, ink 255 on paper 0.
"""

import math
import operator
from collections.abc import Mapping
from typing import BinaryIO, SupportsIndex, cast

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import InputError

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

MARGIN = 2  # pixels of paper on every side of a digit in a grid
CELL = 28 + 2 * MARGIN


def to_uint8(images: Float32 | UInt8) -> UInt8:
    """Images, any shape, clipped to [0, 1] and rounded to 0-255, the input used as scratch space; uint8 as it is."""
    if images.dtype == np.uint8:
        return cast(UInt8, images)
    np.clip(images, 0, 1, out=images)
    np.multiply(images, np.float32(255), out=images)
    np.add(images, np.float32(0.5), out=images)
    return images.astype(np.uint8)


def grid(images: UInt8, columns: int | None = None, scale: int = 1) -> UInt8:
    """Tile images (N, 28, 28) into one picture (H, W), row by row, with a margin of two pixels; paper fills the rest.

    `columns` defaults to the smallest square that holds them; `scale` repeats every pixel in both directions.
    Raises InputError unless columns and scale are 1 or more.
    """
    check_grid(columns, scale)
    rows, columns = grid_size(len(images), columns)
    cells = np.zeros((rows * columns, CELL, CELL), np.uint8)
    cells[: len(images), MARGIN:-MARGIN, MARGIN:-MARGIN] = images
    picture = cells.reshape(rows, columns, CELL, CELL).swapaxes(1, 2).reshape(rows * CELL, columns * CELL)
    return enlarged(picture, scale)


def grid_size(count: int, columns: int | None = None) -> tuple[int, int]:
    """Rows and columns of a grid of so many digits, one or more."""
    columns = min(columns or math.ceil(math.sqrt(count)), count)
    return -(-count // columns), columns


def line(images: UInt8) -> UInt8:
    """Images (N, 28, 28) side by side in one picture (28, 28 N), without margins: MNIST's digits bring their own."""
    return images.swapaxes(0, 1).reshape(28, -1)


def enlarged(picture: UInt8, scale: int) -> UInt8:
    """A picture (H, W) with every pixel repeated in both directions: (H scale, W scale)."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def check_grid(columns: int | None, scale: int) -> None:
    """Raise InputError unless columns, where given, and scale are whole numbers, 1 or more."""
    for name, value in (("columns", columns), ("scale", scale)):
        if value is not None and not (isinstance(value, SupportsIndex) and operator.index(value) >= 1):
            raise InputError(f"{name}: expected 1 or more, got {value!r}")


def write_png(file: BinaryIO, picture: UInt8, text: Mapping[str, str] | None = None) -> None:
    """Write a picture (H, W) as a grey PNG, with text fields where there are any."""
    from PIL import Image  # late: it takes longer to import than most grids take to draw

    from mnistgen.picture_files import CARRIERS

    Image.fromarray(picture).save(file, format="PNG", **CARRIERS["PNG"].options(text or {}))
