"""Digits to look at and to keep, whatever made them: show and save."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex, cast

from numpy.typing import ArrayLike

from mnistgen._animation import ANIMATIONS, write_animation
from mnistgen._arrays import Int64, UInt8
from mnistgen._checks import checked_labels, checked_path, whole_number
from mnistgen._errors import InputError
from mnistgen._formats import WRITERS, Sample, check_target, write
from mnistgen._images import PIXELS, check_images, check_pixels, enlarged, grid
from mnistgen._keywords import suggesting_keywords

if TYPE_CHECKING:
    from PIL.Image import Image


@suggesting_keywords
def show(images: UInt8, *, columns: SupportsIndex | None = None, scale: SupportsIndex = 2) -> Image:
    """A Pillow image of digits, which notebooks display; `.show()` opens it elsewhere.

    Digits uint8 (N, 28, 28) become a grid as by `mnistgen.grid`; a picture uint8 (H, W), such as a number, stays what
    it is. `scale` repeats every pixel in both directions. Raises InputError as `mnistgen.grid` does.
    """
    from PIL import Image  # late: it takes longer to import than most grids take to draw

    if getattr(images, "ndim", 3) != 2:
        return Image.fromarray(grid(images, columns, scale))
    check_images("images", images[None])
    size = whole_number("scale", scale, 1, PIXELS)
    check_pixels(1, images.shape[0] * size, images.shape[1] * size)
    return Image.fromarray(enlarged(images, size))


@suggesting_keywords
def save(
    path: str | os.PathLike[str],
    images: UInt8,
    labels: ArrayLike | None = None,
    *,
    columns: SupportsIndex | None = None,
    scale: SupportsIndex = 1,
    fps: float = 20.0,
) -> None:
    """Write digits uint8 (N, 28, 28) to a file in the format that its ending names, whole or not at all.

    .png is a grid as by `mnistgen.grid`, .npy holds the images, .npz images and labels, whole numbers (N,), 0 to 9, and
    .gif, .apng and .webp are animations of `fps` frames a second. `columns` is for grids, `scale` for all pictures.

    Raises InputError for another ending, other images and labels, and labels where there is no place for them;
    OutputError where the file cannot be written.
    """
    target = Path(checked_path(path))
    ending = target.suffix.lower()
    check_target(target, (*WRITERS, *ANIMATIONS))
    check_images("images", images, (28, 28))
    if labels is not None and ending != ".npz":
        raise InputError(f"labels: expected none for {ending}; .npz holds them")
    kept = None if labels is None else checked_labels(labels, len(images))
    if kept is not None and kept.ndim > 1:
        raise InputError(f"labels: expected whole numbers ({len(images)},) from 0 to 9, got mixtures")
    if ending in ANIMATIONS:
        write_animation(target, images, fps, whole_number("scale", scale, 1, PIXELS))
    else:
        write(target, Sample(images=images, labels=cast(Int64 | None, kept), columns=columns, scale=scale))
