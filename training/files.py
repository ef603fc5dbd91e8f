"""Size-limited reads, and file locks."""

import errno
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

WINDOWS = sys.platform == "win32"
BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line endings
NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a FIFO would block


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of a regular file, at most `limit`. Raises OSError for larger files, FIFOs, devices and folders."""
    descriptor = os.open(path, os.O_RDONLY | NO_WAIT | BINARY)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(min(status.st_size, limit) + 1)  # read() allocates its argument
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit:,} bytes")
    return content


def open_owned(path: Path) -> BinaryIO:
    """Open and lock a file, creating it if necessary. The lock ends when the file is closed or the process ends.

    Raises BlockingIOError if another process holds the lock, and OSError if the file cannot be opened or locked.
    """
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | BINARY, 0o666), "r+b")
        try:
            _lock(file)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        file.close()  # the previous owner removed it before it was locked here


def _lock(file: BinaryIO) -> None:
    """Lock a file without waiting, or raise BlockingIOError."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(*error.args) from None
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
