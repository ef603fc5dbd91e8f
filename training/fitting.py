"""Training of small networks: judges, feature networks, classifiers and attribute editors."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from training.augmentation import warp


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
