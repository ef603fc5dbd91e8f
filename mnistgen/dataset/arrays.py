"""Formats of a few large files, which all workers write into, each at its own place: IDX and NPZ.

Sources: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database" (IDX); NumPy Enhancement Proposal 1 (NPY).
"""

import errno
import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from mnistgen.dataset.plan import Plan, Task
from mnistgen.dataset.store import Store
from mnistgen.errors import InputError

UInt8 = NDArray[np.uint8]
COPY = 1 << 20  # bytes at once
IDX_LIMIT = 2**31 - 1  # images of an IDX file: its counts have 32 bits, and readers take them for signed


class Arrays:
    """Images and labels of each split as two files, a header and then raw bytes, in order."""

    task_size = 2000
    summary: str
    names: ClassVar[Mapping[str, tuple[str, str]]]  # of each split's images and labels

    def header(self, shape: tuple[int, ...]) -> bytes:
        """What comes before uint8 values of this shape."""
        raise NotImplementedError

    def check(self, plan: Plan, store: Store) -> None:
        """Raise InputError where the format cannot hold the data set, or the store not the format."""
        if store.folder is None:
            raise InputError(
                f"format {plan.format}: is written at many places at once, which object stores cannot; "
                "choose parquet, webdataset or hf"
            )

    def begin(self, plan: Plan, store: Store) -> None:
        """Make the files in their full size, so that a disk too small is known at once."""
        for split, images in plan.ranges().items():
            for path, shape in self._files(split, len(images), store):
                path.parent.mkdir(parents=True, exist_ok=True)
                head = self.header(shape)
                with path.open("wb") as file:
                    file.write(head)
                    _reserve(file, len(head) + int(np.prod(shape)))

    def write(self, plan: Plan, store: Store, task: Task, images: UInt8, labels: UInt8) -> Iterator[tuple[str, bytes]]:
        """Write a task's images and labels at their places; no file is complete with that."""
        total = plan.ranges()[task.split]
        for (path, shape), values in zip(self._files(task.split, len(total), store), (images, labels), strict=True):
            size = int(np.prod(shape[1:]))  # bytes of one image, or of one label
            with path.open("r+b") as file:
                file.seek(len(self.header(shape)) + (task.first - total.start) * size)
                file.write(values.tobytes())
        yield from ()

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """Names and SHA-256 of the files that no task completed."""
        for split, images in plan.ranges().items():
            for name, (path, _) in zip(self.names[split], self._files(split, len(images), store), strict=True):
                with path.open("rb") as file:
                    yield name, hashlib.file_digest(file, "sha256").hexdigest()

    def _files(self, split: str, count: int, store: Store) -> list[tuple[Path, tuple[int, ...]]]:
        """Paths and shapes of a split's images and labels."""
        folder = store.folder or Path()
        return [
            (folder / name, shape) for name, shape in zip(self.names[split], ((count, 28, 28), (count,)), strict=True)
        ]


class Idx(Arrays):
    """MNIST's own files, where torchvision looks for them."""

    summary = "MNIST's own files, as torchvision.datasets.MNIST reads them"
    names: ClassVar = {
        split: (f"MNIST/raw/{prefix}-images-idx3-ubyte", f"MNIST/raw/{prefix}-labels-idx1-ubyte")
        for split, prefix in (("train", "train"), ("test", "t10k"))
    }

    def header(self, shape: tuple[int, ...]) -> bytes:
        """Two zeros, 8 for unsigned bytes, how many dimensions, and each in 32 bits, the high byte first."""
        return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()

    def check(self, plan: Plan, store: Store) -> None:
        """As `Arrays.check`; an IDX file also has a greatest length."""
        super().check(plan, store)
        for split, images in plan.ranges().items():
            if len(images) > IDX_LIMIT:
                raise InputError(
                    f"{split}: expected at most {IDX_LIMIT:,} images in an IDX file, got {len(images):,}; "
                    "choose parquet or webdataset"
                )


class Npz(Arrays):
    """One file with the arrays x_train, y_train, x_test and y_test."""

    summary = "one mnist.npz, with the arrays of keras.datasets.mnist"
    names: ClassVar = {split: (f"x_{split}.npy", f"y_{split}.npy") for split in ("train", "test")}
    archive = "mnist.npz"

    def header(self, shape: tuple[int, ...]) -> bytes:
        """As NumPy writes it."""
        head = BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
        return head.getvalue()

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """Put the arrays into one archive, uncompressed, so that its bytes depend on no library's version."""
        folder = store.folder or Path()
        arrays = [folder / name for split in plan.ranges() for name in self.names[split]]
        archive = folder / self.archive
        if not archive.exists():  # else killed between the two steps below
            packing = folder / f"{self.archive}.packing"
            with zipfile.ZipFile(packing, "w", zipfile.ZIP_STORED) as file:
                for path in arrays:
                    with path.open("rb") as source, file.open(zipfile.ZipInfo(path.name), "w", force_zip64=True) as to:
                        shutil.copyfileobj(source, to, COPY)
            packing.replace(archive)
        for path in arrays:
            path.unlink(missing_ok=True)
        with archive.open("rb") as file:
            yield self.archive, hashlib.file_digest(file, "sha256").hexdigest()


def _reserve(file: BinaryIO, size: int) -> None:
    """Take the disk space of a file's full size now, where the system can."""
    file.flush()
    file.truncate(size)
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # which file systems say that cannot
                raise
