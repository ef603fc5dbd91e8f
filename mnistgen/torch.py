"""Digits for PyTorch: data sets for torch.utils.data.DataLoader, drawn when they are read. Needs PyTorch.

    loader = DataLoader(mnistgen.torch.Digits(60_000, seed=1), batch_size=128, shuffle=True, num_workers=2)

An item is an image and its label, as in torchvision.datasets.MNIST; digit i is that of `mnistgen.generate` with the
same seed, in whatever order and by whatever worker it is read.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, SupportsIndex

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from mnistgen._arrays import UInt8
from mnistgen._catalog import DEFAULT_MODEL
from mnistgen._checks import AT_ONCE, check_conditional, checked_seed, whole_number
from mnistgen._generator import Generator
from mnistgen._keywords import suggesting_keywords
from mnistgen._latents import INDICES, draw

__all__ = ["Digits", "EndlessDigits"]

BLOCK = 256  # digits that EndlessDigits draws at once

Item = tuple[Any, int]
Transform = Callable[[Any], Any]


class Digits(Dataset[Item]):
    """Digits `start` to `start + n - 1` of a seed, by index: (image, label), label 0 to 9.

    `transform` is given each image as a Pillow image, as torchvision's data sets do it; without one, images are tensors
    float32 (1, 28, 28), ink 1, paper 0. `model` is class-conditional, by name or path. Without a seed, a fresh one is
    drawn and logged. Each process draws with one thread; many indices at a time, as a DataLoader asks for them, at
    once. Raises InputError and ModelError as `mnistgen.generate` does.
    """

    @suggesting_keywords
    def __init__(
        self,
        n: SupportsIndex,
        *,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        transform: Transform | None = None,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
    ) -> None:
        self._n = whole_number("n", n, 1, INDICES)
        self._start = whole_number("start", start, 0, INDICES - self._n)
        self._seed = checked_seed(seed)
        self._transform = transform or to_tensor
        self._generator = _labelled_generator(model)

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: SupportsIndex) -> Item:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[SupportsIndex]) -> list[Item]:
        """The items at these indices, drawn at once. Raises IndexError."""
        latents, labels = zip(*(self._draw(int(index)) for index in indices), strict=True)
        chosen = np.concatenate(labels)
        images = self._generator.decode(np.concatenate(latents), chosen)
        return _items(images, chosen.tolist(), self._transform)

    def _draw(self, index: int) -> tuple[Any, Any]:
        """Latents (1, D) and label (1,)."""
        if not -self._n <= index < self._n:
            raise IndexError(f"expected an index from 0 to {self._n - 1}, got {index}")
        return draw(self._seed, self._start + index % self._n, 1, self._generator.card.latent_dim)


class EndlessDigits(IterableDataset[Item]):
    """All digits of a seed from `start` on, one after another: (image, label). It never ends.

    A DataLoader's workers share them, so that each digit comes once; in several processes, give each another seed.
    `transform` and `model` are as for `Digits`, as is what is raised.
    """

    @suggesting_keywords
    def __init__(
        self,
        *,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        transform: Transform | None = None,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
    ) -> None:
        self._start = whole_number("start", start, 0, INDICES - AT_ONCE)
        self._seed = checked_seed(seed)
        self._transform = transform or to_tensor
        self._generator = _labelled_generator(model)

    def __iter__(self) -> Iterator[Item]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for block in itertools.count(first, step):
            start = self._start + block * BLOCK
            images, labels = self._generator.sample(BLOCK, seed=self._seed, start=start, return_labels=True)
            yield from _items(images, labels.tolist(), self._transform)


def to_tensor(image: Image.Image) -> torch.Tensor:
    """A grey Pillow image as float32 (1, H, W), from 0 to 1."""
    return torch.from_numpy(np.array(image))[None].float() / 255


def _labelled_generator(model: str | os.PathLike[str]) -> Generator:
    generator = Generator(model, device="cpu", threads=1)  # in each worker; pickled, it is opened there again
    check_conditional(generator.card, "labels")
    return generator


def _items(images: UInt8, labels: list[int], transform: Transform) -> list[Item]:
    return [(transform(Image.fromarray(image)), label) for image, label in zip(images, labels, strict=True)]
