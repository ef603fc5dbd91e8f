"""A page: its digits, read line by line by the encoder of a model."""

from typing import NamedTuple

import cv2
import numpy as np

from mnistgen._arrays import Float32, Int64, UInt8
from mnistgen._generator import Generator
from mnistgen.photos.ink import contrast, without_lines
from mnistgen.photos.normalise import normalised
from mnistgen.photos.segmentation import Candidate, candidates

TEXTURE = 0.5  # contrast: a picture with stronger noise shows no digits
LEAST, BETTER = -0.75, 0.4  # quality of a digit, at least, and the gain in that of both parts of a digit that is split
WIDE, TALL = 1.02, 0.65  # of what is split, over its height: its width, and the height of both parts, at least
CUTS = [(slant, at) for slant in (-0.35, 0.0, 0.35) for at in np.linspace(0.25, 0.75, 11)]
SHARED = 0.25  # of the height of a digit, with the one before it in a line


class Digit(NamedTuple):
    """A candidate, its image uint8 (28, 28), its label, the encoder's confidence in it, and its quality as a digit.

    The quality is the log-probability of the label, less the squared error of the image that the model generates from
    the encoder's latents, relative to the image, less half the mean squared latent: at most 0.
    """

    found: Candidate
    image: UInt8
    label: int
    confidence: float
    quality: float


def read_page(grey: UInt8, generator: Generator) -> tuple[list[list[Digit]], list[tuple[Int64, str]]]:
    """The digits in grey levels uint8 (H, W), line by line, and what was found and is no digit."""
    ink, faintest = contrast(grey)
    if faintest > TEXTURE:
        return [], []
    found, rejected = candidates(without_lines(ink, faintest), faintest)
    read = [one for digit in _recognised(found, generator) for one in _split(digit, generator)]
    rejected += [(digit.found.box, "no digit") for digit in read if digit.quality < LEAST]
    return _lines([digit for digit in read if digit.quality >= LEAST]), rejected


def _recognised(found: list[Candidate], generator: Generator) -> list[Digit]:
    """Read each candidate as a digit."""
    if not found:
        return []
    images = np.stack([normalised(it.ink) for it in found])
    latents, logits = generator._encoder.read(images)
    labels = logits.argmax(axis=1)
    confidences = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    pixels, again = (values.astype(np.float32) for values in (images, generator.decode(latents, labels)))
    error = np.square(again - pixels).sum(axis=(1, 2)) / np.square(pixels).sum(axis=(1, 2))
    quality = np.log(confidences) - error - np.square(latents).mean(axis=1) / 2
    return [Digit(*values) for values in zip(found, images, labels, confidences, quality, strict=True)]


def _split(digit: Digit, generator: Generator) -> list[Digit]:
    """A digit, or the two that touch each other in it if the encoder is surer of these."""
    box, origin, ink = digit.found
    width, height = box[2:] - box[:2]
    if digit.quality > -BETTER or width < WIDE * height:
        return [digit]
    pairs: list[Candidate] = []
    y, x = np.indices(ink.shape)
    for slant, at in CUTS:
        left = x + slant * (y - y.mean()) < at * ink.shape[1]
        both = [_part(np.where(side, ink, 0), origin) for side in (left, ~left)]
        pairs += both if all(it.box[3] - it.box[1] >= TALL * height for it in both) else []
    parts = _recognised(pairs, generator)
    worse = np.array([part.quality for part in parts]).reshape(-1, 2).min(axis=1)
    if worse.max(initial=-np.inf) < max(LEAST, digit.quality + BETTER):
        return [digit]
    best = 2 * int(worse.argmax())
    return [one for part in parts[best : best + 2] for one in _split(part, generator)]


def _part(ink: Float32, origin: Int64) -> Candidate:
    left, top, width, height = cv2.boundingRect((ink > 0.5).astype(np.uint8))
    return Candidate(np.array([left, top, left + width, top + height]) + np.tile(origin, 2), origin, ink)


def _lines(digits: list[Digit]) -> list[list[Digit]]:
    """Lines of digits. From left to right, a digit joins the line whose last digit it overlaps most."""
    lines: list[list[Digit]] = []
    for digit in sorted(digits, key=lambda it: it.found.box[0]):
        best = max(lines, key=lambda line: _overlap(digit, line[-1]), default=[])
        if best and _overlap(digit, best[-1]) > SHARED:
            best.append(digit)
        else:
            lines.append([digit])
    return sorted(lines, key=lambda line: float(np.mean([it.found.box[1::2] for it in line])))


def _overlap(digit: Digit, other: Digit) -> float:
    """The rows that two digits share, over the height of the lower one."""
    (_, top, _, bottom), (_, start, _, end) = digit.found.box, other.found.box
    return float((min(bottom, end) - max(top, start)) / min(bottom - top, end - start))
