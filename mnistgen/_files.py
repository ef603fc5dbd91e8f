"""Files written whole or not at all, read up to a limit, and owned by one process at a time."""

import ctypes
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
BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends
NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a FIFO would wait for its other end
AT_FDCWD = -100  # paths count from the working folder
RENAME_EXCHANGE = 2  # its number on Linux, and that of RENAME_SWAP on macOS
LOCKED_BYTE = 1 << 30  # Windows locks ranges of bytes, for readers too: one that no file of ours has


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` only once the block has ended and the bytes are on the disk.

    The bytes gather in a hidden file beside the target. Whatever goes wrong, that file goes and the old one stays; one
    that a killed process left behind goes with the next call for the same target. A link's target is written, and a
    file that is replaced keeps its mode.
    Raises OSError where the folder is missing, may not be written or is full.
    """
    target = Path(os.path.realpath(path))
    prefix = f".mnistgen-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]}"  # fits whatever the name's length
    remove_leftovers(target.parent, f"{prefix}-*.partial")
    partial = target.with_name(f"{prefix}-{secrets.token_hex(4)}.partial")
    try:
        with _created(partial) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if target.exists():
                partial.chmod(stat.S_IMODE(target.stat().st_mode))
            if WINDOWS:  # which replaces no open file; elsewhere it stays owned until it has its name
                file.close()
            partial.replace(target)
    except OSError as error:
        if error.strerror and error.filename is None:
            error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of a regular file, at most `limit`. Raises OSError for more, and for FIFOs, devices and folders."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_WAIT | BINARY)
    except ValueError as error:  # a name with a NUL in it
        raise OSError(errno.EINVAL, str(error)) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(min(status.st_size, limit) + 1)  # which sets so much memory aside
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit:,} bytes")
    return content


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_owned(path: Path) -> BinaryIO:
    """A file that this process alone owns until it closes it or ends, however it ends; made where there is none.

    Raises BlockingIOError while another process owns it, and OSError where files cannot be opened or locked.
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
        file.close()  # its owner removed it before it was locked


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove the files in a folder that processes left which were killed: those that nobody owns."""
    for path in folder.glob(pattern):
        with suppress(OSError), open_owned(path) as file:
            if WINDOWS:
                file.close()
            path.unlink()


def exchange(first: Path, second: Path) -> bool:
    """Let two files or folders change places in one step; False where the system or the file system has none.

    Raises OSError where it has one and refuses.
    """
    if WINDOWS:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(first), os.fsencode(second)
    for name, arguments in (  # of Linux, of macOS
        ("renameat2", (AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE)),
        ("renamex_np", (*paths, RENAME_EXCHANGE)),
    ):
        if call := getattr(libc, name, None):
            if call(*arguments) == 0:
                return True
            if (number := ctypes.get_errno()) not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
                raise OSError(number, os.strerror(number), str(second))
    return False


def _created(path: Path) -> BinaryIO:
    """A fresh file, owned where the file system knows locks."""
    with suppress(OSError):
        return open_owned(path)
    return path.open("w+b")


def _lock(file: BinaryIO) -> None:
    """Lock a file, or raise BlockingIOError at once."""
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
