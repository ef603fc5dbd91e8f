"""Training of small networks: judges, feature networks, classifiers and attribute editors; augmentation; a cache."""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from joblib import Memory
from platformdirs import user_cache_path
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

# For what is computed from data, in the user's cache folder ($XDG_CACHE_HOME/mnistgen on Linux), by the functions'
# arguments. Safe to delete.
memory = Memory(user_cache_path("mnistgen", appauthor=False), verbose=0)

# `warp` draws each parameter uniformly between these bounds and their negatives.
MAX_ROTATION = math.radians(12)
MAX_SHEAR = 0.15  # columns per row
MAX_SCALE = 0.12  # relative; width and height are drawn independently
MAX_SHIFT = 2.0  # pixels


class Phase(NamedTuple):
    """A training phase with one learning-rate cycle."""

    epochs: int
    peak_learning_rate: float  # of AdamW
    strength: float = 0.0  # of the augmentation, see `warp`; 0: none
    batch_size: int = 125
    weight_decay: float = 0.02


def fit(
    network: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    phase: Phase,
    *,
    autocast: Callable[[], AbstractContextManager[None]] = nullcontext,
    epochs: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> None:
    """Train a network in place with AdamW and one learning-rate cycle (L. Smith, 2017, arXiv:1708.07120).

    Images are uint8 (N, 28, 28), labels int64 (N,); without augmentation, any two tensors of N rows. `loss` maps a
    batch of both to a scalar. `epochs` may wrap the range of epochs, to show progress. Draws from torch's global random
    state.
    """
    size = min(phase.batch_size, len(images))
    batches = len(images) // size
    optimizer = torch.optim.AdamW(
        network.parameters(), phase.peak_learning_rate, weight_decay=phase.weight_decay, fused=True
    )
    schedule = OneCycleLR(optimizer, phase.peak_learning_rate, total_steps=phase.epochs * batches)
    network.train()
    for _ in epochs(range(phase.epochs)):
        for indices in torch.randperm(len(images)).to(images.device).split(size)[:batches]:
            batch = warp(images[indices].float(), phase.strength) if phase.strength else images[indices]
            with autocast():
                error = loss(batch, labels[indices])
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
            schedule.step()


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
