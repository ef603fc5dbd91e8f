"""Segmentation: where the digits of a picture are.

The ground is divided out, so that uneven light cancels; Otsu's threshold separates ink; connected components that look
like strokes are grouped into digits.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mnistgen._arrays import Float32, Int64

MIN_CONTRAST = 0.08  # of ink and ground, relative to the ground
COARSE = 150  # pixels: the size at which the ground is estimated

# Sizes of windows for the ground, over the picture's shorter side, at least 12 pixels: wider than strokes, and the
# narrower ones also narrower than shadows. A later one must have BETTER times the contrast to be chosen. A window that
# is not wider than WIDER times the strokes would break them; the widest one is always tried.
WINDOWS = (0.12, 0.4, 0.04)
BETTER = 1.15
WIDER = 2.2

# What is no stroke of a digit.
MAX_STROKE = 10  # a tangle: the length of its strokes is more than this many sides; that of an 8 is about 4 sides
MARGIN = 0.03  # an edge of the page: it lies within this share of the shorter side
REACH = (3, 12)  # a shadow: so many pixels beside it, at least and at most, ...
SOFT = 0.5  # ... it is still more than this share as dark
PALE = 0.55  # a shadow or the edge of a page: less than this share as dark as the digits

# Sides are the longer sides of boxes, and compared with that of a typical digit of the picture.
SMALLEST = (8, 0.0125)  # of a digit, in pixels and over the picture's longer side
DIGIT = (0.3, 3.0)  # of a digit, at least and at most
SPECK = 0.1  # of a part of a digit; smaller ones are ignored
FLAT = 2.5  # width over height that no digit has
MAX_PARTS = 1000  # components that are grouped

Bool = NDArray[np.bool_]


class Found(NamedTuple):
    """The digits of a picture (H, W), in reading order."""

    ink: Float32  # (H, W), at least 0: contrast with the ground
    labels: Int64  # (H, W): the index of a pixel's digit; -1 for background, N for any other ink
    boxes: Int64  # (N, 4): left, top, right, bottom; the last two are exclusive


def segment(grey: Float32) -> Found:
    """Find the digits, dark or light, in grey levels (H, W) from 0 to 255."""
    best, found = 0.0, Found(grey, np.full(grey.shape, -1), np.zeros((0, 4), np.int64))
    windows = dict.fromkeys(max(share * min(grey.shape), 12.0) for share in WINDOWS)
    for window in windows:
        for light in (False, True):
            ink = _ink(grey, window, light=light)
            candidate = Found(ink, *_digits(ink, ink > max(_threshold(ink), MIN_CONTRAST / 2)))
            if window < max(windows) and window < WIDER * _thickness(candidate):
                continue
            if (contrast := _contrast(grey, candidate)) > BETTER * best:
                best, found = contrast, candidate
    return found


def _thickness(found: Found) -> float:
    """The mean thickness of the digits' strokes, in pixels."""
    mask = (found.labels >= 0) & (found.labels < len(found.boxes))
    return float(mask.sum() / max(1.0, np.pi / 4 * sum(edge.sum() for edge in _edges(mask))))


def _edges(mask: Bool) -> tuple[Bool, Bool]:
    """Pixels at which runs in a column and in a row begin; each run has two ends (Cauchy-Crofton formula)."""
    return mask & ~np.pad(mask, ((1, 0), (0, 0)))[:-1], mask & ~np.pad(mask, ((0, 0), (1, 0)))[:, :-1]


def _contrast(grey: Float32, found: Found) -> float:
    """The contrast of digits with what surrounds them at a distance; the holes of light digits, say, have none."""
    total = 0.0
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    margin = math.ceil(np.median(sides.max(1)) / 2) if len(sides) else 0
    for digit, (left, top, right, bottom) in enumerate(found.boxes):
        window = np.s_[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
        own = found.labels[window] == digit
        difference = float(np.median(_frame(grey[window])) - np.median(grey[window][own]))
        total += difference**2 * math.sqrt(sides[digit].prod())
    return total * float(np.mean(_frame(found.labels) < 0)) ** 2


def _frame(values: NDArray[Any]) -> NDArray[Any]:
    """The outermost values of (H, W)."""
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def _resized(values: Float32, shape: Sequence[int]) -> Float32:
    """Resample (H, W) to another shape: area means where it shrinks, linear interpolation where it grows."""
    from PIL import Image

    return np.asarray(Image.fromarray(values).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _ink(grey: Float32, window: float, *, light: bool) -> Float32:
    """Contrast of dark or light ink (H, W) with its ground, relative to the latter, at least 0.

    The ground is a morphological closing: without dark parts that are narrower than the window, in pixels; or an
    opening. Uneven light changes ink and ground by the same factor.
    """
    scale = min(1, max(COARSE / max(grey.shape), 6 / window))
    coarse = _resized(grey, [max(1, round(scale * side)) for side in grey.shape])
    size = max(3, round(scale * window) // 2 * 2 + 1)
    sign = -1 if light else 1
    ground = _resized(-sign * largest(-largest(sign * coarse, size), size), grey.shape)
    ink: Float32 = np.maximum(sign * (ground - grey), 0) / (ground + (64 if light else 1))  # light ink may be on black
    return ink


def largest(values: Float32, size: int) -> Float32:
    """The largest value (H, W) in a square of `size` pixels, which is odd, around each pixel."""
    for axis in (0, 1):
        margins = [(size // 2, size // 2) if one == axis else (0, 0) for one in (0, 1)]
        values = sliding_window_view(np.pad(values, margins, "edge"), size, axis).max(-1)
    return values


def noise(ink: Float32) -> float:
    """Standard deviation of noise: the median of a Laplacian (J. Immerkaer, 1996), which strokes hardly change."""
    change = np.diff(np.diff(ink, 2, 0), 2, 1)
    return float(np.median(np.abs(change))) / (6 * 0.6745) if change.size else 0.0


def _threshold(ink: Float32) -> float:
    """Otsu's threshold, and again above it while the upper class has twice the ink, as a pen has on ruled paper."""
    threshold = -1.0
    while True:
        counts, edges = np.histogram(ink[ink > threshold], 128)
        levels = (edges[:-1] + edges[1:]) / 2
        low, high = np.cumsum(counts)[:-1], np.cumsum(counts[::-1])[-2::-1]
        sums = np.cumsum(counts * levels)[:-1]
        means = sums / np.maximum(low, 1), (counts @ levels - sums) / np.maximum(high, 1)
        between = low * high * (means[1] - means[0]) ** 2
        best = int(np.argmax(between))
        if not between[best] or (threshold >= 0 and means[1][best] < 2 * means[0][best]):
            return threshold
        threshold = edges[best + 1]


def _digits(ink: Float32, mask: Bool) -> tuple[Int64, Int64]:
    """Group the connected components of a mask (H, W) into digits: labels and boxes as in Found."""
    labels, boxes = _components(mask)
    smallest = max(SMALLEST[0], SMALLEST[1] * max(mask.shape))
    sides, flat = _sides(boxes)
    strokes, lengths, darkness = _strokes(ink, mask, labels, sides, boxes)
    whole = strokes & (sides >= smallest) & ~flat
    border = _frame(labels)
    along = np.bincount(border[border >= 0], minlength=len(boxes)) > sides / 2  # cut off by the border
    if (whole & ~along).any():
        strokes, whole = strokes & ~along, whole & ~along
    if not whole.any():
        return np.where(mask, 0, -1), boxes[:0]
    typical = _weighted_median(sides[whole], lengths[whole])
    strokes &= darkness > PALE * _weighted_median(darkness[whole], lengths[whole])
    parts = np.flatnonzero(strokes & (sides >= SPECK * typical) & (sides < DIGIT[1] * typical))
    parts = parts[np.argsort(-sides[parts], kind="stable")[:MAX_PARTS]]
    groups = _joined(len(parts), *_neighbours(boxes[parts], typical))  # (P,)
    merged = _bounds(boxes[parts], groups)
    sides, flat = _sides(merged)
    kept = np.flatnonzero((sides >= max(smallest, DIGIT[0] * typical)) & ~flat)
    kept = kept[_reading_order(merged[kept])]
    number = np.full(len(merged), len(kept))  # of each group
    number[kept] = np.arange(len(kept))
    of_component = np.full(len(boxes) + 1, len(kept))
    of_component[-1], of_component[parts] = -1, number[groups]
    return of_component[labels], merged[kept]


def _sides(boxes: Int64) -> tuple[Int64, Bool]:
    """The longer side of each box, and whether it is flatter than a digit."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    return np.maximum(width, height), width >= FLAT * height


def _strokes(
    ink: Float32, mask: Bool, labels: Int64, sides: Int64, boxes: Int64
) -> tuple[Bool, NDArray[np.floating], NDArray[np.floating]]:
    """Of each component: whether it may be strokes of a digit, the length of its strokes, and its mean ink."""
    count = len(boxes)
    tops, lefts = _edges(mask)
    ends = np.bincount(labels[tops], minlength=count) + np.bincount(labels[lefts], minlength=count)
    areas = np.bincount(labels[mask], minlength=count)
    lengths, darkness = np.pi / 4 * ends, np.bincount(labels[mask], ink[mask], count) / areas
    reach = np.clip(areas / lengths, *REACH).astype(int)
    beside = np.zeros(count)  # ink at a distance from the edges, summed
    for edge, axis in ((tops, 0), (lefts, 1)):
        where, owner = list(np.nonzero(edge)), labels[edge]
        where[axis] = np.maximum(where[axis] - reach[owner], 0)
        beside += np.bincount(owner, ink[tuple(where)], count)
    beyond = np.concatenate([boxes[:, 2:], [mask.shape[1], mask.shape[0]] - boxes[:, :2]], 1)
    at_the_edge = np.min(beyond, 1, initial=max(mask.shape)) <= MARGIN * min(mask.shape)
    strokes: Bool = (lengths < MAX_STROKE * sides) & ~at_the_edge & (beside < SOFT * darkness * ends)
    return strokes, lengths, darkness


def _weighted_median(values: NDArray[Any], weights: NDArray[np.floating]) -> float:
    """The value that half of the weight is below."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _neighbours(boxes: Int64, typical: float) -> tuple[Int64, Int64]:
    """Pairs of parts of one digit: one above the other, or a small one beside; close, and together not too large."""
    low, high = boxes[:, :2], boxes[:, 2:]
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)  # (P, P, 2); negative: a gap
    together = np.maximum(high[:, None], high) - np.minimum(low[:, None], low)
    sizes = high - low
    overlap = shared >= 0.4 * np.minimum(sizes[:, None], sizes)
    sides = sizes.max(1)
    small = np.minimum(sides[:, None], sides) < 0.5 * typical
    above = overlap[..., 0] & (shared[..., 1] > -0.2 * typical)
    beside = overlap[..., 1] & (shared[..., 0] > -0.1 * typical) & small
    first, second = np.nonzero((above | beside) & (together.max(2) < 1.35 * typical))
    return first, second


def _components(mask: Bool) -> tuple[Int64, Int64]:
    """8-connected components of a mask (H, W): labels (H, W), -1 for background, and boxes (N, 4).

    Each row's runs of pixels are the nodes of a graph; its edges are runs that touch in the next row.
    """
    wide = mask.shape[1] + 1  # one column of background separates the rows
    flat = np.pad(mask, ((0, 0), (0, 1))).ravel()
    ends = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    start, stop = ends[::2], ends[1::2]
    first, last = np.searchsorted(stop, start + wide), np.searchsorted(start, stop + wide, "right")
    touching = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(start)), touching)
    lower = np.arange(len(upper)) + np.repeat(first - np.cumsum(touching) + touching, touching)
    groups = _joined(len(start), upper, lower)
    row, column = np.divmod(start, wide)
    labels = np.full(flat.shape, -1)
    labels[flat] = np.repeat(groups, stop - start)
    runs = np.stack([column, row, column + stop - start, row + 1], -1)
    return labels.reshape(mask.shape[0], wide)[:, :-1], _bounds(runs, groups)


def _joined(count: int, first: Int64, second: Int64) -> Int64:
    """Groups (count,), numbered from 0, of nodes joined by edges: union-find, with all edges at once."""
    root = np.arange(count)
    while (root[first] != root[second]).any():
        np.minimum.at(root, np.maximum(root[first], root[second]), np.minimum(root[first], root[second]))
        while (root != root[root]).any():
            root = root[root]
    return np.unique(root, return_inverse=True)[1]


def _bounds(boxes: Int64, groups: Int64) -> Int64:
    """The bounding box (N, 4) of each group of boxes."""
    order = np.argsort(groups, kind="stable")
    firsts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    low, high = boxes[order, :2], boxes[order, 2:]
    return np.concatenate([np.minimum.reduceat(low, firsts), np.maximum.reduceat(high, firsts)], 1)


def _reading_order(boxes: Int64) -> list[int]:
    """Indices of digits by rows. From left to right, a digit joins the row whose last digit it overlaps most."""
    rows: list[list[int]] = []
    for index in np.lexsort((boxes[:, 1], boxes[:, 0])):
        top, bottom = boxes[index, 1::2]
        overlaps = [min(bottom, boxes[row[-1], 3]) - max(top, boxes[row[-1], 1]) for row in rows]
        best = int(np.argmax(overlaps)) if rows else 0
        if rows and overlaps[best] > 0.25 * min(bottom - top, boxes[rows[best][-1], 3] - boxes[rows[best][-1], 1]):
            rows[best].append(int(index))
        else:
            rows.append([int(index)])
    rows.sort(key=lambda row: float(boxes[row, 1::2].mean()))
    return [index for row in rows for index in row]
