"""Image arrays: float to uint8, grids, lines. As in MNIST, ink is 255 and the background 0."""

import math
from typing import SupportsIndex, cast

import numpy as np

from mnistgen._arrays import Float32, UInt8
from mnistgen._checks import whole_number
from mnistgen._errors import InputError, shown

MARGIN = 2  # background pixels on every side of a digit in a grid
CELL = 28 + 2 * MARGIN
PIXELS = 2**26  # maximum of a picture, in all frames: a grid of 65,536 digits


def to_uint8(images: Float32 | UInt8) -> UInt8:
    """Clip float images of any shape to [0, 1] and round to 0-255, overwriting the input; uint8 stays unchanged."""
    if images.dtype == np.uint8:
        return cast(UInt8, images)
    np.clip(images, 0, 1, out=images)
    np.multiply(images, np.float32(255), out=images)
    np.add(images, np.float32(0.5), out=images)
    return images.astype(np.uint8)


def grid(images: UInt8, columns: SupportsIndex | None = None, scale: SupportsIndex = 1) -> UInt8:
    """Tile images uint8 (N, 28, 28) into one picture uint8 (H, W), row by row, with a margin of 2 pixels per image.

    `columns` defaults to that of the smallest square that holds all images. `scale` repeats every pixel in both
    directions. Raises InputError for other images, for columns or scale below 1, and for more than 67,108,864 pixels.
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
    """Rows and columns of a grid of `count` digits, 1 or more."""
    columns = min(columns or math.isqrt(count - 1) + 1, count)
    return -(-count // columns), columns


def check_images(name: str, images: object, sides: tuple[int, int] | None = None) -> None:
    """Raise InputError unless images are uint8 (N, H, W), N at least 1, and (H, W) are `sides` if given."""
    if isinstance(images, np.ndarray):
        if images.dtype == np.uint8 and images.ndim == 3 and images.size and sides in (None, images.shape[1:]):
            return
        got = f"{images.dtype} {images.shape}"
    else:
        got = shown(images)
    raise InputError(f"{name}: expected uint8 (N, {', '.join(map(str, sides or 'HW'))}), N at least 1, got {got}")


def check_pixels(frames: int, height: int, width: int) -> None:
    """Raise InputError for more than `PIXELS` pixels in all frames."""
    if (pixels := frames * height * width) > PIXELS:
        raise InputError(
            f"picture: expected at most {PIXELS:,} pixels in total, got {pixels:,}; "
            "choose fewer digits or frames, or a smaller scale"
        )


def line(images: UInt8) -> UInt8:
    """Images (N, 28, 28) side by side in one picture (28, 28 N); MNIST's images include their own margins."""
    return images.swapaxes(0, 1).reshape(28, -1)


def enlarged(picture: UInt8, scale: int) -> UInt8:
    """Repeat every pixel of a picture (H, W) in both directions: (H scale, W scale)."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)
