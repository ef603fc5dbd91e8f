"""Pages of handwritten digits: what people photograph, scan and draw, from seeds. ROWS has them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks import forms
from benchmarks.sheets import Digits, Page, Sheet, moved, row_of, write

PENS = ((20, 40, 160), (150, 20, 30), (10, 90, 40), (60, 20, 110), (25, 25, 25))

Make = Callable[[np.random.Generator, Digits, int], Page]  # from a source of randomness, digits and a variant


def plain(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Ten digits and nothing else."""
    sheet, cells = row_of(source, digits)
    write(sheet, cells)
    return sheet.page()


def many(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Long rows and full pages: 60 in a row, a row of plain MNIST digits, 16 small ones, 8 x 8, 200 on A4."""
    kind = k % 5
    if kind == 0:
        sheet, cells = row_of(source, digits, 60)
    elif kind == 1:
        sheet, cells = row_of(source, digits, 60, ground=0, size=28, gap=0, margin=0)
    elif kind == 2:
        sheet = Sheet(source, digits, 1600, 160)
        cells = [(40 + 96 * i, 66, 68 + 96 * i, 94) for i in range(16)]
    elif kind == 3:
        sheet = Sheet(source, digits, 8 * 140 + 60, 8 * 140 + 60)
        cells = [(44 + 140 * i, 44 + 140 * j, 156 + 140 * i, 156 + 140 * j) for j in range(8) for i in range(8)]
    else:
        sheet = Sheet(source, digits, 1654, 2339)  # A4 at 200 dots per inch
        cells = [(130 + 140 * i, 130 + 104 * j, 210 + 140 * i, 210 + 104 * j) for j in range(20) for i in range(10)]
    write(sheet, cells, 255 if kind == 1 else 30)
    return sheet.page()


def faint(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Five faint digits among five dark ones."""
    sheet, cells = row_of(source, digits)
    pale = set(source.permutation(10)[:5].tolist())
    for i, (left, top, right, _) in enumerate(cells):
        sheet.digit(left, top, right - left, 160 if i in pale else 30)
    return sheet.page()


def light(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Shadow, gradient, noise, glare."""
    sheet, cells = row_of(source, digits)
    write(sheet, cells)
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
    sheet, cells = row_of(source, digits, 5, margin=180)
    write(sheet, cells)
    width, height = sheet.picture.size
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(source.uniform(-15, 15)), 1.0)
    return moved(sheet, np.vstack([turn, [0, 0, 1]]))


def scenes(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """A table under the page, a finger on it, chalk on a blackboard, coloured pens."""
    kind = k % 4
    if kind == 2:
        sheet, cells = row_of(source, digits, ground=(40, 60, 50))
        for left, top, right, _ in cells:
            sheet.digit(left, top, right - left, int(source.integers(190, 245)))
        grain = np.asarray(sheet.picture, np.float32) + source.normal(0, 6, (*sheet.picture.size[::-1], 1))
        return sheet.page(Image.fromarray(grain.clip(0, 255).astype(np.uint8)))
    sheet, cells = row_of(source, digits, margin=140)
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
    sheet, cells = row_of(source, digits, 8, gap=40)
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
    sheet, cells = row_of(source, digits, 6)
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
    sheet, cells = row_of(source, digits)
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
    sheet, _ = row_of(source, digits, 4)
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


def _smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The polygon's corners cut twice (G. Chaikin, 1974)."""
    for _ in range(2):
        cut = [points[0]]
        for (x0, y0), (x1, y1) in pairwise(points):
            cut += [(0.75 * x0 + 0.25 * x1, 0.75 * y0 + 0.25 * y1), (0.25 * x0 + 0.75 * x1, 0.25 * y0 + 0.75 * y1)]
        points = [*cut, points[-1]]
    return list(points)


ROWS: dict[str, Make] = {
    "plain": plain,
    "line along the edge": forms.edge,
    "the line broken, rounded, on some sides": forms.edge_parts,
    "boxes": forms.boxes,
    "boxes that share sides": forms.combs,
    "boxes dashed or rounded": forms.dashed_boxes,
    "digits that touch their box": forms.touched_boxes,
    "tables": forms.tables,
    "Sudoku": forms.sudoku,
    "ruled paper": forms.ruled,
    "squared paper": forms.squared,
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
