"""Digits read from pages that people photograph, scan and draw: python -m benchmarks.reading [PAGES] [FOLDER].

Each row of `benchmarks.pages` is made PAGES times from seeds, with the test digits of MNIST in FOLDER and generated
ones as ink. Beside each figure is that of the segmentation before OpenCV, as recorded on the first 30 pages.
"""

import io
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

import mnistgen
from benchmarks.pages import ROWS
from benchmarks.sheets import TEST_DIGITS, Box, Digits, Page
from benchmarks.timing import medians

OVERLAP = 0.4  # intersection over union of the boxes of a digit
BARS = "bars: found at least 95 %, right at least 97 %, at most one invented in 100 pages"

# Share of pages all right, of digits found, of those read right; invented digits in 100 pages; milliseconds a page.
BEFORE: dict[str, tuple[float, float, float, float, float]] = {
    "plain": (1.000, 1.000, 1.000, 0.0, 175),
    "line along the edge": (0.000, 0.109, 0.556, 440.0, 102),
    "the line broken, rounded, on some sides": (0.700, 0.739, 1.000, 190.0, 122),
    "boxes": (0.000, 0.410, 0.203, 590.0, 201),
    "boxes that share sides": (0.967, 1.000, 0.997, 3.3, 178),
    "boxes dashed or rounded": (0.100, 0.523, 0.834, 1136.7, 269),
    "digits that touch their box": (0.000, 0.770, 0.364, 230.0, 281),
    "tables": (0.300, 0.353, 0.995, 43.3, 225),
    "Sudoku": (0.767, 0.999, 0.992, 10.0, 340),
    "ruled paper": (0.333, 0.400, 1.000, 480.0, 229),
    "squared paper": (0.767, 0.773, 0.996, 303.3, 228),
    "many digits": (0.133, 0.185, 0.995, 193.3, 210),
    "faint beside dark": (0.000, 0.500, 0.993, 0.0, 155),
    "shadow, gradient, noise, glare": (0.733, 0.973, 1.000, 3.3, 191),
    "turned to 15 degrees": (0.933, 1.000, 0.987, 0.0, 183),
    "table, finger, blackboard, pens": (0.967, 1.000, 1.000, 3.3, 422),
    "digits that touch": (0.167, 0.800, 0.880, 3.3, 277),
    "strokes apart": (1.000, 1.000, 1.000, 0.0, 149),
    "what is no digit": (0.400, 1.000, 1.000, 60.0, 204),
    "no digits": (0.567, 0.000, 0.000, 1083.3, 216),
}


class Score(NamedTuple):
    """What was read of a page. A digit is invented where there is none, or where another one was read already."""

    right_page: bool
    digits: int
    found: int
    right: int
    invented: int


def main(pages: str = "30", folder: str = str(TEST_DIGITS)) -> None:
    """Measure and print a line for each row."""
    digits = Digits(Path(folder))
    print(f"{'':40}{'pages right':>16}{'found':>16}{'read right':>16}{'invented/100':>16}{'ms a page':>16}")
    for number, (name, make) in enumerate(ROWS.items()):
        scores, times = [], []
        for k in range(int(pages)):
            page = make(np.random.default_rng([number, k]), digits, k)
            start = time.perf_counter()
            boxes, labels = _read(page)
            times.append(time.perf_counter() - start)
            scores.append(score(page, boxes, labels))
        _, total, found, right, invented = np.sum(scores, axis=0)
        now = (
            np.mean([it.right_page for it in scores]),
            found / max(1, total),
            right / max(1, found),
            100 * invented / len(scores),
            1000 * np.median(times),
        )
        before = BEFORE.get(name, (np.nan,) * 5)
        cells = [f"{one:.1%} ({other:.1%})" for one, other in zip(now[:3], before[:3], strict=True)]
        cells += [f"{one:.1f} ({other:.1f})" for one, other in zip(now[3:], before[3:], strict=True)]
        print(f"{name:40}" + "".join(f"{cell:>16}" for cell in cells), flush=True)
    print(BARS)
    photo = ROWS["many digits"](np.random.default_rng(4), digits, 4).picture.resize((3_000, 4_000))
    file = io.BytesIO()
    photo.save(file, "JPEG")
    seconds = medians({"JPEG of 12 megapixels": lambda: mnistgen.read_digits(file.getvalue())}, rounds=5)
    print(f"a page of 12 megapixels, 200 digits: {seconds['JPEG of 12 megapixels']:.2f} s (must be at most 1.5)")


def _read(page: Page) -> tuple[list[Box], list[int]]:
    try:
        reading = mnistgen.read_digits(page.picture)
    except mnistgen.InputError:
        return [], []
    return [tuple(box) for box in reading.boxes.tolist()], reading.labels.tolist()


def score(page: Page, boxes: list[Box], labels: list[int]) -> Score:
    """Compare what was read of a page with what is on it."""
    matches = [
        max(((_overlap(box, other), k) for k, other in enumerate(boxes)), default=(0.0, 0)) for box in page.boxes
    ]
    matched = [k if overlap > OVERLAP else None for overlap, k in matches]
    found = [k for k in matched if k is not None]
    right = sum(k is not None and labels[k] == label for k, label in zip(matched, page.labels, strict=True))
    invented = len(boxes) - len(set(found))
    return Score(labels == page.labels and not invented, len(page.labels), len(set(found)), right, invented)


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


if __name__ == "__main__":
    main(*sys.argv[1:])
