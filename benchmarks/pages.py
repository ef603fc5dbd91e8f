"""Pages of handwritten digits whose labels and boxes are known: what people photograph, scan and draw, from seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
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
PENS = ((20, 40, 160), (150, 20, 30), (10, 90, 40), (60, 20, 110), (25, 25, 25))

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


Make = Callable[[np.random.Generator, Digits, int], Page]


def _row_of(
    source: np.random.Generator, digits: Digits, n: int = 10, ground: Any = None, **layout: int
) -> tuple[Sheet, list[tuple[int, int, int, int]]]:
    """An empty sheet for a row of n digits, and the square of each."""
    size, gap, margin = layout.get("size", 112), layout.get("gap", 28), layout.get("margin", 90)
    sheet = Sheet(source, digits, n * (size + gap) + 2 * margin, size + 2 * margin, ground)
    lefts = [margin + k * (size + gap) for k in range(n)]
    return sheet, [(left, margin, left + size, margin + size) for left in lefts]


def _write(sheet: Sheet, cells: Sequence[tuple[float, float, float, float]], ink: Any = 30) -> None:
    for left, top, right, _ in cells:
        sheet.digit(left, top, round(right - left), ink)


def plain(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Ten digits and nothing else."""
    sheet, cells = _row_of(source, digits)
    _write(sheet, cells)
    return sheet.page()


def edge(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """A dark line along the picture's edge, round ten digits or one."""
    sheet, cells = _row_of(source, digits, 10 if k % 2 else 1)
    _write(sheet, cells)
    sheet.pen.rectangle((0, 0, sheet.picture.width - 1, sheet.picture.height - 1), outline=(20,) * 3, width=1 + k % 12)
    return sheet.page()


def edge_parts(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """The line broken, rounded, or on one, two or three sides only."""
    sheet, cells = _row_of(source, digits, 10 if k % 2 else 1)
    _write(sheet, cells)
    right, bottom, width = sheet.picture.width - 1, sheet.picture.height - 1, 1 + int(source.integers(12))
    corners = [(0, 0), (right, 0), (right, bottom), (0, bottom), (0, 0)]
    half = width // 2
    inner = [(min(max(x, half), right - half), min(max(y, half), bottom - half)) for x, y in corners]
    kind = k // 2 % 3
    if kind == 0:  # broken
        for (x0, y0), (x1, y1) in pairwise(inner):
            for start in np.arange(0, 1, 0.2):
                ends = start, start + source.uniform(0.1, 0.19)
                sheet.line(*((x0 + t * (x1 - x0), y0 + t * (y1 - y0)) for t in ends), width=width)
    elif kind == 1:
        sheet.pen.rounded_rectangle((0, 0, right, bottom), int(source.integers(10, 40)), outline=(20,) * 3, width=width)
    else:
        first = int(source.integers(4))
        for side in range(first, first + 1 + k // 6 % 3):
            sheet.line(inner[side % 4], inner[side % 4 + 1], width=width)
    return sheet.page()


def boxes(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """A box round each digit, as in forms."""
    sheet, cells = _row_of(source, digits)
    for cell in cells:
        sheet.pen.rectangle(_grown(cell, k % 3 * 5 - 4), outline=(20,) * 3, width=3)
    _write(sheet, cells)
    return sheet.page()


def combs(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Boxes that share their sides, closed or open at the top."""
    sheet, cells = _row_of(source, digits, gap=k % 4 * 6)
    top, bottom = cells[0][1] - 5, cells[0][3] + 5
    pitch = cells[1][0] - cells[0][0]
    xs = [cells[0][0] - (pitch - 112) / 2 + pitch * i for i in range(len(cells) + 1)]
    for x in xs:
        sheet.line((x, top + (60 if k % 2 else 0)), (x, bottom))
    sheet.line((xs[0], bottom), (xs[-1], bottom))
    if not k % 2:
        sheet.line((xs[0], top), (xs[-1], top))
    _write(sheet, cells)
    return sheet.page()


def dashed_boxes(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Dashed boxes, and boxes with rounded corners."""
    sheet, cells = _row_of(source, digits)
    for cell in cells:
        left, top, right, bottom = _grown(cell, 4)
        if k % 2:
            sheet.pen.rounded_rectangle((left, top, right, bottom), 8 + k % 20, outline=(20,) * 3, width=3)
            continue
        dash = 6 + k % 12
        for start in range(0, int(right - left), 2 * dash):
            end = min(start + dash, int(right - left))
            for y in (top, bottom):
                sheet.line((left + start, y), (left + end, y))
            for x in (left, right):
                sheet.line((x, top + start), (x, top + end))
    _write(sheet, cells)
    return sheet.page()


def touched_boxes(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Boxes that some digits touch or cross."""
    sheet, cells = _row_of(source, digits)
    for cell in cells:
        sheet.pen.rectangle(_grown(cell, -6), outline=(20,) * 3, width=3)
    for left, top, right, _ in cells:
        shift = source.integers(-14, 15, 2) * (source.random() < 0.5)
        sheet.digit(left + shift[0], top + shift[1], right - left)
    return sheet.page()


def tables(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Tables of 2 x 2 to 10 x 10 cells."""
    n, cell = 2 + k % 9, int(source.integers(70, 120))
    sheet = Sheet(source, digits, n * cell + 120, n * cell + 120)
    grey, width = int(source.integers(20, 201)), int(source.integers(1, 5))
    for at in range(60, 61 + n * cell, cell):
        sheet.line((60, at), (60 + n * cell, at), width=width, grey=grey)
        sheet.line((at, 60), (at, 60 + n * cell), width=width, grey=grey)
    size = round(0.9 * cell)
    for row in range(n):
        for column in range(n):
            shift = source.uniform(0, cell - size, 2)
            sheet.digit(60 + column * cell + shift[0], 60 + row * cell + shift[1], size)
    return sheet.page()


def sudoku(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """A Sudoku, some cells printed and some written, in perspective."""
    cell = 64
    sheet = Sheet(source, digits, 9 * cell + 160, 9 * cell + 160)
    for i in range(10):
        at, width = 80 + i * cell, 5 if i % 3 == 0 else 2
        sheet.line((80, at), (80 + 9 * cell, at), width=width, grey=30)
        sheet.line((at, 80), (at, 80 + 9 * cell), width=width, grey=30)
    for row in range(9):
        for column in range(9):
            left, top, kind = 80 + column * cell, 80 + row * cell, source.random()
            if kind < 0.3:
                sheet.glyph(str(source.integers(1, 10)), (left + cell / 2, top + cell / 2), 44, k, digit=True)
            elif kind < 0.5:
                sheet.digit(left + 4, top + 4, cell - 8, ink=(40, 50, 120), label=int(source.integers(1, 10)))
    return _warped(sheet, source, 0.08)


def ruled(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Ruled paper: lines through, above and below the digits, some with a red margin line."""
    sheet, cells = _row_of(source, digits, margin=100)
    grey, width, pitch = 60 + k * 13 % 141, 2, (45, 60, 112)[k % 3]
    for y in range(int(source.integers(pitch)), sheet.picture.height, pitch):
        sheet.line((0, y), (sheet.picture.width, y), width=width, grey=grey)
    if k % 2:
        sheet.line((60, 0), (60, sheet.picture.height), width=width, grey=(210, 60, 60))
    _write(sheet, cells)
    return sheet.page()


def squared(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Squared paper."""
    sheet, cells = _row_of(source, digits)
    grey, pitch = (int(source.integers(100, 201)),) * 3, int(source.integers(30, 60))
    colour = (150, 180, 220) if k % 2 else grey
    for x in range(int(source.integers(pitch)), sheet.picture.width, pitch):
        sheet.line((x, 0), (x, sheet.picture.height), width=2, grey=colour)
    for y in range(int(source.integers(pitch)), sheet.picture.height, pitch):
        sheet.line((0, y), (sheet.picture.width, y), width=2, grey=colour)
    _write(sheet, cells)
    return sheet.page()


def many(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Long rows and full pages: 60 in a row, a row of plain MNIST digits, 16 small ones, 8 x 8, 200 on A4."""
    kind = k % 5
    if kind == 0:
        sheet, cells = _row_of(source, digits, 60)
    elif kind == 1:
        sheet, cells = _row_of(source, digits, 60, ground=0, size=28, gap=0, margin=0)
    elif kind == 2:
        sheet = Sheet(source, digits, 1600, 160)
        cells = [(40 + 96 * i, 66, 68 + 96 * i, 94) for i in range(16)]
    elif kind == 3:
        sheet = Sheet(source, digits, 8 * 140 + 60, 8 * 140 + 60)
        cells = [(44 + 140 * i, 44 + 140 * j, 156 + 140 * i, 156 + 140 * j) for j in range(8) for i in range(8)]
    else:
        sheet = Sheet(source, digits, 1654, 2339)  # A4 at 200 dots per inch
        cells = [(130 + 140 * i, 130 + 104 * j, 210 + 140 * i, 210 + 104 * j) for j in range(20) for i in range(10)]
    _write(sheet, cells, 255 if kind == 1 else 30)
    return sheet.page()


def faint(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Five faint digits among five dark ones."""
    sheet, cells = _row_of(source, digits)
    pale = set(source.permutation(10)[:5].tolist())
    for i, (left, top, right, _) in enumerate(cells):
        sheet.digit(left, top, right - left, 160 if i in pale else 30)
    return sheet.page()


def light(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Shadow, gradient, noise, glare."""
    sheet, cells = _row_of(source, digits)
    _write(sheet, cells)
    grey = np.asarray(sheet.picture, np.float32)
    height, width, _ = grey.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    if k % 4 == 0:  # the edge of a shadow
        edge = width * source.uniform(0.3, 0.7) + (y - height / 2) * source.uniform(-1, 1)
        grey *= 1 - 0.5 / (1 + np.exp(((x - edge) / source.uniform(4, 30)).clip(-50, 50)))[..., None]
    elif k % 4 == 1:
        grey *= (0.4 + 0.6 * x / width)[..., None] * (1 - 0.3 * y / height)[..., None]
    elif k % 4 == 2:
        grey += source.normal(0, source.uniform(5, 15), grey.shape)
    else:
        spot = np.hypot(x - width * source.uniform(0.2, 0.8), y - height / 2) / (0.5 * height)
        grey = 255 - (255 - 0.75 * grey) * (1 - 0.6 * np.exp(-(spot**2)))[..., None]
    return sheet.page(Image.fromarray(grey.clip(0, 255).astype(np.uint8)))


def turned(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Pages turned by up to 15 degrees."""
    sheet, cells = _row_of(source, digits, 5, margin=180)
    _write(sheet, cells)
    width, height = sheet.picture.size
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(source.uniform(-15, 15)), 1.0)
    return _moved(sheet, np.vstack([turn, [0, 0, 1]]))


def scenes(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """A table under the page, a finger on it, chalk on a blackboard, coloured pens."""
    kind = k % 4
    if kind == 2:
        sheet, cells = _row_of(source, digits, ground=(40, 60, 50))
        for left, top, right, _ in cells:
            sheet.digit(left, top, right - left, int(source.integers(190, 245)))
        grain = np.asarray(sheet.picture, np.float32) + source.normal(0, 6, (*sheet.picture.size[::-1], 1))
        return sheet.page(Image.fromarray(grain.clip(0, 255).astype(np.uint8)))
    sheet, cells = _row_of(source, digits, margin=140)
    for left, top, right, _ in cells:
        sheet.digit(left, top, right - left, PENS[source.integers(len(PENS))] if kind == 3 else 30)
    width, height = sheet.picture.size
    if kind == 1:
        x = int(source.integers(100, width - 100))
        sheet.pen.ellipse((x - 45, height - 70, x + 45, height + 200), fill=(205, 150, 120))
    if kind == 0:
        wood = Image.new("RGB", (width + 200, height + 200), (95, 65, 45))
        for y in range(0, wood.height, 7):
            ImageDraw.Draw(wood).line((0, y, wood.width, y + 9), (88, 60, 40), 3)
        wood.paste(sheet.picture, (100, 100))
        return sheet.page(wood, [tuple(side + 100 for side in box) for box in sheet.boxes])  # type: ignore[misc]
    return sheet.page()


def touching(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Pairs of digits that touch."""
    sheet, cells = _row_of(source, digits, 8, gap=40)
    for pair in range(0, 8, 2):
        left, top, right, _ = cells[pair]
        sheet.digit(left, top, right - left)
        ink = sheet.boxes[-1]
        sheet.digit(0, -1000, right - left)  # its box tells where to put it
        x0 = sheet.boxes.pop()[0]
        label = sheet.labels.pop()
        overlap = int(source.integers(1, 7))
        sheet.digit(ink[2] - x0 - overlap, top, right - left, label=label)
    return sheet.page()


def strokes(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Fives whose top stroke is apart, and fours that are open at the top, drawn with a pen."""
    sheet, cells = _row_of(source, digits, 6)
    for i, (left, top, _, _) in enumerate(cells):
        gap = source.uniform(4, 11)
        bend = source.uniform(0.8, 1.2)
        five: list[list[tuple[float, float]]] = [
            [(40 + gap + 6, 24), (78, 22)],
            [(40, 24), (36, 52), (52, 47), (70, 52), (76, 68), (68, 86), (50, 92), (32, 86)],
        ]
        four: list[list[tuple[float, float]]] = [[(40, 20), (34, 60), (80, 58)], [(70, 26), (64, 62), (60, 94)]]
        drawn = four if i % 2 else five
        points = [[(left + x, top + 4 + y * bend * 0.95) for x, y in stroke] for stroke in drawn]
        for stroke in points:
            smooth = stroke if i % 2 else _smoothed(stroke)
            sheet.line(*smooth, width=8, grey=30)
        xs, ys = zip(*(point for stroke in points for point in stroke), strict=True)
        sheet.labels.append(4 if i % 2 else 5)
        sheet.boxes.append((min(xs), min(ys), max(xs), max(ys)))
    return sheet.page()


def others(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """A decimal point, a comma, a minus, a tick or a letter among digits."""
    sheet, cells = _row_of(source, digits)
    foreign = int(source.integers(1, 9))
    for i, (left, top, right, bottom) in enumerate(cells):
        if i != foreign:
            sheet.digit(left, top, right - left)
            continue
        x, y = (left + right) / 2, bottom - 20
        if k % 5 == 0:
            sheet.pen.ellipse((x - 6, y - 6, x + 6, y + 6), (30,) * 3)
        elif k % 5 == 1:
            sheet.line((x + 4, y - 4), (x + 5, y + 6), (x - 6, y + 20), width=7, grey=30)
        elif k % 5 == 2:
            sheet.line((x - 28, y - 36), (x + 28, y - 36), width=9, grey=30)
        elif k % 5 == 3:
            sheet.line((x - 28, y - 26), (x - 10, y - 2), (x + 42, y - 76), width=8, grey=30)
        else:
            sheet.glyph("KMNWXRFE"[k // 5 % 8], (x, (top + bottom) / 2), 100, k // 5)
    return sheet.page()


def nothing(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """No digits: an empty page, texture, a cat."""
    sheet, _ = _row_of(source, digits, 4)
    width, height = sheet.picture.size
    if k % 4 == 0:
        return sheet.page()
    if k % 4 == 3:
        from skimage import data

        cat = data.chelsea()
        top, left = source.integers(0, 100), source.integers(0, 150)
        return sheet.page(Image.fromarray(cat[top : top + 200, left : left + 300]))
    noise = source.normal(0, 1, (height, width)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 0.5 + 4 * (k % 4 - 1) * source.random())
    return sheet.page(Image.fromarray((200 + 12 * blurred / blurred.std()).clip(0, 255).astype(np.uint8)))


def _grown(cell: tuple[float, float, float, float], by: float) -> tuple[float, float, float, float]:
    return cell[0] - by, cell[1] - by, cell[2] + by, cell[3] + by


def _smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The polygon's corners cut twice (G. Chaikin, 1974)."""
    for _ in range(2):
        cut = [points[0]]
        for (x0, y0), (x1, y1) in pairwise(points):
            cut += [(0.75 * x0 + 0.25 * x1, 0.75 * y0 + 0.25 * y1), (0.25 * x0 + 0.75 * x1, 0.25 * y0 + 0.75 * y1)]
        points = [*cut, points[-1]]
    return list(points)


def _warped(sheet: Sheet, source: np.random.Generator, most: float) -> Page:
    """In perspective: each corner moved inwards by up to this share of the width."""
    width, height = sheet.picture.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    inwards = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * source.uniform(0, most, (4, 2)) * width
    return _moved(sheet, cv2.getPerspectiveTransform(corners, (corners + inwards).astype(np.float32)))


def _moved(sheet: Sheet, matrix: NDArray[Any]) -> Page:
    moved = cv2.warpPerspective(
        np.asarray(sheet.picture), matrix, sheet.picture.size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    boxes = []
    for x0, y0, x1, y1 in sheet.boxes:
        corners = np.array([[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]], np.float32)
        x, y = cv2.perspectiveTransform(corners, matrix)[0].T
        boxes.append((float(x.min()), float(y.min()), float(x.max()), float(y.max())))
    return sheet.page(Image.fromarray(moved), boxes)


ROWS: dict[str, Make] = {
    "plain": plain,
    "line along the edge": edge,
    "the line broken, rounded, on some sides": edge_parts,
    "boxes": boxes,
    "boxes that share sides": combs,
    "boxes dashed or rounded": dashed_boxes,
    "digits that touch their box": touched_boxes,
    "tables": tables,
    "Sudoku": sudoku,
    "ruled paper": ruled,
    "squared paper": squared,
    "many digits": many,
    "faint beside dark": faint,
    "shadow, gradient, noise, glare": light,
    "turned to 15 degrees": turned,
    "table, finger, blackboard, pens": scenes,
    "digits that touch": touching,
    "strokes apart": strokes,
    "what is no digit": others,
    "no digits": nothing,
}
