"""Images to train on, labelled or not: MNIST, or any other 28x28 grey images, with fixed splits.

`training.sources` reads them.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from training.errors import DataError
from training.sources import MNIST_SHA256, Ink, Source, idx_header, read

MIN_IMAGES = 500  # of training: fewer cannot be split into batches and samples to compare with
MIN_OF_CLASS = 10
MIN_TEST = 50
TEST_SHARE = 7  # one part in seven is the test set of data without one, as in MNIST


@dataclass(frozen=True)
class Images:
    """Images and their labels, if any, on one device."""

    images: Tensor  # uint8 (N, 28, 28), ink 255, background 0
    labels: Tensor  # int64 (N,), 0 to K - 1
    classes: tuple[str, ...]  # the K names of the labels; empty for unlabelled images, whose labels are 0
    name: str

    def __len__(self) -> int:
        return len(self.images)

    def select(self, indices: Tensor | slice) -> "Images":
        """The images at indices int64 (M,), in that order, or in a slice or mask."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def counts(self) -> Tensor:
        """The number of images of each class, int64 (K,)."""
        return torch.bincount(self.labels, minlength=len(self.classes))

    def first_of_each(self, counts: Tensor) -> Tensor:
        """A mask, bool (N,), of the first counts[c] images of each class c. Counts are int64 (K,)."""
        classes = one_hot(self.labels, len(counts))
        rank = (classes.cumsum(0) * classes).sum(1)  # 1 for the first image of its class
        return rank <= counts[self.labels]

    def shuffled(self) -> "Images":
        """The images in a fixed random order. Philox's raw output does not change between NumPy versions."""
        keys = np.random.Philox(key=0).random_raw(len(self))
        return self.select(torch.from_numpy(np.argsort(keys, kind="stable")).to(self.labels.device))

    def batch(self, indices: Tensor, image_range: tuple[float, float]) -> Tensor:
        """The images at indices int64 (N,) as float32 (N, 1, 28, 28); image_range is (background, ink)."""
        low, high = image_range
        pixels = self.images[indices].unsqueeze(1).to(torch.float32)
        return pixels * ((high - low) / 255) + low


@dataclass(frozen=True)
class DataSet:
    """Training and test images, with fixed, stratified splits of the training images.

    Generators are trained on `training_split`; `validation`, a tenth, is held out to select checkpoints. Judges and
    feature networks are trained on `seen`. `unseen` is a sixth of the training images, has the class proportions of
    the test set and includes the validation split; the evaluation uses it as a fresh sample of real images. The test
    set is used for reporting only.
    """

    train: Images
    test: Images
    licence: str | None = None  # of the data, if known

    @property
    def name(self) -> str:
        """The name of the data, for cards and reports."""
        return self.train.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels 0 to K - 1; empty for unlabelled images."""
        return self.train.classes

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the training images, as an IDX file."""
        pixels = self.train.images.cpu().numpy()
        return hashlib.sha256(idx_header(*pixels.shape) + pixels.tobytes()).hexdigest()

    def card_entry(self) -> dict[str, Any]:
        """What a model's card says of its training data."""
        return {
            "name": self.name,
            "images": len(self.train),
            "sha256": self.sha256,
            "classes": list(self.classes),
            "licence": self.licence,
        }

    @cached_property
    def validation(self) -> Images:
        """The held-out tenth of the training images."""
        return self._shuffled.select(self._is_validation)

    @cached_property
    def training_split(self) -> Images:
        """The other training images, which generators are trained on."""
        return self._shuffled.select(~self._is_validation)

    @cached_property
    def unseen(self) -> Images:
        """A sixth of the training images, in the test set's class proportions, including the validation split."""
        return self._shuffled.select(self._is_unseen)

    @cached_property
    def seen(self) -> Images:
        """The other training images, which judges and feature networks are trained on."""
        return self._shuffled.select(~self._is_unseen)

    @cached_property
    def _shuffled(self) -> Images:
        return self.train.shuffled()

    @cached_property
    def _is_validation(self) -> Tensor:
        """A mask over the shuffled images, bool (N,)."""
        if self.sha256 == MNIST_SHA256:  # not stratified: the split that the bundled models and judges were trained on
            return torch.arange(len(self.train), device=self.train.labels.device) < len(self.train) // 10
        return self._shuffled.first_of_each((self.train.counts() + 9) // 10)

    @cached_property
    def _is_unseen(self) -> Tensor:
        """A mask over the shuffled images, bool (N,)."""
        scale = len(self.train) / 6 / len(self.test)
        return self._shuffled.first_of_each((self.test.counts() * scale).round().long()) | self._is_validation


def pass_order(count: int, seed: int, number: int) -> Tensor:
    """A permutation, int64 (count,), that depends only on the seed and the number of the pass through the data."""
    source = torch.Generator().manual_seed(seed * 1_000_003 + number)
    return torch.randperm(count, generator=source)


def load_data(source: str, device: torch.device = torch.device("cpu"), ink: Ink = "auto") -> DataSet:  # noqa: B008
    """Load a data set by name, from a folder or from an .npz file; see `training.sources.read`.

    Labels, of any type, become 0 to K - 1, and their names the classes. If there is no test set, a seventh of the
    images becomes one. `ink` says how the images are: light ink on a dark ground, dark on light, or auto to detect it.
    Raises DataError for data that cannot be read or trained on.
    """
    found = read(source, ink)
    parts = [found.train] if found.test is None else [found.train, found.test]
    if len({part.labels is None for part in parts}) == 2:
        raise DataError(f"{source}: expected labels of both the training and the test images, or of neither")
    names, classes = _names(found)
    sets = []
    for part in parts:
        if part.labels is None:
            labels = np.zeros(len(part.images), np.int64)
        else:
            labels = np.searchsorted(names, part.labels).clip(max=len(names) - 1)
            if (unknown := names[labels] != part.labels).any():
                raise DataError(f"{source}: no training image has the label {part.labels[unknown][0]} of the test set")
        images, indices = (torch.from_numpy(array).to(device) for array in (part.images, labels))
        sets.append(Images(images, indices, classes, found.name))
    if len(sets) == 1:
        shuffled = sets[0].shuffled()
        is_test = shuffled.first_of_each((shuffled.counts() + TEST_SHARE - 1) // TEST_SHARE)
        sets = [shuffled.select(~is_test), shuffled.select(is_test)]
    train, test = sets
    _check(source, train, test)
    return DataSet(train, test, found.licence)


def _names(found: Source) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    """The distinct labels of the training images, sorted, and their names."""
    if found.train.labels is None:
        return np.zeros(1, np.int64), ()
    labels = np.unique(found.train.labels)
    if found.classes is None:
        return labels, tuple(map(str, labels))
    if labels.dtype.kind not in "iu" or labels[-1] >= len(found.classes):
        raise DataError(
            f"classes.txt of {found.name}: expected labels below its {len(found.classes)} lines, got {labels[-1]}; "
            "add names, or remove it"
        )
    return labels, tuple(found.classes[label] for label in labels)


def _check(source: str, train: Images, test: Images) -> None:
    """Raises DataError for images that are too few."""
    if len(train) < MIN_IMAGES:
        raise DataError(f"{source}: expected at least {MIN_IMAGES} training images, got {len(train)}; add more")
    if len(train.classes) == 1:
        raise DataError(
            f"{source}: expected two or more classes, got only {train.classes[0]!r}; "
            "for images without classes, put the files themselves into the folder"
        )
    counts = train.counts()
    if train.classes and (least := int(counts.min())) < MIN_OF_CLASS:
        rare = train.classes[int(counts.argmin())]
        raise DataError(
            f"{source}: expected at least {MIN_OF_CLASS} training images of each class, got {least} of {rare!r}; "
            "add more, or remove the class"
        )
    if len(test) < MIN_TEST or not test.counts().all():
        raise DataError(
            f"{source}: expected at least {MIN_TEST} test images, and some of each class, got {len(test)}; "
            "add more, or omit the test set"
        )
