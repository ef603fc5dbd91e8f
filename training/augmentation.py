"""Digits moved a little, for classifiers: what is still the same digit, written by another hand."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Bounds of the uniform draws that `warp` moves each digit by.
TURN = math.radians(12)
SLANT = 0.15  # columns a row
SCALE = 0.12  # of the size, up or down, each way by itself
MOVE = 2.0  # pixels


def warp(images: Tensor, strength: float) -> Tensor:
    """Images float (N, 28, 28), each turned, slanted, scaled and moved by a draw of its own within the bounds.

    The bounds are multiplied by `strength`.
    """
    count = len(images)

    def draw(bound: float) -> Tensor:
        return torch.empty(count, device=images.device).uniform_(-bound * strength, bound * strength)

    angle, slant, width, height = draw(TURN), draw(SLANT), 1 + draw(SCALE), 1 + draw(SCALE)
    cos, sin = angle.cos(), angle.sin()
    pixel = 2 / 28  # affine_grid's coordinates run from -1 to 1
    rows = [
        torch.stack([cos * width, (slant * cos - sin) * height, draw(MOVE * pixel)], dim=1),
        torch.stack([sin * width, (slant * sin + cos) * height, draw(MOVE * pixel)], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), [count, 1, 28, 28], align_corners=False)
    return F.grid_sample(images.unsqueeze(1), grid, align_corners=False).squeeze(1)


def shift(images: Tensor, pixels: int) -> Tensor:
    """Images (N, 28, 28), all moved by one draw of at most so many whole pixels each way; edges meet."""
    down, right = torch.randint(-pixels, pixels + 1, (2,)).tolist()
    return torch.roll(images, (down, right), dims=(1, 2))
