"""Random affine augmentation for classifiers: small changes that keep the digit legible."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# `warp` draws each parameter uniformly between these bounds and their negatives.
MAX_ROTATION = math.radians(12)
MAX_SHEAR = 0.15  # columns per row
MAX_SCALE = 0.12  # relative; width and height are drawn independently
MAX_SHIFT = 2.0  # pixels


def warp(images: Tensor, strength: float) -> Tensor:
    """Rotate, shear, scale and shift images float (N, 28, 28), each by its own random parameters.

    `strength` multiplies the bounds. Returns float (N, 28, 28). Draws from torch's global random state.
    """
    count = len(images)

    def draw(bound: float) -> Tensor:
        return torch.empty(count, device=images.device).uniform_(-bound * strength, bound * strength)

    angle, shear, width, height = draw(MAX_ROTATION), draw(MAX_SHEAR), 1 + draw(MAX_SCALE), 1 + draw(MAX_SCALE)
    cos, sin = angle.cos(), angle.sin()
    pixel = 2 / 28  # affine_grid's coordinates run from -1 to 1
    rows = [
        torch.stack([cos * width, (shear * cos - sin) * height, draw(MAX_SHIFT * pixel)], dim=1),
        torch.stack([sin * width, (shear * sin + cos) * height, draw(MAX_SHIFT * pixel)], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), [count, 1, 28, 28], align_corners=False)
    return F.grid_sample(images.unsqueeze(1), grid, align_corners=False).squeeze(1)
