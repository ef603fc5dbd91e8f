"""Atomic writes, size-limited reads, and file locks."""

import errno
import hashlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

WINDOWS = sys.platform == "win32"
BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line endings
NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a FIFO would block
LOCKED_BYTE = 1 << 30  # Windows locks byte ranges, for readers too: lock one beyond the end of our files


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a binary file atomically: it replaces `path` after the block, once its bytes are on the disk.

    Bytes are written to a hidden file beside the target. On any error it is removed and the old file is kept. The
    hidden file of a killed process is removed by the next call for the same target. Symbolic links are followed, and
    the mode of an existing file is kept. Raises OSError if the folder is missing, read-only or full.
    """
    target = Path(os.path.realpath(path))
    prefix = f".mnistgen-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]}"  # of limited length
    remove_leftovers(target.parent, f"{prefix}-*.partial")
    partial = target.with_name(f"{prefix}-{secrets.token_hex(4)}.partial")
    try:
        with _created(partial) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if target.exists():
                partial.chmod(stat.S_IMODE(target.stat().st_mode))
            if WINDOWS:  # which cannot rename an open file; elsewhere it stays locked until it is renamed
                file.close()
            partial.replace(target)
    except OSError as error:
        if error.strerror and error.filename is None:
            error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of a regular file, at most `limit`. Raises OSError for larger files, FIFOs, devices and folders."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_WAIT | BINARY)
    except ValueError as error:  # a name with a NUL character
        raise OSError(errno.EINVAL, str(error)) from None
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


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove files of killed processes: those that match the pattern and are not locked."""
    for path in folder.glob(pattern):
        with suppress(OSError), open_owned(path) as file:
            if WINDOWS:
                file.close()
            path.unlink()


def _created(path: Path) -> BinaryIO:
    """Create a file, locked if the file system supports locks."""
    with suppress(OSError):
        return open_owned(path)
    return path.open("w+b")


def _lock(file: BinaryIO) -> None:
    """Lock a file without waiting, or raise BlockingIOError."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(LOCKED_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(*error.args) from None
        finally:
            file.seek(0)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
