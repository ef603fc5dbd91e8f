"""Attributes of handwritten digits, measured from their pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnistgen._arrays import Float32, UInt8
from mnistgen._images import check_images

CHUNK = 128  # images whose intermediate arrays fit in a CPU's second-level cache
CONTROLLED = ("thickness", "slant", "width", "height")  # the first of Attributes: those that can be requested
SIDE = 30  # pixels: an image with a margin of one pixel, so that its border has edges too


class Attributes(NamedTuple):
    """Attributes of N images, float32 (N,) each; see `mnistgen.measure`."""

    thickness: Float32
    slant: Float32
    width: Float32
    height: Float32
    ink: Float32


def measure(images: UInt8) -> Attributes:
    """Measure attributes of digits uint8 (N, 28, 28), ink 255, as float32 (N,) each. Grey levels count as coverage.

    - ink: area, in pixels: the sum of all grey levels over 255.
    - thickness: mean stroke thickness, in pixels: twice the area over the perimeter, which is exact for long strokes.
      The perimeter is estimated from differences between neighbours (Cauchy-Crofton formula in two directions).
    - slant: in radians, positive to the right: the shear that makes the central moment of x and y zero (D. C. Castro
      et al., "Morpho-MNIST", JMLR 20, 2019, section 2.2).
    - width, height: in pixels, of a uniform bar with the same standard deviation along x, after the slant is removed,
      and along y.

    A blank image has no ink, and NaN for the others. Raises InputError for other arrays.
    """
    check_images("images", images, (28, 28))
    return measured(images)


def measured(images: UInt8, *, thickness: bool = True) -> Attributes:
    """As `measure`, of images that were checked. Without thickness, which takes half of the time, it is NaN."""
    axis = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    y, x = (np.broadcast_to(coordinate, (SIDE, SIDE)) for coordinate in (axis[:, None], axis))
    monomials = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1).reshape(-1, 6)  # (900, 6)
    moments = np.empty((len(images), 6), np.float32)
    perimeters = np.full(len(images), np.nan, np.float32)
    padded = np.zeros((CHUNK, SIDE, SIDE), np.float32)
    difference = np.zeros((CHUNK, SIDE * SIDE), np.float32)
    ones = np.ones(SIDE * SIDE, np.float32)
    for first in range(0, len(images), CHUNK):
        part = images[first : first + CHUNK]
        padded[: len(part), 1:-1, 1:-1] = part
        pixels = padded[: len(part)].reshape(len(part), -1)  # (n, 900)
        moments[first : first + CHUNK] = pixels @ monomials
        if not thickness:
            continue
        edges = np.zeros(len(part), np.float32)
        for step in (1, SIDE):  # to the next pixel in the row and in the column; margins are blank
            change = difference[: len(part), step:]
            np.subtract(pixels[:, step:], pixels[:, :-step], out=change)
            np.abs(change, out=change)
            edges += change @ ones[step:]
        perimeters[first : first + CHUNK] = edges
    return _attributes(moments / 255, perimeters * (np.pi / 4 / 255))


def _attributes(moments: NDArray[np.floating], perimeters: NDArray[np.floating]) -> Attributes:
    """Attributes from moments (N, 6), of 1, x, y, x², xy and y², and perimeters (N,) in pixels."""
    ink = moments[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):  # blank images
        x, y, xx, xy, yy = (moments[:, 1:] / ink[:, None]).T
        # Central moments; a pixel is a square, whose own variance is 1/12. Rounding must not make it less.
        xx, xy, yy = np.maximum(xx - x * x, 0) + 1 / 12, xy - x * y, np.maximum(yy - y * y, 0) + 1 / 12
        width = np.sqrt(12 * np.maximum(xx - xy * xy / yy, 1 / 12))
        values = (2 * ink / perimeters, np.arctan(-xy / yy), width, np.sqrt(12 * yy), ink)
    return Attributes(*(value.astype(np.float32) for value in values))
