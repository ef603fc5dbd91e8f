"""Formats of a few large files, which all workers write into, each at its own place: IDX and NPZ.

Sources: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database" (IDX); NumPy Enhancement Proposal 1 (NPY).
"""

import errno
import math
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import BinaryIO, ClassVar

import numpy as np

from mnistgen._arrays import UInt8
from mnistgen._dataset.plan import Piece, Plan, Task
from mnistgen._dataset.store import PROGRESS, Store
from mnistgen._errors import InputError
from mnistgen._files import sha256_of

COPY = 1 << 20  # bytes at once
IDX_LIMIT = 2**31 - 1  # images of an IDX file: its counts have 32 bits, and readers take them for signed


class Arrays:
    """Images and labels of each split as two files, a header and then raw bytes, in order."""

    task_size = 2000
    summary: str
    names: re.Pattern[str]
    arrays: ClassVar[Mapping[str, tuple[str, str]]]  # the files of each split's images and labels

    def header(self, shape: tuple[int, ...]) -> bytes:
        """What comes before uint8 values of this shape."""
        raise NotImplementedError

    def check(self, plan: Plan, store: Store) -> None:
        """Raise InputError where the format cannot hold the data set, or the store not the format."""
        if not store.local:
            raise InputError(
                f"format {plan.format}: is written at many places at once, which object stores cannot; "
                "choose parquet, webdataset or hf"
            )

    def begin(self, plan: Plan, store: Store) -> None:
        """Make the files in their full size, so that a disk too small is known at once."""
        for name, shape in self._files(plan):
            path = store.file(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            head = self.header(shape)
            with path.open("r+b" if path.exists() else "wb") as file:
                file.write(head)
                _reserve(file, len(head) + math.prod(shape))

    def write(self, plan: Plan, task: Task, images: UInt8, labels: UInt8) -> Iterator[Piece]:
        """A task's images and labels, each at its place in one of the files."""
        total = plan.ranges()[task.split]
        shapes = ((len(total), 28, 28), (len(total),))
        for name, shape, values in zip(self.arrays[task.split], shapes, (images, labels), strict=True):
            size = math.prod(shape[1:])  # bytes of one image, or of one label
            yield Piece(name, values.tobytes(), len(self.header(shape)) + (task.first - total.start) * size)

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """Names and SHA-256 of the files that no task completed."""
        for name, _ in self._files(plan):
            yield name, sha256_of(store.file(name))

    def _files(self, plan: Plan) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Names and shapes of all arrays."""
        for split, images in plan.ranges().items():
            yield from zip(self.arrays[split], ((len(images), 28, 28), (len(images),)), strict=True)


class Idx(Arrays):
    """MNIST's own files, where torchvision looks for them."""

    summary = "MNIST's own files, as torchvision.datasets.MNIST reads them"
    names = re.compile(r"MNIST/raw/(train|t10k)-(images-idx3|labels-idx1)-ubyte")
    arrays: ClassVar = {
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
    """One file with the arrays x_train, y_train, x_test and y_test, which are put together at last."""

    summary = "one mnist.npz, with the arrays of keras.datasets.mnist"
    archive = "mnist.npz"
    names = re.compile(rf"mnist\.npz|{re.escape(PROGRESS)}/[xy]_(train|test)\.npy")
    arrays: ClassVar = {
        split: (f"{PROGRESS}/x_{split}.npy", f"{PROGRESS}/y_{split}.npy") for split in ("train", "test")
    }

    def header(self, shape: tuple[int, ...]) -> bytes:
        """As NumPy writes it."""
        head = BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
        return head.getvalue()

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """Put the arrays into one archive, uncompressed, so that its bytes depend on no library's version."""
        archive = store.file(self.archive)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
            for name, _ in self._files(plan):
                path = store.file(name)
                with path.open("rb") as source, file.open(zipfile.ZipInfo(path.name), "w", force_zip64=True) as member:
                    shutil.copyfileobj(source, member, COPY)
        yield self.archive, sha256_of(archive)


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
