"""WRITERS: one function per file format."""

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
    """Digits to write, and how."""

    images: UInt8  # (N, 28, 28)
    labels: Int64 | None = None  # (N,); None for an unconditional model
    columns: SupportsIndex | None = None  # of a grid
    scale: SupportsIndex = 1  # of a grid
    arrays: Mapping[str, Any] = field(default_factory=dict)  # further arrays of an .npz


def write_grid(file: BinaryIO, sample: Sample) -> None:
    """PNG: all digits in one picture."""
    write_png(file, grid(sample.images, sample.columns, sample.scale))


def write_npy(file: BinaryIO, sample: Sample) -> None:
    """NumPy: the images only."""
    np.save(file, sample.images)


def write_npz(file: BinaryIO, sample: Sample) -> None:
    """NumPy, compressed: the images, the labels if any, and further arrays."""
    labels: dict[str, Any] = {} if sample.labels is None else {"labels": sample.labels}
    np.savez_compressed(file, images=sample.images, **labels, **sample.arrays)


WRITERS: dict[str, Callable[[BinaryIO, Sample], None]] = {
    ".png": write_grid,
    ".npy": write_npy,
    ".npz": write_npz,
}
PICTURES = (".png",)


def check_target(path: Path, endings: Collection[str] = WRITERS.keys()) -> None:
    """Check that a path can be written, before any work is done; symbolic links are followed.

    Raises InputError for another extension and for an invalid name, and OutputError if the folder is missing or
    read-only, or the target is not a regular file.
    """
    if path.suffix.lower() not in endings:
        raise InputError(f"{path}: expected a name ending in {', '.join(endings)}, got {path.suffix or 'no ending'!r}")
    try:
        target = Path(os.path.realpath(path))
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = stat.S_IFREG
    except ValueError as error:
        raise InputError(f"{path}: expected a valid file name ({error})") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
    if not target.parent.is_dir():
        raise OutputError(f"{path}: the folder {target.parent} does not exist; create it first")
    if stat.S_ISDIR(mode):
        raise OutputError(f"{path}: expected a file, got a folder")
    if not stat.S_ISREG(mode):
        raise OutputError(f"{path}: expected a regular file, got a FIFO, a device or a socket; name another file")
    if not os.access(target.parent, os.W_OK):
        raise OutputError(f"{path}: no permission to write to {target.parent}")


def write(path: Path, sample: Sample) -> None:
    """Write a sample atomically in the format of the file extension. Raises as `open_output` does."""
    with open_output(path) as file:
        WRITERS[path.suffix.lower()](file, sample)


def write_picture(path: Path, picture: UInt8, text: Mapping[str, str] | None = None) -> None:
    """Write a picture (H, W) as PNG atomically, with optional text fields. Raises as `open_output` does."""
    with open_output(path, PICTURES) as file:
        write_png(file, picture, text)


@contextmanager
def open_output(path: Path, endings: Collection[str] = WRITERS.keys()) -> Iterator[BinaryIO]:
    """Write a binary file atomically. Raises as `check_target` does, and OutputError for errors of the file system."""
    check_target(path, endings)
    try:
        with whole_file(path) as file:
            yield file
    except OSError as error:
        reason = error.strerror or f"the disk may be full: {error}"  # NumPy's error has no strerror
        raise OutputError(f"{path}: cannot be written ({reason}); nothing was changed") from None
