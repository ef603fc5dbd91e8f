"""Formats with few large files that all workers write to at different offsets: IDX and NPZ.

Sources: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database" (IDX); NumPy Enhancement Proposal 1 (NPY).
"""

import errno
import math
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnistgen._dataset.format import Digits, Format, attribute_columns, csv_header, csv_rows, csv_width
from mnistgen._dataset.plan import Piece, Plan, Task
from mnistgen._dataset.store import PROGRESS, Store
from mnistgen._errors import InputError
from mnistgen._files import sha256_of

COPY = 1 << 20  # bytes per copy operation
IDX_LIMIT = 2**31 - 1  # images of an IDX file: readers treat its 32-bit sizes as signed


class ValueFile(NamedTuple):
    """A file of all digits of a split: a header, then the same number of bytes for each digit."""

    name: str  # path of the file, relative to the data set's folder
    header: bytes
    size: int  # bytes per digit
    values: Callable[[Task, Digits], bytes]  # of a task


class Arrays(Format):
    """Images, labels and attributes of each split, each in one file."""

    task_size = 2000

    def files(self, plan: Plan, split: str, count: int) -> Iterator[ValueFile]:
        """The files of a split of `count` digits."""
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
        for split, images in plan.ranges().items():
            for value_file in self.files(plan, split, len(images)):
                path = store.file(value_file.name)
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("r+b" if path.exists() else "wb") as file:
                    file.write(value_file.header)
                    _reserve(file, len(value_file.header) + len(images) * value_file.size)

    def write(self, plan: Plan, task: Task, digits: Digits) -> Iterator[Piece]:
        """The values of a task, at their offset in each file."""
        images = plan.ranges()[task.split]
        for file in self.files(plan, task.split, len(images)):
            offset = len(file.header) + (task.first - images.start) * file.size
            yield Piece(file.name, file.values(task, digits), offset)

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """All files."""
        for name in self._names(plan):
            yield name, sha256_of(store.file(name))

    def _names(self, plan: Plan) -> Iterator[str]:
        for split, images in plan.ranges().items():
            yield from (file.name for file in self.files(plan, split, len(images)))


class Idx(Arrays):
    """MNIST's own file format, at the paths that torchvision expects."""

    summary = "MNIST's own files, as torchvision.datasets.MNIST reads them"
    names = re.compile(r"MNIST/raw/(train|t10k)-(images-idx3|labels-idx1)-ubyte|attributes-(train|test)\.csv")

    def files(self, plan: Plan, split: str, count: int) -> Iterator[ValueFile]:
        """Images, labels and, if attributes are requested, a CSV file."""
        prefix = f"MNIST/raw/{'train' if split == 'train' else 't10k'}"
        header = _idx_header(count, 28, 28)
        yield ValueFile(f"{prefix}-images-idx3-ubyte", header, 28 * 28, lambda task, digits: digits.images.tobytes())
        header = _idx_header(count)
        yield ValueFile(f"{prefix}-labels-idx1-ubyte", header, 1, lambda task, digits: digits.labels.tobytes())
        if plan.attributes:
            yield ValueFile(
                f"attributes-{split}.csv", csv_header(plan), csv_width(plan, split), partial(csv_rows, plan)
            )

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
    names = re.compile(rf"mnist\.npz|{re.escape(PROGRESS)}/[a-z_]+_(train|test)\.npy")

    def files(self, plan: Plan, split: str, count: int) -> Iterator[ValueFile]:
        """Images, labels, and attributes as float32, to be packed."""
        arrays = {"x": ("|u1", (28, 28)), "y": ("|u1", ())} | dict.fromkeys(attribute_columns(plan), ("<f4", ()))
        for name, (dtype, shape) in arrays.items():
            yield ValueFile(
                f"{PROGRESS}/{name}_{split}.npy",
                _npy_header(dtype, (count, *shape)),
                np.dtype(dtype).itemsize * math.prod(shape),
                partial(_npy_values, name, dtype),
            )

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """Pack the arrays, uncompressed, so that the bytes do not depend on the version of zlib."""
        archive = store.file(self.archive)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
            for name in self._names(plan):
                path = store.file(name)
                with path.open("rb") as source, file.open(zipfile.ZipInfo(path.name), "w", force_zip64=True) as member:
                    shutil.copyfileobj(source, member, COPY)
        yield self.archive, sha256_of(archive)


def _idx_header(*shape: int) -> bytes:
    """Two zeros, 8 for unsigned bytes, the number of dimensions, and each size as big-endian 32 bits."""
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()


def _npy_values(name: str, dtype: str, task: Task, digits: Digits) -> bytes:
    arrays: dict[str, NDArray[Any]] = {"x": digits.images, "y": digits.labels, **digits.attributes}
    return arrays[name].astype(dtype).tobytes()


def _npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The header of an .npy file."""
    head = BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": dtype, "fortran_order": False, "shape": shape})
    return head.getvalue()


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
