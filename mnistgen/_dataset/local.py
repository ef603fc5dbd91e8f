"""LocalStore: a folder on this machine.

OUT                     the finished data set
.OUT.mnistgen/          the working folder beside it, while a data set is written
    lock                locked by the process that may change anything here, and describes it
    progress/           plan.json and the journal
    data-TOKEN/         the unfinished data set; every run has its own token
    ready-SHA256/       the finished data set, until it replaces OUT; named after the SHA-256 of its dataset.json
    old-TOKEN/          the data set that was replaced, until it is removed
"""

import hashlib
import os
import platform
import re
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath

from mnistgen._dataset.formats import FORMATS
from mnistgen._dataset.manifest import LARGEST, read_manifest, read_plan
from mnistgen._dataset.plan import Piece
from mnistgen._dataset.store import MANIFEST, PLAN, PROGRESS, PROGRESS_FILES
from mnistgen._errors import InputError, OutputError, plain
from mnistgen._files import WINDOWS, exchange, open_owned, read_file, sha256_of

LONGEST = 200  # bytes of a folder's name, to which a prefix and a suffix are added
NO_FILES = re.compile("(?!)")  # matches no name
NAMED = 3  # unknown files that a message names


class LocalStore:
    """A folder on this machine; symbolic links are followed."""

    local = True
    flush_seconds = 0.0

    def __init__(self, path: Path) -> None:
        try:
            self.path = Path(os.path.realpath(path))
        except ValueError as error:
            raise InputError(f"{path}: expected a valid folder name ({error})") from None
        name = self.path.name
        if not name:
            raise InputError(f"{path}: expected a folder that can be created, got the root folder")
        if len(os.fsencode(name)) > LONGEST:
            name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
        self.scratch = self.path.with_name(f".{name}.mnistgen")  # the working folder
        self._data = self.scratch / f"data-{secrets.token_hex(4)}"

    @contextmanager
    def owned(self) -> Iterator[None]:
        """See `Store`."""
        if not self.path.parent.is_dir():
            raise OutputError(f"{self.path}: the folder {self.path.parent} does not exist; create it first")
        for folder in (self.path.parent, self.path):
            if folder.exists() and not os.access(folder, os.W_OK):
                raise OutputError(f"{self.path}: no permission to write to {folder}")
        if self.path.is_mount():
            raise InputError(f"{self.path}: is a mount point, which cannot be replaced; name a folder in it")
        with self._lock():
            self._recover()
            yield

    def manifest(self) -> bytes | None:
        """See `Store`."""
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path}: expected a folder, got a file")
        if not self.path.exists() or not any(self.path.iterdir()):
            return None
        try:
            return read_file(self.path / MANIFEST, LARGEST)
        except FileNotFoundError:
            raise InputError(f"{self.path}: contains files but no data set; name a new or empty folder") from None

    def unlisted(self, known: Iterable[str]) -> list[str]:
        """See `Store`."""
        return _unlisted(self.path, {*known, MANIFEST}.__contains__)

    def damaged(self, files: Mapping[str, str]) -> Iterator[str]:
        """See `Store`."""
        for name, sha256 in files.items():
            path = self.path / name
            if not path.is_file() or sha256_of(path) != sha256:
                yield name

    def begin(self, plan: bytes, least: int) -> None:
        """See `Store`."""
        if (free := shutil.disk_usage(self.scratch).free) < least:
            raise OutputError(f"{self.path}: needs at least {least:,} bytes, but only {free:,} are free")
        self._remove_unfinished()
        self.file(PROGRESS).mkdir(exist_ok=True)
        self.write(Piece(PLAN, plan))  # before the data folder, which needs it
        self._data.mkdir()

    def resume(self) -> None:
        """See `Store`: the folder is renamed, so a worker of an earlier run no longer finds it."""
        for folder in self._unfinished():
            folder.replace(self._data)

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes | None:
        """See `Store`."""
        path = self.file(name)
        if not path.is_file():
            return None
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def write(self, piece: Piece) -> None:
        """See `Store`."""
        try:
            self._write(piece)
        except FileNotFoundError:
            # Never create the data set's own folder: if it is missing, so are the finished tasks.
            for parent in reversed(PurePosixPath(piece.name).parents[:-1]):
                self.file(str(parent)).mkdir(exist_ok=True)
            self._write(piece)

    def file(self, name: str) -> Path:
        """See `Store`."""
        first, _, below = name.partition("/")
        return self.scratch / "progress" / below if first == PROGRESS else self._data / name

    def names(self, folder: str) -> list[str]:
        """See `Store`."""
        return sorted(os.listdir(self.file(folder)))  # noqa: PTH208 - faster than pathlib

    def remove(self, name: str) -> None:
        """See `Store`."""
        self.file(name).unlink()

    def publish(self, manifest: Iterable[bytes]) -> None:
        """See `Store`."""
        with (self._data / MANIFEST).open("wb") as file:
            file.writelines(manifest)
        if hasattr(os, "sync"):
            os.sync()  # all files are on the disk before the data set counts as finished
        ready = self.scratch / f"ready-{_manifest_sha256(self._data)}"
        self._data.replace(ready)  # from here on, `_recover` can complete an interrupted run
        self._replace_target(ready)
        self._recover()

    def clear(self) -> None:
        """Remove the data set, finished or not."""
        with self.owned():
            self._remove_unfinished()
            if self.path.exists():
                self.path.replace(self._old_folder())
            self._recover()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Create and lock the working folder; at the end, remove it if it is empty."""
        path = self.scratch / "lock"
        while True:
            self.scratch.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # the previous owner has just removed the folder
                try:
                    lock = open_owned(path)
                except BlockingIOError:
                    raise OutputError(f"{self.path}: {_owner(path)} is writing to it; wait until it ends") from None
                break
        try:
            lock.write(
                f"process {os.getpid()} on {platform.node()}, since {datetime.now():%Y-%m-%d %H:%M:%S},".encode()
            )
            lock.truncate()
            lock.flush()
            yield
        finally:
            with lock, suppress(OSError):
                if WINDOWS:  # which cannot remove an open file
                    lock.close()
                path.unlink()
                self.scratch.rmdir()

    def _recover(self) -> None:
        """Complete an interrupted publication, and remove replaced data sets and unused progress files."""
        for ready in self.scratch.glob("ready-*"):
            name = ready.name.removeprefix("ready-")
            if _manifest_sha256(self.path) == name:
                ready.replace(self._old_folder())  # interrupted after the exchange: `ready` is the old data set
            elif _manifest_sha256(ready) == name:
                if content := self.manifest():
                    _check_listed(self.path, content)
                self._replace_target(ready)
        for old in self.scratch.glob("old-*"):
            self._discard(old)
        if not self._unfinished():
            self._clear_progress()

    def _replace_target(self, ready: Path) -> None:
        """Replace the destination by a finished data set, atomically if the system supports it."""
        if not self.path.exists():
            ready.replace(self.path)
        elif exchange(ready, self.path):
            ready.replace(self._old_folder())
        else:
            self.path.replace(self._old_folder())
            ready.replace(self.path)

    def _discard(self, folder: Path) -> None:
        """Remove a data set that was replaced, or warn why it is kept."""
        try:
            manifest = folder / MANIFEST
            _check_listed(folder, read_file(manifest, LARGEST) if manifest.exists() else None)
            _remove(folder)
        except (OSError, InputError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            warnings.warn(
                f"{self.path}: the replaced data set was not removed from {folder}: {reason}; remove it manually",
                RuntimeWarning,
                stacklevel=2,
            )

    def _remove_unfinished(self) -> None:
        """Remove an unfinished data set. Raises InputError if it contains unknown files."""
        plan = read_plan(self.read(PLAN))
        for folder in self._unfinished():
            names = FORMATS[plan.format].names if plan else NO_FILES
            if other := _unlisted(folder, lambda name: name == MANIFEST or names.fullmatch(name)):  # noqa: B023
                reason = "" if plan else f", and {self.file(PLAN)} is missing or damaged"
                raise InputError(f"{folder}: contains unknown files ({', '.join(other)}){reason}; move them away")
            _remove(folder)
        self._clear_progress()

    def _old_folder(self) -> Path:
        return self.scratch / f"old-{secrets.token_hex(4)}"

    def _unfinished(self) -> list[Path]:
        return list(self.scratch.glob("data-*"))

    def _clear_progress(self) -> None:
        folder = self.file(PROGRESS)
        with suppress(FileNotFoundError):
            for name in filter(PROGRESS_FILES.fullmatch, os.listdir(folder)):  # noqa: PTH208
                (folder / name).unlink()
            with suppress(OSError):  # it contains unknown files
                folder.rmdir()

    def _write(self, piece: Piece) -> None:
        with self.file(piece.name).open("wb" if piece.offset is None else "r+b") as file:
            file.seek(piece.offset or 0)
            file.write(piece.content)


def _remove(folder: Path) -> None:
    """Remove a folder, dataset.json last: the process may be killed meanwhile, and needs it to continue."""
    # Not with shutil.rmtree, which turns the exception of a signal into an OSError.
    for root, folders, files in os.walk(folder, topdown=False):
        for name in files:
            if (path := Path(root, name)) != folder / MANIFEST:
                path.unlink()
        for name in folders:
            Path(root, name).rmdir()
    (folder / MANIFEST).unlink(missing_ok=True)
    folder.rmdir()


def _owner(lock: Path) -> str:
    try:
        return plain(read_file(lock, 300).decode(errors="replace")) or "another process"
    except OSError:
        return "another process"


def _manifest_sha256(folder: Path) -> str | None:
    """The SHA-256 of a folder's dataset.json, or None if there is none."""
    path = folder / MANIFEST
    return sha256_of(path) if path.is_file() else None


def _check_listed(folder: Path, manifest: bytes | None) -> None:
    """Raise InputError if a folder contains files that its dataset.json does not list."""
    listed = read_manifest(manifest).files if manifest else {}
    if other := _unlisted(folder, {*listed, MANIFEST}.__contains__):
        raise InputError(f"{folder}: contains files that its {MANIFEST} does not list ({', '.join(other)})")


def _unlisted(folder: Path, known: Callable[[str], object]) -> list[str]:
    """Some of the files below a folder whose names are not `known`."""
    found: list[str] = []
    for root, folders, files in os.walk(folder):
        below = os.path.relpath(root, folder)
        links = [name for name in folders if Path(root, name).is_symlink()]
        names = (PurePosixPath(below, name).as_posix() for name in files + links)
        found += [plain(name) for name in names if not known(name)]
        if len(found) >= NAMED:
            return found[:NAMED]
    return found
