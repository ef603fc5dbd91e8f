"""Encoder: images -> latents and labels, by encoder.onnx of a model directory, and refinement of the latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mnistgen._arrays import Float32, Int64, UInt8
from mnistgen._model import ModelCard, Run

IMAGES, LATENTS, LABEL_LOGITS = "images", "latents", "label_logits"  # the graph's input and outputs
ENCODED_TOGETHER = 500  # images per call of the encoder
REFINED_TOGETHER = 32  # images, whose Jacobians take 200 kB each

DIFFERENCE = 0.5  # of a latent, on either side; a smaller one drowns in the rounding to grey levels
LARGEST_LATENT = 100.0  # in absolute value
PRIOR = 0.3  # weight of the squared latents, relative to the squared errors of 784 pixels from 0 to 1
DAMPING = (1.0, 1 / 3, 4.0)  # at the start, and factors after a step that helped and one that did not
DAMPING_LIMITS = (1e-6, 1e6)

Labels = Int64 | Float32  # labels (N,), or mixtures (N, K)


class Encoded(NamedTuple):
    """Latents float32 (N, D), and labels int64 (N,) as the encoder reads them."""

    latents: Float32
    labels: Int64


class Encoder:
    """encoder.onnx of a model directory, which `run` runs, for the D latents and K classes of a card."""

    def __init__(self, run: Run, card: ModelCard) -> None:
        self._graph, self._sizes = run, {LATENTS: card.latent_dim, LABEL_LOGITS: len(card.classes or ())}

    def read(self, images: UInt8) -> tuple[Float32, Float32]:
        """Latents (N, D) and the logits (N, K) of all labels of images uint8 (N, 28, 28)."""
        latents, logits = (np.empty((len(images), size), np.float32) for size in self._sizes.values())
        for first in range(0, len(images), ENCODED_TOGETHER):
            part = slice(first, first + ENCODED_TOGETHER)
            pixels = _pixels(images[part])
            shapes = {name: (len(pixels), size) for name, size in self._sizes.items()}
            latents[part], logits[part] = self._graph({IMAGES: pixels}, shapes)
        return latents, logits


def refine(
    decode: Callable[[Float32, Labels], UInt8], images: UInt8, latents: Float32, labels: Labels, steps: int
) -> Float32:
    """Latents (N, D) that reproduce images uint8 (N, 28, 28) better, after Levenberg-Marquardt steps.

    `decode` maps latents and labels to images. A step differentiates numerically, with 2 D images for each image, and
    minimises the squared error plus a Gaussian prior (D. Marquardt, "An Algorithm for Least-Squares Estimation of
    Nonlinear Parameters", 1963).
    """
    parts = [slice(first, first + REFINED_TOGETHER) for first in range(0, len(images), REFINED_TOGETHER)]
    refined = [_refine(decode, images[part], latents[part], labels[part], steps) for part in parts]
    return np.concatenate(refined)


def _refine(
    decode: Callable[[Float32, Labels], UInt8], images: UInt8, latents: Float32, labels: Labels, steps: int
) -> Float32:
    latents = latents.copy()
    count, size = latents.shape
    target = _pixels(images).reshape(count, -1)  # (N, 784)
    offsets = DIFFERENCE * np.eye(size, dtype=np.float32)

    def errors(points: Float32) -> Float32:  # (N, D) -> (N, 784)
        return _pixels(decode(points, labels)).reshape(count, -1) - target

    def cost(points: Float32, error: Float32) -> Float32:  # -> (N,)
        total: Float32 = np.square(error).sum(1) + PRIOR * np.square(points).sum(1)
        return total

    error = errors(latents)
    lowest = cost(latents, error)
    damping = np.full(count, DAMPING[0], np.float32)
    for _ in range(steps):
        both = latents[:, None] + np.concatenate([offsets, -offsets])  # (N, 2 D, D)
        drawn = _pixels(decode(both.reshape(-1, size), labels.repeat(2 * size, axis=0)))
        ahead, behind = drawn.reshape(count, 2, size, -1).transpose(1, 0, 2, 3)
        slopes = (ahead - behind) / (2 * DIFFERENCE)  # (N, D, 784)
        curvature = slopes @ slopes.transpose(0, 2, 1) + (PRIOR + damping[:, None, None]) * np.eye(size)
        gradient = (slopes @ error[..., None])[..., 0] + PRIOR * latents
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        moved = np.clip(latents - step, -LARGEST_LATENT, LARGEST_LATENT).astype(np.float32)
        error_there = errors(moved)
        cost_there = cost(moved, error_there)
        better = cost_there < lowest
        latents[better], error[better], lowest[better] = moved[better], error_there[better], cost_there[better]
        damping = np.clip(damping * np.where(better, *DAMPING[1:]), *DAMPING_LIMITS).astype(np.float32)
    return latents


def _pixels(images: UInt8) -> Float32:
    """Pixels from 0 to 1."""
    return images.astype(np.float32) / np.float32(255)
