"""A data set for torch.utils.data.DataLoader, generated on access. Needs PyTorch.

    loader = DataLoader(mnistgen.torch.Digits(60_000, seed=1), batch_size=128, shuffle=True, num_workers=2)

An item is (image, label), as in torchvision.datasets.MNIST. Digit i is that of `mnistgen.generate` with the same seed,
in any order of access and in any worker.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import numpy as np
from PIL import Image

from mnistgen._checks import MAX_DIGITS, DigitLike, whole_number
from mnistgen._errors import DependencyError
from mnistgen._generator import Generator
from mnistgen._latents import INDICES
from mnistgen._model import DEFAULT_MODEL
from mnistgen._request import AttributeLike, LabelLike, checked_request

try:
    import torch
    from torch.utils.data import Dataset
except ImportError:
    raise DependencyError("mnistgen.torch: needs PyTorch; pip install torch") from None

__all__ = ["Digits"]

Item = tuple[Any, Any]
Transform = Callable[[Any], Any]


class Digits(Dataset[Item]):
    """A map-style data set of digits `start` to `start + n - 1` of a seed: items (image, label).

    `transform` receives each image as a Pillow image, and `target_transform` each label, as in torchvision's data sets.
    Without `transform`, images are tensors float32 (1, 28, 28), ink 1, background 0. n may be up to 2**63: digits are
    addressed by index, so a data set of 10**12 is practically endless. `model` is the name or path of a
    class-conditional model; the other parameters are those of `Generator.sample_labelled`. `classes` are the names of
    the labels. By default, a fresh seed is drawn and logged. Each process uses one thread, and generates the digits of
    a batch in one call.

    Raises InputError and ModelError as `mnistgen.generate_labelled` does, and IndexError for an index out of range.
    """

    def __init__(
        self,
        n: SupportsIndex | None = None,
        *,
        digit: DigitLike | None = None,
        labels: LabelLike | None = None,
        seed: SupportsIndex | None = None,
        start: SupportsIndex = 0,
        truncation: float = 1.0,
        thickness: AttributeLike | None = None,
        slant: AttributeLike | None = None,
        width: AttributeLike | None = None,
        height: AttributeLike | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
    ) -> None:
        self._generator = Generator(model, device="cpu", threads=1)  # pickled to workers, which load it again
        attributes = {"thickness": thickness, "slant": slant, "width": width, "height": height}
        card, limit = self._generator.card, INDICES - 1
        self._request = checked_request(
            card, n, digit, labels, seed, start, truncation, attributes, limit=limit, labelled=True
        )
        self.classes = list(card.classes or ())
        self.transform = transform or to_tensor
        self.target_transform = target_transform

    def __len__(self) -> int:
        return self._request.count

    def __getitem__(self, index: SupportsIndex) -> Item:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[SupportsIndex]) -> list[Item]:
        """Return the items at several indices, generated in one call. Raises IndexError."""
        positions = [self._position(operator.index(index)) for index in indices]
        images, labels = self._generator._labelled(
            len(positions), lambda first, count: self._request.at(positions[first : first + count])
        )
        return [
            (self.transform(Image.fromarray(image)), self.target_transform(label) if self.target_transform else label)
            for image, label in zip(images, labels.tolist(), strict=True)
        ]

    @property
    def targets(self) -> torch.Tensor:
        """The labels of all digits, int64 (n,), as in torchvision.datasets.MNIST; n at most 10,000,000."""
        count = whole_number("n", len(self), 1, MAX_DIGITS, "; too many for one tensor")
        return torch.from_numpy(self._request.inputs(0, count).labels)

    def _position(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"expected an index from 0 to {len(self) - 1}, got {index}")
        return index % len(self)


def to_tensor(image: Image.Image) -> torch.Tensor:
    """Convert a greyscale Pillow image to a tensor float32 (1, H, W), 0 to 1."""
    return torch.from_numpy(np.array(image))[None].float() / 255
