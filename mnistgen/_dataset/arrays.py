"""Formats with few large files that all workers write to at different offsets: IDX and NPZ.

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
from mnistgen._dataset.format import Format
from mnistgen._dataset.plan import Piece, Plan, Task
from mnistgen._dataset.store import PROGRESS, Store
from mnistgen._errors import InputError
from mnistgen._files import sha256_of

COPY = 1 << 20  # bytes per copy operation
IDX_LIMIT = 2**31 - 1  # images of an IDX file: readers treat its 32-bit sizes as signed


class Arrays(Format):
    """Images and labels of each split as two files: a header, then the values as raw bytes."""

    task_size = 2000
    arrays: ClassVar[Mapping[str, tuple[str, str]]]  # split -> files of images and labels

    def header(self, shape: tuple[int, ...]) -> bytes:
        """The header of a file of uint8 values of this shape."""
        raise NotImplementedError

    def check(self, plan: Plan, store: Store) -> None:
        """Raise InputError for an object store."""
        if not store.local:
            raise InputError(
                f"format {plan.format}: expected a local folder, because object stores cannot write at offsets; "
                "choose parquet, webdataset or hf"
            )

    def begin(self, plan: Plan, store: Store) -> None:
        """Create the files in full size, so that a disk that is too small is detected immediately."""
        for name, shape in self._files(plan):
            path = store.file(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            head = self.header(shape)
            with path.open("r+b" if path.exists() else "wb") as file:
                file.write(head)
                _reserve(file, len(head) + math.prod(shape))

    def write(self, plan: Plan, task: Task, images: UInt8, labels: UInt8) -> Iterator[Piece]:
        """The images and labels of a task, each at its offset in one of the files."""
        total = plan.ranges()[task.split]
        shapes = ((len(total), 28, 28), (len(total),))
        for name, shape, values in zip(self.arrays[task.split], shapes, (images, labels), strict=True):
            size = math.prod(shape[1:])  # bytes per image or label
            yield Piece(name, values.tobytes(), len(self.header(shape)) + (task.first - total.start) * size)

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """All files."""
        for name, _ in self._files(plan):
            yield name, sha256_of(store.file(name))

    def _files(self, plan: Plan) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Names and shapes of all arrays."""
        for split, images in plan.ranges().items():
            yield from zip(self.arrays[split], ((len(images), 28, 28), (len(images),)), strict=True)


class Idx(Arrays):
    """MNIST's own file format, at the paths that torchvision expects."""

    summary = "MNIST's own files, as torchvision.datasets.MNIST reads them"
    names = re.compile(r"MNIST/raw/(train|t10k)-(images-idx3|labels-idx1)-ubyte")
    arrays: ClassVar = {
        split: (f"MNIST/raw/{prefix}-images-idx3-ubyte", f"MNIST/raw/{prefix}-labels-idx1-ubyte")
        for split, prefix in (("train", "train"), ("test", "t10k"))
    }

    def header(self, shape: tuple[int, ...]) -> bytes:
        """Two zeros, 8 for unsigned bytes, the number of dimensions, and each size as big-endian 32 bits."""
        return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()

    def check(self, plan: Plan, store: Store) -> None:
        """Raise InputError for an object store, and for more images than an IDX file can hold."""
        super().check(plan, store)
        for split, images in plan.ranges().items():
            if len(images) > IDX_LIMIT:
                raise InputError(
                    f"{split}: expected at most {IDX_LIMIT:,} images in an IDX file, got {len(images):,}; "
                    "choose parquet or webdataset"
                )


class Npz(Arrays):
    """One archive of the arrays x_train, y_train, x_test and y_test, packed at the end."""

    summary = "one mnist.npz, with the arrays of keras.datasets.mnist"
    archive = "mnist.npz"
    names = re.compile(rf"mnist\.npz|{re.escape(PROGRESS)}/[xy]_(train|test)\.npy")
    arrays: ClassVar = {
        split: (f"{PROGRESS}/x_{split}.npy", f"{PROGRESS}/y_{split}.npy") for split in ("train", "test")
    }

    def header(self, shape: tuple[int, ...]) -> bytes:
        """The header of an .npy file."""
        head = BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
        return head.getvalue()

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """Pack the arrays, uncompressed, so that the bytes do not depend on the version of zlib."""
        archive = store.file(self.archive)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
            for name, _ in self._files(plan):
                path = store.file(name)
                with path.open("rb") as source, file.open(zipfile.ZipInfo(path.name), "w", force_zip64=True) as member:
                    shutil.copyfileobj(source, member, COPY)
        yield self.archive, sha256_of(archive)


def _reserve(file: BinaryIO, size: int) -> None:
    """Allocate the disk space of a file's full size, if the system supports it."""
    file.flush()
    file.truncate(size)
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # not supported by this file system
                raise
