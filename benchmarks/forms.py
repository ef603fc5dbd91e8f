"""Pages with lines: frames, forms, tables, a Sudoku, ruled and squared paper."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from benchmarks.sheets import Digits, Page, Sheet, row_of, warped, write


def edge(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """A dark line along the picture's edge, round ten digits or one."""
    sheet, cells = row_of(source, digits, 10 if k % 2 else 1)
    write(sheet, cells)
    sheet.pen.rectangle((0, 0, sheet.picture.width - 1, sheet.picture.height - 1), outline=(20,) * 3, width=1 + k % 12)
    return sheet.page()


def edge_parts(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """The line broken, rounded, or on one, two or three sides only."""
    sheet, cells = row_of(source, digits, 10 if k % 2 else 1)
    write(sheet, cells)
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
    sheet, cells = row_of(source, digits)
    for cell in cells:
        sheet.pen.rectangle(_grown(cell, k % 3 * 5 - 4), outline=(20,) * 3, width=3)
    write(sheet, cells)
    return sheet.page()


def combs(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Boxes that share their sides, closed or open at the top."""
    sheet, cells = row_of(source, digits, gap=k % 4 * 6)
    top, bottom = cells[0][1] - 5, cells[0][3] + 5
    pitch = cells[1][0] - cells[0][0]
    xs = [cells[0][0] - (pitch - 112) / 2 + pitch * i for i in range(len(cells) + 1)]
    for x in xs:
        sheet.line((x, top + (60 if k % 2 else 0)), (x, bottom))
    sheet.line((xs[0], bottom), (xs[-1], bottom))
    if not k % 2:
        sheet.line((xs[0], top), (xs[-1], top))
    write(sheet, cells)
    return sheet.page()


def dashed_boxes(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Dashed boxes, and boxes with rounded corners."""
    sheet, cells = row_of(source, digits)
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
    write(sheet, cells)
    return sheet.page()


def touched_boxes(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Boxes that some digits touch or cross."""
    sheet, cells = row_of(source, digits)
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
    return warped(sheet, source, 0.08)


def ruled(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Ruled paper: lines through, above and below the digits, some with a red margin line."""
    sheet, cells = row_of(source, digits, margin=100)
    grey, width, pitch = 60 + k * 13 % 141, 2, (45, 60, 112)[k % 3]
    for y in range(int(source.integers(pitch)), sheet.picture.height, pitch):
        sheet.line((0, y), (sheet.picture.width, y), width=width, grey=grey)
    if k % 2:
        sheet.line((60, 0), (60, sheet.picture.height), width=width, grey=(210, 60, 60))
    write(sheet, cells)
    return sheet.page()


def squared(source: np.random.Generator, digits: Digits, k: int) -> Page:
    """Squared paper."""
    sheet, cells = row_of(source, digits)
    grey, pitch = (int(source.integers(100, 201)),) * 3, int(source.integers(30, 60))
    colour = (150, 180, 220) if k % 2 else grey
    for x in range(int(source.integers(pitch)), sheet.picture.width, pitch):
        sheet.line((x, 0), (x, sheet.picture.height), width=2, grey=colour)
    for y in range(int(source.integers(pitch)), sheet.picture.height, pitch):
        sheet.line((0, y), (sheet.picture.width, y), width=2, grey=colour)
    write(sheet, cells)
    return sheet.page()


def _grown(cell: tuple[float, float, float, float], by: float) -> tuple[float, float, float, float]:
    return cell[0] - by, cell[1] - by, cell[2] + by, cell[3] + by
