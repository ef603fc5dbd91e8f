"""MNIST: found or downloaded, checked, moved to the device once, and split.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", CC BY-SA 3.0.
"""

import hashlib
import struct
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torchvision.datasets import MNIST

from training.errors import DataError


@dataclass(frozen=True)
class IdxFile:
    """One file of MNIST, unpacked: what its IDX header must say and the checksum of the whole."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def header(self) -> bytes:
        """Two zero bytes, type 8 (uint8), the number of dimensions, then each as a big-endian uint32."""
        return struct.pack(f">HBB{len(self.shape)}I", 0, 8, len(self.shape), *self.shape)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.header) + int(torch.Size(self.shape).numel())


FILES = (
    IdxFile(
        "train-images-idx3-ubyte",
        (60_000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    IdxFile(
        "train-labels-idx1-ubyte",
        (60_000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    IdxFile(
        "t10k-images-idx3-ubyte",
        (10_000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    IdxFile(
        "t10k-labels-idx1-ubyte",
        (10_000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)


@dataclass(frozen=True)
class Digits:
    """Real digits on one device."""

    images: Tensor  # uint8 (N, 28, 28), ink 255, paper 0
    labels: Tensor  # int64 (N,), 0 to 9
    sha256: str  # of the file that the images came from

    def __len__(self) -> int:
        return len(self.images)

    def select(self, indices: Tensor | slice) -> "Digits":
        """The digits at these indices, int64 (M,), in their order; or those of a slice."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def counts(self) -> Tensor:
        """How many there are of each digit, int64 (10,)."""
        return torch.bincount(self.labels, minlength=10)

    def first_of_each(self, counts: Tensor) -> Tensor:
        """Which are the first of their class, up to counts (10,) of them: bool (N,)."""
        kinds = one_hot(self.labels, 10)
        rank = (kinds.cumsum(0) * kinds).sum(1)  # 1 for the first of its class
        return rank <= counts[self.labels]

    def batch(self, indices: Tensor, image_range: tuple[float, float]) -> Tensor:
        """The images at these indices, int64 (N,), as float32 (N, 1, 28, 28) with paper and ink at image_range."""
        low, high = image_range
        pixels = self.images[indices].unsqueeze(1).to(torch.float32)
        return pixels * ((high - low) / 255) + low


@dataclass(frozen=True)
class Mnist:
    """The whole data set, and the one split of its training digits that everything here keeps to.

    A tenth of the training digits, `validation`, is held out: checkpoints are chosen by it. `unseen` is a sixth with
    the test set's share of each digit, the held-out tenth among it, which no judge and no feature network learns from;
    measured against the test set, it is what a fresh draw of real digits looks like. The test set is for reporting
    alone.
    """

    train: Digits  # 60,000
    test: Digits  # 10,000

    @cached_property
    def validation(self) -> Digits:
        """The held-out tenth, 6,000 digits."""
        return self.train.select(self._order[: len(self.train) // 10])

    @cached_property
    def fitting(self) -> Digits:
        """The other nine tenths, 54,000 digits, which generators are trained on."""
        return self.train.select(self._order[len(self.train) // 10 :])

    @cached_property
    def unseen(self) -> Digits:
        """10,000 training digits, as many of each digit as the test set has; the held-out tenth is part of them."""
        return self.train.select(self._order[self._is_unseen])

    @cached_property
    def seen(self) -> Digits:
        """The other 50,000, which judges and feature networks are trained on."""
        return self.train.select(self._order[~self._is_unseen])

    @cached_property
    def _order(self) -> Tensor:
        """A permutation of the training digits, int64 (60,000,): Philox's bits, which no version of NumPy changes."""
        keys = np.random.Philox(key=0).random_raw(len(self.train))
        return torch.from_numpy(np.argsort(keys, kind="stable")).to(self.train.labels.device)

    @cached_property
    def _is_unseen(self) -> Tensor:
        """Which of the digits in `_order` are unseen, bool (60,000,)."""
        return self.train.select(self._order).first_of_each(self._unseen_counts)

    @property
    def _unseen_counts(self) -> Tensor:
        """The test set's counts, int64 (10,), scaled to a sixth of the training set."""
        share = len(self.train) / 6 / len(self.test)
        return (self.test.counts() * share).round().long()


def load_mnist(root: Path, device: torch.device, files: tuple[IdxFile, ...] = FILES) -> Mnist:
    """The data set under `root`, laid out as torchvision does (root/MNIST/raw), downloaded where absent.

    Raises DataError where a file is missing and cannot be downloaded, or is not the file of that name.
    """
    folder = root / "MNIST" / "raw"
    missing = [file.name for file in files if not (folder / file.name).is_file()]
    if missing:
        _download(root, folder, missing, files)
    for file in files:
        _check(folder / file.name, file)
    if (legacy := root / "MNIST" / "processed").exists():
        raise DataError(f"{legacy}: a pickled copy that torchvision would prefer to the checked files; remove it")
    sets = {images: MNIST(root, train=train) for images, train in ((files[0], True), (files[2], False))}
    parts = [Digits(part.data.to(device), part.targets.to(device), file.sha256) for file, part in sets.items()]
    return Mnist(*parts)


def _download(root: Path, folder: Path, missing: list[str], files: tuple[IdxFile, ...]) -> None:
    try:
        MNIST(root, download=True)
    except (RuntimeError, OSError) as error:
        wanted = ", ".join(f"{file.name} ({file.size:,} bytes, SHA-256 {file.sha256})" for file in files)
        reason = str(error).strip().splitlines()[-1]
        raise DataError(
            f"{', '.join(missing)} not found in {folder}, and the download failed ({reason}). "
            f"Put MNIST's four files, unpacked, into {folder}, or name their root with --data: {wanted}"
        ) from None


def _check(path: Path, file: IdxFile) -> None:
    """Refuse anything but the file itself, naming the first difference."""
    content = path.read_bytes()
    if content[: len(file.header)] != file.header:
        found = content[: len(file.header)].hex(" ", 4)
        raise DataError(f"{path}: expected the IDX header {file.header.hex(' ', 4)}, got {found or 'nothing'}")
    if len(content) != file.size:
        raise DataError(f"{path}: expected {file.size:,} bytes, got {len(content):,}; copy it again")
    if (digest := hashlib.sha256(content).hexdigest()) != file.sha256:
        raise DataError(f"{path}: expected SHA-256 {file.sha256}, got {digest}; copy it again")
