"""Normalisation: the ink of one digit becomes an image such as MNIST's.

The steps, which the playground's canvas takes too: (1) crop to the ink; (2) thicken strokes under one pixel of MNIST;
(3) scale the longer side to 20 pixels, keeping the aspect ratio, by area means where it shrinks and linearly where it
grows; (4) move by whole pixels, so that the centre of mass is at pixel (14, 14) of 28 x 28 (Y. LeCun, C. Cortes,
C. J. C. Burges, "The MNIST database"); (5) scale grey levels so that the darkest pixel is 255.
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnistgen._arrays import UInt8
from mnistgen._loaded import to_uint8

SIDE, BOX = 28, 20  # pixels of MNIST
EDGE = 0.1  # ink at the edge of a digit


def normalised(ink: NDArray[Any]) -> UInt8:
    """Ink (H, W) of one digit, from 0 to 1, as an image uint8 (28, 28)."""
    left, top, width, height = cv2.boundingRect((ink > EDGE).astype(np.uint8))
    ink = np.pad(ink[top : top + height, left : left + width], 1)
    unit = (max(ink.shape) - 2) / BOX  # a pixel of MNIST
    edges = np.abs(np.diff(ink, axis=0)).sum() + np.abs(np.diff(ink, axis=1)).sum()
    missing = unit - 8 / math.pi * ink.sum() / edges  # thickness is twice the area over the perimeter
    if missing > 0.5:
        size = 2 * math.ceil(missing / 2) + 1
        return normalised(cv2.dilate(np.pad(ink, size), np.ones((size, size), np.uint8)))
    ink = ink[1:-1, 1:-1]
    height, width = (max(1, round(side / unit)) for side in ink.shape)
    ink = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA if unit > 1 else cv2.INTER_LINEAR)
    centres = [np.average(np.arange(len(mass)), weights=mass) for mass in (ink.sum(axis=1), ink.sum(axis=0))]
    top, left = (int(np.clip(14.5 - centre, 0, SIDE - side)) for centre, side in zip(centres, ink.shape, strict=True))
    ink = cv2.copyMakeBorder(ink, top, SIDE - height - top, left, SIDE - width - left, cv2.BORDER_CONSTANT)
    return to_uint8(ink / ink.max())
