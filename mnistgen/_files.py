"""Files of the package, and files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mnistgen._errors import OutputError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def package_file(name: str) -> Path | Traversable:
    """A file or folder of this package, also of one in a ZIP archive."""
    path = Path(__file__).with_name(name)
    if path.exists():
        return path
    from importlib.resources import files  # imported here: it takes longer than loading a model

    return files("mnistgen") / name


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a binary file atomically: it replaces `path` after the block, once its bytes are on the disk.

    Bytes are written to a hidden file beside the target, which is removed on any error. Symbolic links are followed,
    and the mode of an existing file is kept. Raises OutputError if the folder is missing, read-only or full.
    """
    target = Path(os.path.realpath(path))
    partial = target.with_name(
        f".mnistgen-{secrets.token_hex(4)}{target.suffix}"
    )  # from which Pillow infers the format
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    except OSError as error:
        reason = error.strerror or f"the disk may be full: {error}"  # NumPy's error has no strerror
        raise OutputError(f"{path}: cannot be written ({reason}); nothing was changed") from None
    finally:
        with suppress(OSError):
            partial.unlink()
