"""Attributes of handwritten digits: measured from their pixels, and changed as requested.

attributes.onnx of a model directory predicts attributes from latents and classes, and changes latents by as little as
possible; both networks are fitted at export. The images are then measured, and corrected once.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen._arrays import Float32, Int64, UInt8
from mnistgen._checks import checked_images
from mnistgen._model import CONTROLLED, Run, Statistics

MEASURED_TOGETHER = 128  # images whose intermediate arrays fit in a CPU's second-level cache
TOLERANCE = 0.15  # standard deviations: smaller errors are not corrected, larger ones down to this
SIDE = 30  # pixels: an image with a margin of one pixel, so that its border has edges too


class Attributes(NamedTuple):
    """Attributes of N images, float32 (N,) each; see `mnistgen.measure`."""

    thickness: Float32
    slant: Float32
    width: Float32
    height: Float32
    ink: Float32


def measure(images: ArrayLike) -> Attributes:
    """Measure attributes of digits uint8 (N, 28, 28), ink 255, as float32 (N,) each. Grey levels count as coverage.

    - ink: area, in pixels: the sum of all grey levels over 255.
    - thickness: mean stroke thickness, in pixels: twice the area over the perimeter, which is exact for long strokes.
      The perimeter is estimated from differences between neighbours (Cauchy-Crofton formula in two directions).
    - slant: in radians, positive to the right: the shear that makes the central moment of x and y zero (D. C. Castro
      et al., "Morpho-MNIST", JMLR 20, 2019, section 2.2).
    - width, height: in pixels, of a uniform bar with the same standard deviation along x, after the slant is removed,
      and along y.

    A blank image has no ink, and NaN for the others. Dark digits on a light ground cause a warning. Raises InputError
    for other arrays.
    """
    checked = checked_images(images)
    warn_of_dark_ink(checked)
    return measured(checked)


def warn_of_dark_ink(images: UInt8) -> None:
    """Warn if images are dark on light: MNIST's digits have an empty border."""
    borders = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)  # (N, 112)
    if dark := int((borders.mean(axis=1) > 127).sum()):
        warnings.warn(
            f"images: {dark} of {len(images)} look like dark digits on a light ground, but ink is 255 and the "
            "background 0; invert them: 255 - images",
            UserWarning,
            stacklevel=3,
        )


def measured(images: UInt8, *, thickness: bool = True) -> Attributes:
    """As `measure`, of images that were checked. Without thickness, which takes half of the time, it is NaN."""
    axis = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    y, x = (np.broadcast_to(coordinate, (SIDE, SIDE)) for coordinate in (axis[:, None], axis))
    monomials = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1).reshape(-1, 6)  # (900, 6)
    moments = np.empty((len(images), 6), np.float32)
    perimeters = np.full(len(images), np.nan, np.float32)
    padded = np.zeros((MEASURED_TOGETHER, SIDE, SIDE), np.float32)
    difference = np.zeros((MEASURED_TOGETHER, SIDE * SIDE), np.float32)
    ones = np.ones(SIDE * SIDE, np.float32)
    for first in range(0, len(images), MEASURED_TOGETHER):
        part = images[first : first + MEASURED_TOGETHER]
        padded[: len(part), 1:-1, 1:-1] = part
        pixels = padded[: len(part)].reshape(len(part), -1)  # (n, 900)
        moments[first : first + MEASURED_TOGETHER] = pixels @ monomials
        if not thickness:
            continue
        edges = np.zeros(len(part), np.float32)
        for step in (1, SIDE):  # to the next pixel in the row and in the column; margins are blank
            change = difference[: len(part), step:]
            np.subtract(pixels[:, step:], pixels[:, :-step], out=change)
            np.abs(change, out=change)
            edges += change @ ones[step:]
        perimeters[first : first + MEASURED_TOGETHER] = edges
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


class Editor:
    """attributes.onnx of a model directory, which `run` runs, and the statistics in its card."""

    def __init__(self, run: Run, known: Statistics) -> None:
        self._graph, self._known = run, known

    def edit(self, latents: Float32, classes: Float32, values: Float32) -> Float32:
        """Latents (N, D) whose digits have the requested values (N, A), as far as these can be predicted."""
        predicted = self._run("attributes", latents, classes, np.zeros_like(values))
        standardised = (values - self._known.mean) / self._known.deviation
        return self._run("changed", latents, classes, np.nan_to_num(standardised - predicted))

    def correct(self, latents: Float32, classes: Float32, values: Float32, images: UInt8) -> tuple[Int64, Float32]:
        """Indices (M,) of images (N, 28, 28) whose attributes are off by more than the tolerance, and new latents."""
        thickness = not np.isnan(values[:, CONTROLLED.index("thickness")]).all()
        found = np.stack(measured(images, thickness=thickness)[: len(CONTROLLED)], 1)
        error = np.nan_to_num((values - found) / self._known.deviation)
        # Shrunk by the tolerance, so that the result changes continuously with what was measured.
        error = np.sign(error) * np.maximum(np.abs(error) - TOLERANCE, 0)
        off = error.any(axis=1).nonzero()[0]
        return off, self._run("changed", latents[off], classes[off], error[off])

    def _run(self, output: str, latents: Float32, classes: Float32, change: Float32) -> Float32:
        shape = latents.shape if output == "changed" else change.shape
        feeds = {"latents": latents, "classes": classes, "change": change}
        values: Float32 = self._graph(feeds, {output: shape})[0]
        return values
