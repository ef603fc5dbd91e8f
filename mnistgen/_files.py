"""Files that are written whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mnistgen._errors import OutputError


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
