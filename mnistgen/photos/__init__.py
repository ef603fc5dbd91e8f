"""read_digits: handwritten digits in photos, scans and drawings, normalised as MNIST's are.

Needs the `photos` extra: pip install "mnistgen[photos]".
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mnistgen._arrays import Float32, Int64, UInt8
from mnistgen._errors import DependencyError, InputError, plain
from mnistgen._generator import cached
from mnistgen._model import DEFAULT_MODEL, Model
from mnistgen._request import check_digits, check_encoder
from mnistgen.photos.pictures import Page, Picture, pages_of

READ, REJECTED = (0, 140, 0), (230, 110, 0)  # colours


class Rejected(NamedTuple):
    """What was found and not read: the page it is on, its box (left, top, right, bottom), in pixels, and the reason."""

    page: int
    box: tuple[int, ...]
    reason: str


class Reading(NamedTuple):
    """The digits of some pictures, in reading order: pages, then lines from top to bottom, each from left to right.

    Attributes:
        images: uint8 (N, 28, 28), ink 255, background 0, normalised as MNIST's digits are.
        boxes: int64 (N, 4): left, top, right, bottom of the ink in the upright picture, in pixels; the last two are
            exclusive.
        labels: int64 (N,), what the encoder takes the digits for.
        confidences: float32 (N,), the encoder's probability of each label.
        rejected: What was found and not read, with the reason.
        text: The labels, a line of text for each line of digits.
        pages: int64 (N,), the page that each digit is on: pictures in the order given, each with all its pages.
        sources: The pages: grey levels uint8 (H, W), and how many pixels of the picture each of its pixels is wide.
    """

    images: UInt8
    boxes: Int64
    labels: Int64
    confidences: Float32
    rejected: list[Rejected]
    text: str
    pages: Int64
    sources: list[Page]

    def draw(self) -> Image.Image:
        """The pages, one below the other, with boxes and labels of the digits, and what was rejected, drawn in."""
        marks = [(*it, 9, REJECTED) for it in self.rejected]
        marks += [(*mark, 20, READ) for mark in zip(self.pages, self.boxes, map(str, self.labels), strict=True)]
        heights, widths = zip(*(grey.shape for grey, _ in self.sources), strict=True)
        picture = Image.new("RGB", (max(widths), sum(heights)), "white")
        pen = ImageDraw.Draw(picture)
        for number, (grey, scale) in enumerate(self.sources):
            start = sum(heights[:number])
            picture.paste(Image.fromarray(grey), (0, start))
            for _, box, text, size, colour in (mark for mark in marks if mark[0] == number):
                left, top, right, bottom = np.divide(box, scale) + np.array([0, start, 0, start])
                pen.rectangle((left - 1, top - 1, right, bottom), outline=colour)
                pen.text((left, top - 1), text, colour, ImageFont.load_default(size), "lb")
        return picture


def read_digits(pictures: Picture | Sequence[Picture], *, model: Model = DEFAULT_MODEL) -> Reading:
    """Read all handwritten digits in pictures: photos, scans or drawings, dark on light or light on dark.

    A picture is a path, bytes, an open binary file, a Pillow image, or an array or tensor (H, W), (H, W, 3) or
    (H, W, 4), uint8 or float from 0 to 1; several are a list or a tuple. Of a TIFF, all pages are read; of an
    animation, the first frame. HEIC needs pillow-heif. Pictures of up to 178 megapixels are read, scaled down to 2,000
    pixels on the longer side. The lines of forms, tables and ruled paper are removed, two digits that touch are split,
    and what is no digit is rejected: `Reading.draw` shows it.

    The encoder of a model, a name or a path as in `generate`, reads the digits. What the model cannot generate is no
    digit; some letters look like digits to it, such as A, H and Y like a 4.

    Raises InputError for a picture that cannot be read, for no digits at all, and for a model without an encoder
    or of other classes than digits; DependencyError if OpenCV is not installed.
    """
    try:
        from mnistgen.photos.page import read_page
    except ImportError:
        raise DependencyError('read_digits: needs OpenCV; pip install "mnistgen[photos]"') from None
    generator = cached(model)
    check_encoder(generator.card)
    check_digits(generator.card, "pictures")
    digits: list[Any] = []
    pages: list[Page] = []
    text, rejected = [], []
    several: list[Any] = list(pictures) if isinstance(pictures, list | tuple) else [pictures]
    for number, picture in enumerate(several, 1):
        name = plain(os.fsdecode(picture)) if isinstance(picture, str | os.PathLike) else f"picture {number}"
        for grey, scale in pages_of(picture, name):
            lines, others = read_page(grey, generator)
            if not lines:
                others.append((np.array([0, 0, *grey.shape[::-1]]), "no digits"))
            digits += [(len(pages), scale * it.found.box, *it[1:4]) for line in lines for it in line]
            text += ["".join(str(digit.label) for digit in line) for line in lines]
            rejected += [
                Rejected(len(pages), tuple(round(scale * side) for side in box), reason) for box, reason in others
            ]
            pages.append((grey, scale))
    if not digits:
        raise InputError("pictures: expected digits, found none; write larger or darker, or crop to the digits")
    numbers, boxes, images, labels, confidences = (np.array(values) for values in zip(*digits, strict=True))
    return Reading(images, np.round(boxes).astype(int), labels, confidences, rejected, "\n".join(text), numbers, pages)
