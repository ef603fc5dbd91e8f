"""show and save: display digits and write them to files."""

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
    """Return a Pillow image of digits. Notebooks display it; elsewhere, `.show()` opens it.

    Images uint8 (N, 28, 28) are tiled as by `mnistgen.grid`. A picture uint8 (H, W), such as a number, is shown as it
    is. `scale` repeats every pixel in both directions. Raises InputError as `mnistgen.grid` does.
    """
    from PIL import Image  # imported here: importing it takes longer than drawing most grids

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
    """Write images uint8 (N, 28, 28) to a file atomically, in the format of the file extension.

    .png is a grid as by `mnistgen.grid`; .npy contains the images; .npz the images and, if given, labels, whole numbers
    (N,) from 0 to 9. .gif, .apng and .webp are animations with `fps` frames per second, 1 to 100. `columns` applies to
    .png, `scale` to pictures and animations.

    Raises InputError for another extension, for other images and labels, and for labels with a format other than .npz;
    OutputError if the file cannot be written.
    """
    target = Path(checked_path(path))
    ending = target.suffix.lower()
    check_target(target, (*WRITERS, *ANIMATIONS))
    check_images("images", images, (28, 28))
    if labels is not None and ending != ".npz":
        raise InputError(f"labels: expected none for {ending}; only .npz stores labels")
    checked = None if labels is None else checked_labels(labels, len(images))
    if checked is not None and checked.ndim > 1:
        raise InputError(f"labels: expected whole numbers ({len(images)},) from 0 to 9, got mixtures")
    if ending in ANIMATIONS:
        write_animation(target, images, fps, whole_number("scale", scale, 1, PIXELS))
    else:
        write(target, Sample(images=images, labels=cast(Int64 | None, checked), columns=columns, scale=scale))
