"""Ink: the contrast of strokes with their ground, without the lines of forms, tables and ruled paper."""

import cv2
import numpy as np

from mnistgen._arrays import Float32, Int64, UInt8

WINDOW = 0.3  # of the picture's shorter side: wider than strokes
COARSE = 600  # pixels: the longer side at which the ground is estimated
FAINTEST, NOISE = 0.1, 6.7  # contrast of ink, at least, and over the median: that of the ground (4.5 deviations)

# Lines, in what hangs together with them.
PASSES = 3  # lines within a frame show once the frame has gone
SPAN, SLENDER = 0.5, 8  # the length of a line, at least, over the side of the box round all, and over its thickness
RUN, THICKEST = 10, 14  # pixels in a row of a line, at least, where it is aslant, and its thickness, at most
UPRIGHT, ASLANT = np.pi / 2, 0.2  # radians
FLAT = 2.5  # width over height of digits on one line
COVERED = 0.2  # of the length of a line, at least, in each of its rows of pixels
OUTER, SIDES = 0.15, 3  # of the side of a box, where its own lines are, and their number, at least
DARKER, BEHIND = 1.2, 9  # strokes are kept that are so much darker than a line, or go on behind so many pixels


def contrast(grey: UInt8) -> tuple[Float32, float]:
    """The contrast (H, W) of ink with its ground, from 0 to 1, and the least of it that is neither noise nor texture.

    The ground is the median of grey levels (H, W) in a window. Ink is dark or light, whichever there is more of.
    Uneven light changes ink and ground by the same factor.
    """
    window = max(12, WINDOW * min(grey.shape))
    scale = min(1.0, max(COARSE / max(grey.shape), 6 / window))
    coarse = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    reach = min(round(scale * window) // 2, *coarse.shape)
    wide = cv2.copyMakeBorder(coarse, reach, reach, reach, reach, cv2.BORDER_REFLECT)
    coarse = cv2.medianBlur(wide, 2 * reach + 1)[reach:-reach, reach:-reach]
    ground = cv2.resize(coarse, grey.shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
    change = grey - ground
    light = np.square(change.clip(0)).sum() > np.square(change.clip(None, 0)).sum()
    ink = change / (256 - ground) if light else -change / (ground + 1)
    return ink.clip(0, 1), max(FAINTEST, NOISE * float(np.median(np.abs(ink))))


def without_lines(ink: Float32, faintest: float) -> Float32:
    """Ink (H, W) without straight lines. Strokes that cross them stay whole.

    Lines are looked for in each connected component that can be no digit: it encloses others, touches the edge of the
    picture, is as wide as several digits, or is a box.
    """
    ink = ink.copy()
    for _ in range(PASSES):
        _, labels, stats, _ = cv2.connectedComponentsWithStats((ink > faintest).astype(np.uint8))
        solid = np.flatnonzero(stats[1:, 2:4].max(axis=1) >= RUN) + 1
        corners, sizes = stats[solid, :2], stats[solid, 2:4]
        for part, corner, size in zip(solid, corners, sizes, strict=True):
            place = corners + sizes / 2 - corner
            enclosed = ((place > 0) & (place < size)).all(axis=1) & (sizes.max(axis=1) < size.max())
            edge = (corner == 0).any() or (corner + size == ink.shape[::-1]).any()
            window = np.s_[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]]
            mask = (labels[window] == part).astype(np.uint8)
            across, down = _lines(mask), _lines(mask.T.copy())
            if not (enclosed.any() or edge or size[0] > FLAT * size[1]):
                for lines, side in ((across, size[1]), (down, size[0])):
                    lines[round(OUTER * side) : round((1 - OUTER) * side)] = 0
                if len(np.unique(across)) + len(np.unique(down)) < SIDES + 2:
                    continue
            _erase(ink[window], across)
            _erase(ink[window].T, down)
    return ink


def _lines(mask: UInt8) -> Int64:
    """Lines across a mask (H, W), numbered from 1: peaks of a Hough transform of its slender runs."""
    width = mask.shape[1]
    thickest = min(THICKEST, width // SLENDER) + 1
    mask = np.pad(mask, thickest)
    runs = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, RUN), np.uint8))
    runs = cv2.subtract(runs, cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((thickest, 1), np.uint8)))
    runs = runs[thickest:-thickest, thickest:-thickest].copy()
    least = max(RUN, round(SPAN * width))
    peaks = cv2.HoughLines(runs, 1, 1 / width, least, min_theta=UPRIGHT - ASLANT, max_theta=UPRIGHT + ASLANT)
    drawn = np.zeros_like(runs)
    for rho, theta in () if peaks is None else peaks[:, 0]:
        start, end = (round((rho - x * np.cos(theta)) / np.sin(theta)) for x in (0, width - 1))
        cv2.line(drawn, (0, start), (width - 1, end), 1, 3)
    labels = cv2.connectedComponents(drawn)[1] * runs
    for _ in range(thickest):  # to their full thickness
        grown = cv2.dilate(labels.astype(np.float32), np.ones((3, 1), np.uint8)).astype(int) * runs * (labels == 0)
        enough = np.bincount(grown.ravel()) > COVERED * width
        labels = np.where((grown > 0) & enough[grown], grown, labels)
    return labels.astype(np.int64)


def _erase(ink: Float32, lines: Int64) -> None:
    """Erase lines, but for darker strokes, and close strokes that go on behind them."""
    if lines.any():
        band = cv2.dilate((lines > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0  # with their soft edges
        band &= ink <= DARKER * np.median(ink[lines > 0]) + FAINTEST / 2
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (BEHIND, BEHIND))
        ink[band] = cv2.morphologyEx(np.where(band, 0, ink), cv2.MORPH_CLOSE, disc)[band]
