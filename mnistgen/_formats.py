"""WRITERS: one function a file format."""

import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, SupportsIndex

import numpy as np

from mnistgen._arrays import Int64, UInt8
from mnistgen._errors import InputError, OutputError
from mnistgen._files import whole_file
from mnistgen._images import grid
from mnistgen._picture_files import write_png


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What there is to write."""

    images: UInt8  # (N, 28, 28)
    labels: Int64 | None = None  # (N,); none from an unconditional model
    columns: SupportsIndex | None = None  # of a grid
    scale: SupportsIndex = 1  # of a grid
    fields: Mapping[str, str] = field(default_factory=dict)  # text that a picture carries
    arrays: Mapping[str, Any] = field(default_factory=dict)  # the same for .npz


def write_grid(file: BinaryIO, sample: Sample) -> None:
    """PNG: one picture of all digits."""
    write_png(file, grid(sample.images, sample.columns, sample.scale), sample.fields)


def write_npy(file: BinaryIO, sample: Sample) -> None:
    """NumPy: the images alone."""
    np.save(file, sample.images)


def write_npz(file: BinaryIO, sample: Sample) -> None:
    """NumPy, compressed: images, labels where there are any, and where they came from."""
    labels: dict[str, Any] = {} if sample.labels is None else {"labels": sample.labels}
    np.savez_compressed(file, images=sample.images, **labels, **sample.arrays)


WRITERS: dict[str, Callable[[BinaryIO, Sample], None]] = {
    ".png": write_grid,
    ".npy": write_npy,
    ".npz": write_npz,
}
PICTURES = (".png",)


def check_target(path: Path, endings: Collection[str] = WRITERS.keys()) -> None:
    """Refuse a path that cannot be written before work is spent on it.

    Raises InputError for another ending and a name that no file can have, OutputError for a folder that is missing or
    may not be written, and for a target that is no regular file. A link stands for its target.
    """
    if path.suffix.lower() not in endings:
        raise InputError(f"{path}: expected a name ending in {', '.join(endings)}, got {path.suffix or 'no ending'!r}")
    try:
        target = Path(os.path.realpath(path))
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = stat.S_IFREG
    except ValueError as error:
        raise InputError(f"{path}: expected a name that a file can have, got one that none can ({error})") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
    if not target.parent.is_dir():
        raise OutputError(f"{path}: the folder {target.parent} does not exist; make it first")
    if stat.S_ISDIR(mode):
        raise OutputError(f"{path}: is a folder; name a file")
    if not stat.S_ISREG(mode):
        raise OutputError(f"{path}: expected a regular file, got a FIFO, a device or a socket; name another file")
    if not os.access(target.parent, os.W_OK):
        raise OutputError(f"{path}: no permission to write in {target.parent}")


def write(path: Path, sample: Sample) -> None:
    """Write a sample in the format that the path's ending names, whole or not at all.

    Raises as `check_target` does, and OutputError where the disk is full or the file system refuses.
    """
    with written(path) as file:
        WRITERS[path.suffix.lower()](file, sample)


def write_picture(path: Path, picture: UInt8, text: Mapping[str, str] | None = None) -> None:
    """Write a picture (H, W) as PNG, with text fields where there are any, whole or not at all. Raises as `write`."""
    with written(path, PICTURES) as file:
        write_png(file, picture, text)


@contextmanager
def written(path: Path, endings: Collection[str] = WRITERS.keys()) -> Iterator[BinaryIO]:
    """A binary file that becomes `path` once the block has ended. Raises as `check_target` does, and OutputError."""
    check_target(path, endings)
    try:
        with whole_file(path) as file:
            yield file
    except OSError as error:
        reason = error.strerror or f"the disk may be full: {error}"  # NumPy counts the bytes that did not fit
        raise OutputError(f"{path}: cannot be written ({reason}); nothing was changed") from None
