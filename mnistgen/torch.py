"""Data sets for torch.utils.data.DataLoader, generated on access. Needs PyTorch.

    loader = DataLoader(mnistgen.torch.Digits(60_000, seed=1), batch_size=128, shuffle=True, num_workers=2)

An item is (image, label), as in torchvision.datasets.MNIST. Digit i is that of `mnistgen.generate` with the same seed,
in any order of access and in any worker.
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
from mnistgen._checks import MAX_DIGITS, check_conditional, checked_seed, whole_number
from mnistgen._generator import Generator
from mnistgen._keywords import suggesting_keywords
from mnistgen._latents import INDICES, draw

__all__ = ["Digits", "EndlessDigits"]

BLOCK = 256  # digits that EndlessDigits generates at once

Item = tuple[Any, int]
Transform = Callable[[Any], Any]


class Digits(Dataset[Item]):
    """A map-style data set of digits `start` to `start + n - 1` of a seed: items (image, label), label 0 to 9.

    `transform` receives each image as a Pillow image, as in torchvision's data sets. Without it, images are tensors
    float32 (1, 28, 28), ink 1, background 0. `model` is the name or path of a class-conditional model. By default, a
    fresh seed is drawn and logged. Each process uses one thread, and generates the digits of a batch in one call.
    Raises InputError and ModelError as `mnistgen.generate` does, and IndexError for an index out of range.
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
        """Return the items at several indices, generated in one call. Raises IndexError."""
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
    """An endless iterable data set of a seed's digits from `start` on: items (image, label), label 0 to 9.

    The workers of a DataLoader share the digits, so each digit comes once. In distributed training, give each process
    a different seed. `transform`, `model` and the errors are as for `Digits`.
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
        self._start = whole_number("start", start, 0, INDICES - MAX_DIGITS)
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
    """Convert a greyscale Pillow image to a tensor float32 (1, H, W), 0 to 1."""
    return torch.from_numpy(np.array(image))[None].float() / 255


def _labelled_generator(model: str | os.PathLike[str]) -> Generator:
    generator = Generator(model, device="cpu", threads=1)  # pickled to workers, which load it again
    check_conditional(generator.card, "labels")
    return generator


def _items(images: UInt8, labels: list[int], transform: Transform) -> list[Item]:
    return [(transform(Image.fromarray(image)), label) for image, label in zip(images, labels, strict=True)]
