"""Sheets: pages in the making, whose digits, labels and boxes are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import mnistgen

TEST_DIGITS = Path(__file__).resolve().parents[1] / "tests" / "data" / "MNIST" / "raw"
GROUNDS: tuple[Any, ...] = (255, 228, (250, 243, 220), "gradient", "grain")
TRUETYPE = Path(mpl.get_data_path()) / "fonts" / "ttf"
FONTS = ("", "DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "DejaVuSans-Bold")  # Pillow's own, and Matplotlib's
SPECK = 0.05  # of the ink of a digit: a smaller part does not count for its box

Box = tuple[float, float, float, float]


class Page(NamedTuple):
    """A picture, and the label and the box (left, top, right, bottom) of each digit in it, in reading order."""

    picture: Image.Image
    labels: list[int]
    boxes: list[Box]


class Digits:
    """Digits to paste: MNIST's test digits and generated ones, in turn."""

    def __init__(self, folder: Path = TEST_DIGITS) -> None:
        real = np.fromfile(folder / "t10k-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28)
        labels = np.fromfile(folder / "t10k-labels-idx1-ubyte", np.uint8, offset=8)
        generated, drawn = mnistgen.generate_labelled(2_000, seed=33)
        self._sources = ((real, labels), (generated, drawn.astype(np.uint8)))

    def draw(self, source: np.random.Generator, label: int | None = None) -> tuple[NDArray[np.uint8], int]:
        """A digit uint8 (28, 28), of a label if one is given, and its label."""
        images, labels = self._sources[source.integers(2)]
        choice = int(source.choice(np.arange(len(labels)) if label is None else np.flatnonzero(labels == label)))
        return images[choice], int(labels[choice])


class Sheet:
    """A page in the making: a ground, and a pen that remembers what it wrote."""

    def __init__(
        self, source: np.random.Generator, digits: Digits, width: int, height: int, ground: Any = None
    ) -> None:
        self.source, self._digits = source, digits
        ground = GROUNDS[source.integers(len(GROUNDS))] if ground is None else ground
        if ground == "gradient":
            self.picture = Image.fromarray(np.tile(np.linspace(255, 215, width).astype(np.uint8), (height, 1)))
        elif ground == "grain":
            self.picture = Image.fromarray(source.normal(240, 3, (height, width)).clip(0, 255).astype(np.uint8))
        else:
            self.picture = Image.new("RGB", (width, height), ground if isinstance(ground, tuple) else (ground,) * 3)
        self.picture = self.picture.convert("RGB")
        self.pen = ImageDraw.Draw(self.picture)
        self.labels: list[int] = []
        self.boxes: list[Box] = []

    def digit(self, left: float, top: float, size: int = 112, ink: Any = 30, label: int | None = None) -> None:
        """Write a digit whose 28 x 28 pixels become size x size."""
        image, label = self._digits.draw(self.source, label)
        large = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
        self.picture.paste(ink if isinstance(ink, tuple) else (ink,) * 3, (round(left), round(top)), large)
        _, _, parts, _ = cv2.connectedComponentsWithStats((np.asarray(large) > 64).astype(np.uint8))
        x, y, width, height, area = parts[1:].T
        large_parts = area > SPECK * area.sum()
        low, high = (np.stack(ends, 1)[large_parts] for ends in ((x, y), (x + width, y + height)))
        place = np.array([round(left), round(top)])
        self.labels.append(label)
        self.boxes.append((*(low.min(axis=0) + place).tolist(), *(high.max(axis=0) + place).tolist()))

    def row(self, n: int = 10, size: int = 112, gap: int = 28, margin: int = 90, ink: Any = 30) -> None:
        """Write n digits side by side."""
        for k in range(n):
            self.digit(margin + k * (size + gap), margin, size, ink)

    def glyph(self, text: str, centre: tuple[float, float], size: int, font: int = 0, *, digit: bool = False) -> None:
        """Print text in grey 30, as a digit that must be read or as something that must not."""
        face = FONTS[font % len(FONTS)]
        drawn = ImageFont.truetype(TRUETYPE / f"{face}.ttf", size) if face else ImageFont.load_default(size)
        self.pen.text(centre, text, (30,) * 3, drawn, "mm")
        if digit:
            self.labels.append(int(text))
            self.boxes.append(self.pen.textbbox(centre, text, drawn, "mm"))

    def line(self, *points: tuple[float, float], width: float = 3, grey: Any = 20) -> None:
        """Draw straight lines through points."""
        self.pen.line(points, grey if isinstance(grey, tuple) else (grey,) * 3, round(width), "curve")

    def page(self, picture: Image.Image | None = None, boxes: list[Box] | None = None) -> Page:
        """What was made, with another picture or other boxes if it was changed afterwards."""
        return Page(picture or self.picture, self.labels, boxes or self.boxes)


def row_of(
    source: np.random.Generator, digits: Digits, n: int = 10, ground: Any = None, **layout: int
) -> tuple[Sheet, list[tuple[int, int, int, int]]]:
    """An empty sheet for a row of n digits, and the square of each."""
    size, gap, margin = layout.get("size", 112), layout.get("gap", 28), layout.get("margin", 90)
    sheet = Sheet(source, digits, n * (size + gap) + 2 * margin, size + 2 * margin, ground)
    lefts = [margin + k * (size + gap) for k in range(n)]
    return sheet, [(left, margin, left + size, margin + size) for left in lefts]


def write(sheet: Sheet, cells: Sequence[tuple[float, float, float, float]], ink: Any = 30) -> None:
    """Write a digit into each cell (left, top, right, bottom)."""
    for left, top, right, _ in cells:
        sheet.digit(left, top, round(right - left), ink)


def warped(sheet: Sheet, source: np.random.Generator, most: float) -> Page:
    """In perspective: each corner moved inwards by up to this share of the width."""
    width, height = sheet.picture.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    inwards = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * source.uniform(0, most, (4, 2)) * width
    return moved(sheet, cv2.getPerspectiveTransform(corners, (corners + inwards).astype(np.float32)))


def moved(sheet: Sheet, matrix: NDArray[Any]) -> Page:
    """The page after a transformation of its plane, (3, 3)."""
    picture = cv2.warpPerspective(
        np.asarray(sheet.picture), matrix, sheet.picture.size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    boxes = []
    for x0, y0, x1, y1 in sheet.boxes:
        corners = np.array([[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]], np.float32)
        x, y = cv2.perspectiveTransform(corners, matrix)[0].T
        boxes.append((float(x.min()), float(y.min()), float(x.max()), float(y.max())))
    return sheet.page(Image.fromarray(picture), boxes)
