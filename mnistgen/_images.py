"""Pictures of digits: float to uint8, grids, lines.

Arrays keep MNIST's convention, ink 255 on paper 0.
"""

import math
from typing import SupportsIndex, cast

import numpy as np

from mnistgen._arrays import Float32, UInt8
from mnistgen._checks import whole_number
from mnistgen._errors import InputError, shown

MARGIN = 2  # pixels of paper on every side of a digit in a grid
CELL = 28 + 2 * MARGIN
PIXELS = 2**26  # of a picture, all frames together, at most: a grid of 65,536 digits


def to_uint8(images: Float32 | UInt8) -> UInt8:
    """Images, any shape, clipped to [0, 1] and rounded to 0-255, the input used as scratch space; uint8 as it is."""
    if images.dtype == np.uint8:
        return cast(UInt8, images)
    np.clip(images, 0, 1, out=images)
    np.multiply(images, np.float32(255), out=images)
    np.add(images, np.float32(0.5), out=images)
    return images.astype(np.uint8)


def grid(images: UInt8, columns: SupportsIndex | None = None, scale: SupportsIndex = 1) -> UInt8:
    """Tile images (N, 28, 28) into one picture (H, W), row by row, with a margin of two pixels; paper fills the rest.

    `columns` defaults to the smallest square that holds them; `scale` repeats every pixel in both directions.
    Raises InputError for other images, columns and scale below 1, and more than `PIXELS` pixels.
    """
    check_images("images", images, (28, 28))
    rows, columns = grid_size(len(images), None if columns is None else whole_number("columns", columns, 1, PIXELS))
    scale = whole_number("scale", scale, 1, PIXELS)
    check_pixels(1, rows * CELL * scale, columns * CELL * scale)
    cells = np.zeros((rows * columns, CELL, CELL), np.uint8)
    cells[: len(images), MARGIN:-MARGIN, MARGIN:-MARGIN] = images
    picture = cells.reshape(rows, columns, CELL, CELL).swapaxes(1, 2).reshape(rows * CELL, columns * CELL)
    return enlarged(picture, scale)


def grid_size(count: int, columns: int | None = None) -> tuple[int, int]:
    """Rows and columns of a grid of so many digits, one or more."""
    columns = min(columns or math.isqrt(count - 1) + 1, count)
    return -(-count // columns), columns


def check_images(name: str, images: object, sides: tuple[int, int] | None = None) -> None:
    """Raise InputError unless images are uint8 (N, H, W), one or more, and of these sides where they are given."""
    if isinstance(images, np.ndarray):
        if images.dtype == np.uint8 and images.ndim == 3 and images.size and sides in (None, images.shape[1:]):
            return
        came = f"{images.dtype} {images.shape}"
    else:
        came = shown(images)
    raise InputError(f"{name}: expected uint8 (N, {', '.join(map(str, sides or 'HW'))}), one or more, got {came}")


def check_pixels(frames: int, height: int, width: int) -> None:
    """Raise InputError for a picture of more than `PIXELS` pixels in all frames."""
    if (pixels := frames * height * width) > PIXELS:
        raise InputError(
            f"picture: expected at most {PIXELS:,} pixels in all, got {pixels:,}; "
            "choose fewer digits or frames, or a smaller scale"
        )


def line(images: UInt8) -> UInt8:
    """Images (N, 28, 28) side by side in one picture (28, 28 N), without margins: MNIST's digits bring their own."""
    return images.swapaxes(0, 1).reshape(28, -1)


def enlarged(picture: UInt8, scale: int) -> UInt8:
    """A picture (H, W) with every pixel repeated in both directions: (H scale, W scale)."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)
