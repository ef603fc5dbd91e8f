"""Segmentation: ink -> what may be digits, and what cannot be."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mnistgen._arrays import Float32, Int64

MAX_PARTS = 2000

# Sides are the longer sides of boxes, and compared with that of a typical digit of the picture.
SPECK = (4, 0.1)  # pixels, and share of the typical side: what is smaller is ignored
SMALLEST, LARGEST, FLAT = 0.4, 2.5, 2.2  # of a digit; the last is its width over its height, at most
FRAGMENT = (0.25, 0.6)  # a part that may belong to a digit beside it
NEAR, TOGETHER = 0.2, 1.35  # the gap between parts of a digit, and their common side, at most


class Candidate(NamedTuple):
    """What may be a digit: its box (left, top, right, bottom), and its ink, 1 in its strokes, in a window.

    `origin` is where the window begins (left, top).
    """

    box: Int64
    origin: Int64
    ink: Float32


def candidates(ink: Float32, faintest: float) -> tuple[list[Candidate], list[tuple[Int64, str]]]:
    """Find what may be digits in ink (H, W), and what is none: its boxes and the reasons."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((ink > faintest).astype(np.uint8))
    boxes, area = np.concatenate([stats[:, :2], stats[:, :2] + stats[:, 2:4]], axis=1), stats[:, 4]
    sides = stats[:, 2:4].max(axis=1)
    touched = (boxes == [0, 0, *ink.shape[::-1]]).sum(axis=1)
    at_edge = (touched > 0) & (touched < 4)  # a digit to which the picture was cropped touches all
    solid = (sides >= SPECK[0]) & (np.arange(count) > 0)
    rejected = [(box, "at the edge") for box in boxes[solid & at_edge]]
    parts = np.array(sorted(np.flatnonzero(solid & ~at_edge), key=lambda part: -sides[part]), int)
    rejected += [(box, "one too many") for box in boxes[parts[MAX_PARTS:]]]
    parts = parts[:MAX_PARTS]
    upright = parts[stats[parts, 2] < FLAT * stats[parts, 3]]
    if not len(upright):
        return [], rejected
    typical = float(np.median(np.repeat(sides[upright], area[upright])))
    parts = parts[sides[parts] >= SPECK[1] * typical]
    found = []
    for group in _grouped(parts, boxes, typical):
        box = np.array([*boxes[group, :2].min(axis=0), *boxes[group, 2:].max(axis=0)])
        width, height = (box[2:] - box[:2]) / typical
        if SMALLEST < max(width, height) < LARGEST and width < FLAT * height:
            found.append(_cut_out(ink, labels, group, box))
        else:
            why = "a line" if width >= FLAT * height else "too small" if height < SMALLEST else "too large"
            rejected.append((box, why))
    return found, rejected


def _grouped(parts: Int64, boxes: Int64, typical: float) -> list[Int64]:
    """Groups of parts, which are in order of size: each joins the nearest larger one that it may belong to."""
    low, high, order = boxes[parts, :2], boxes[parts, 2:], np.arange(len(parts))
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)  # (P, P, 2); negative: a gap
    together = (np.maximum(high[:, None], high) - np.minimum(low[:, None], low)).max(axis=2)
    widths, sides = (high - low)[:, 0], (high - low).max(axis=1) / typical
    stacked = shared[..., 0] >= SMALLEST * np.minimum(widths[:, None], widths)
    near = (shared.min(axis=2) > -NEAR * typical) & (together < TOGETHER * typical) & (stacked | (sides < FRAGMENT[1]))
    near &= (sides >= SMALLEST)[:, None] & (sides >= FRAGMENT[0]) & (order[:, None] < order)
    gaps = np.where(near, np.maximum(-shared, 0).sum(axis=2), np.inf)
    owner = np.where(near.any(axis=0), gaps.argmin(axis=0), order)
    while (owner[owner] != owner).any():
        owner = owner[owner]
    return [parts[owner == first] for first in np.unique(owner)]


def _cut_out(ink: Float32, labels: NDArray[Any], parts: Int64, box: Int64) -> Candidate:
    """The parts alone, with their soft edges."""
    margin = 2 + int((box[2:] - box[:2]).max()) // 20
    origin = np.maximum(box[:2] - margin, 0)
    window = np.s_[origin[1] : box[3] + margin, origin[0] : box[2] + margin]
    own = np.isin(labels[window], parts)
    near = cv2.dilate(own.astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)) > 0
    alone = np.where(near & (own | (labels[window] == 0)), ink[window] / np.quantile(ink[window][own], 0.9), 0)
    return Candidate(box, origin, alone.clip(0, 1).astype(np.float32))
