"""Load MNIST: download if necessary, verify checksums, move to the device and split.

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
    """An uncompressed MNIST file: its expected shape and checksum."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def header(self) -> bytes:
        """Two zero bytes, type 8 (uint8), the number of dimensions, then each dimension as a big-endian uint32."""
        return struct.pack(f">HBB{len(self.shape)}I", 0, 8, len(self.shape), *self.shape)

    @property
    def size(self) -> int:
        """The size of the file in bytes."""
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
    """Labelled MNIST images on one device."""

    images: Tensor  # uint8 (N, 28, 28), ink 255, background 0
    labels: Tensor  # int64 (N,), 0 to 9
    sha256: str  # of the image file

    def __len__(self) -> int:
        return len(self.images)

    def select(self, indices: Tensor | slice) -> "Digits":
        """The digits at indices int64 (M,), in that order, or in a slice."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def counts(self) -> Tensor:
        """The number of digits of each class, int64 (10,)."""
        return torch.bincount(self.labels, minlength=10)

    def first_of_each(self, counts: Tensor) -> Tensor:
        """A mask, bool (N,), of the first counts[c] digits of each class c. Counts are int64 (10,)."""
        classes = one_hot(self.labels, 10)
        rank = (classes.cumsum(0) * classes).sum(1)  # 1 for the first digit of its class
        return rank <= counts[self.labels]

    def batch(self, indices: Tensor, image_range: tuple[float, float]) -> Tensor:
        """The images at indices int64 (N,) as float32 (N, 1, 28, 28); image_range is (background, ink)."""
        low, high = image_range
        pixels = self.images[indices].unsqueeze(1).to(torch.float32)
        return pixels * ((high - low) / 255) + low


@dataclass(frozen=True)
class Mnist:
    """MNIST with the fixed splits of its training digits.

    Generators are trained on `training_split`; `validation`, a tenth, is held out to select checkpoints. Judges and
    feature networks are trained on `seen`. `unseen` is a sixth of the training digits, has the class proportions of
    the test set and includes the validation split; the evaluation uses it as a fresh sample of real digits. The test
    set is used for reporting only.
    """

    train: Digits  # 60,000
    test: Digits  # 10,000

    @cached_property
    def validation(self) -> Digits:
        """The 6,000 held-out digits."""
        return self.train.select(self._order[: len(self.train) // 10])

    @cached_property
    def training_split(self) -> Digits:
        """The other 54,000 digits, which generators are trained on."""
        return self.train.select(self._order[len(self.train) // 10 :])

    @cached_property
    def unseen(self) -> Digits:
        """10,000 training digits with the test set's class counts, including the validation split."""
        return self.train.select(self._order[self._is_unseen])

    @cached_property
    def seen(self) -> Digits:
        """The other 50,000 digits, which judges and feature networks are trained on."""
        return self.train.select(self._order[~self._is_unseen])

    @cached_property
    def _order(self) -> Tensor:
        """A fixed permutation, int64 (60,000,). Philox's raw output does not change between NumPy versions."""
        keys = np.random.Philox(key=0).random_raw(len(self.train))
        return torch.from_numpy(np.argsort(keys, kind="stable")).to(self.train.labels.device)

    @cached_property
    def _is_unseen(self) -> Tensor:
        """A mask over `_order`, bool (60,000,)."""
        return self.train.select(self._order).first_of_each(self._unseen_counts)

    @property
    def _unseen_counts(self) -> Tensor:
        """The test set's class counts, int64 (10,), scaled to a sixth of the training set."""
        scale = len(self.train) / 6 / len(self.test)
        return (self.test.counts() * scale).round().long()


def load_mnist(root: Path, device: torch.device, files: tuple[IdxFile, ...] = FILES) -> Mnist:
    """Load MNIST from root/MNIST/raw, torchvision's layout, and download missing files there.

    Raises DataError if a file is missing and cannot be downloaded, or does not match its checksum.
    """
    folder = root / "MNIST" / "raw"
    missing = [file.name for file in files if not (folder / file.name).is_file()]
    if missing:
        _download(root, folder, missing, files)
    for file in files:
        _check(folder / file.name, file)
    if (legacy := root / "MNIST" / "processed").exists():
        raise DataError(f"{legacy}: torchvision would load this pickled copy, not the verified files; remove it")
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
            f"Put the four uncompressed MNIST files into {folder}, or pass another root with --data: {wanted}"
        ) from None


def _check(path: Path, file: IdxFile) -> None:
    """Raises DataError unless header, size and checksum are as expected."""
    content = path.read_bytes()
    if content[: len(file.header)] != file.header:
        found = content[: len(file.header)].hex(" ", 4)
        raise DataError(f"{path}: expected the IDX header {file.header.hex(' ', 4)}, got {found or 'nothing'}")
    if len(content) != file.size:
        raise DataError(f"{path}: expected {file.size:,} bytes, got {len(content):,}; copy it again")
    if (digest := hashlib.sha256(content).hexdigest()) != file.sha256:
        raise DataError(f"{path}: expected SHA-256 {file.sha256}, got {digest}; copy it again")
