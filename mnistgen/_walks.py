"""Interpolation between latents and between classes, as inputs of the network.

Source: K. Shoemake, "Animating Rotation with Quaternion Curves", SIGGRAPH 1985, section 3.3 (the formula); T. White,
"Sampling Generative Networks", 2016 (arXiv:1609.04468), section 2.1 (its use for latents).
"""

from collections.abc import Callable

import numpy as np

from mnistgen._arrays import Float32, Float64
from mnistgen._request import Inputs

Curve = Callable[[Float32, Float32, Float64], Float32]  # as spherical and linear below

PARALLEL = 1e-6  # sine of an angle below which interpolation is linear


def along_arc(latents: Float32, classes: Float32 | None, frames: int) -> Callable[[int, int], Inputs]:
    """The inputs of frames, as a function of the first one and their number, between latents (2, D) and classes (2, K).

    Latents are interpolated along an arc, classes linearly.
    """
    shares = np.linspace(0, 1, frames)

    def inputs(first: int, count: int) -> Inputs:
        part = shares[first : first + count]
        mixed = None if classes is None else linear(classes[0], classes[1], part)
        return Inputs(spherical(latents[0], latents[1], part), mixed)

    return inputs


def over_surface(latents: Float32, classes: Float32 | None, rows: int, columns: int) -> Callable[[int, int], Inputs]:
    """As `along_arc`, between four corners: latents (4, D) and classes (4, K); images are counted row by row."""
    down, right = np.linspace(0, 1, rows), np.linspace(0, 1, columns)

    def inputs(first: int, count: int) -> Inputs:
        row, column = np.divmod(np.arange(first, first + count), columns)
        mixed = None if classes is None else surface(linear, classes, down[row], right[column])
        return Inputs(surface(spherical, latents, down[row], right[column]), mixed)

    return inputs


def spherical(first: Float32, last: Float32, shares: Float64) -> Float32:
    """Interpolate from `first` to `last`, float32 (..., D) each, along an arc: float32 (..., D), exact at both ends.

    `shares` (...) are 0 to 1; all three broadcast. Latents from a normal distribution have nearly the same norm, which
    an arc preserves and a straight line does not. If an end is zero, or both are parallel, interpolation is linear.
    """
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(last, axis=-1)
    cosines = (first * last).sum(axis=-1) / np.where(lengths > 0, lengths, 1)
    angles = np.arccos(np.clip(cosines, -1, 1).astype(np.float64))
    sines = np.sin(angles)
    arc = (lengths > 0) & (sines > PARALLEL)
    divisor = np.where(arc, sines, 1)
    before = np.where(arc, np.sin((1 - shares) * angles) / divisor, 1 - shares)
    after = np.where(arc, np.sin(shares * angles) / divisor, shares)
    return (before[..., None] * first + after[..., None] * last).astype(np.float32)


def linear(first: Float32, last: Float32, shares: Float64) -> Float32:
    """Interpolate linearly from `first` to `last`, float32 (..., D) each; shares (...) 0 to 1; all three broadcast."""
    weights = shares[..., None]
    return ((1 - weights) * first + weights * last).astype(np.float32)


def surface(curve: Curve, corners: Float32, down: Float64, right: Float64) -> Float32:
    """Interpolate between corners (4, D), row by row, at shares (N,) of the height and the width: float32 (N, D)."""
    left_side, right_side = (curve(corners[side], corners[side + 2], down) for side in (0, 1))
    return curve(left_side, right_side, right)
