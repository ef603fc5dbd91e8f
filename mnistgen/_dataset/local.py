"""LocalStore: a folder of this machine.

OUT                     the finished data set
.OUT.mnistgen/          the working folder beside it, while a data set is made
    lock                whose owner alone may change anything here, and who that is
    progress/           plan.json, and what is done
    data-TOKEN/         the data set as it grows; every run has a token of its own
    ready-SHA256/       the same, finished, until it has taken the place of OUT; named after its dataset.json
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
from mnistgen._dataset.store import MANIFEST, NOTES, PLAN, PROGRESS
from mnistgen._errors import InputError, OutputError, plain
from mnistgen._files import WINDOWS, exchange, open_owned, read_file, sha256_of

LONGEST = 200  # bytes of a name that leave room for what is put around it
NOTHING = re.compile("(?!)")  # the names of a format that is not known
NAMED = 3  # files of somebody else that are named


class LocalStore:
    """A folder of this machine; links are followed to what they name."""

    local = True
    flush_seconds = 0.0

    def __init__(self, path: Path) -> None:
        try:
            self.path = Path(os.path.realpath(path))
        except ValueError as error:
            raise InputError(f"{path}: expected the name of a folder ({error})") from None
        name = self.path.name
        if not name:
            raise InputError(f"{path}: expected a folder that can be made, got the root of all")
        if len(os.fsencode(name)) > LONGEST:
            name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
        self.scratch = self.path.with_name(f".{name}.mnistgen")  # the working folder
        self._data = self.scratch / f"data-{secrets.token_hex(4)}"

    @contextmanager
    def owned(self) -> Iterator[None]:
        """As `Store` says."""
        if not self.path.parent.is_dir():
            raise OutputError(f"{self.path}: the folder {self.path.parent} does not exist; make it first")
        for folder in (self.path.parent, self.path):
            if folder.exists() and not os.access(folder, os.W_OK):
                raise OutputError(f"{self.path}: no permission to write in {folder}")
        if self.path.is_mount():
            raise InputError(f"{self.path}: is where a file system begins, and cannot be replaced; name a folder in it")
        with self._lock():
            self._recover()
            yield

    def manifest(self) -> bytes | None:
        """As `Store` says."""
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path}: is a file; name a folder")
        if not self.path.exists() or not any(self.path.iterdir()):
            return None
        try:
            return read_file(self.path / MANIFEST, LARGEST)
        except FileNotFoundError:
            raise InputError(f"{self.path}: holds other files than a data set; name a new or an empty folder") from None

    def unlisted(self, known: Iterable[str]) -> list[str]:
        """As `Store` says."""
        return _unlisted(self.path, {*known, MANIFEST}.__contains__)

    def damaged(self, files: Mapping[str, str]) -> Iterator[str]:
        """As `Store` says."""
        for name, sha256 in files.items():
            path = self.path / name
            if not path.is_file() or sha256_of(path) != sha256:
                yield name

    def begin(self, plan: bytes, least: int) -> None:
        """As `Store` says."""
        if (free := shutil.disk_usage(self.scratch).free) < least:
            raise OutputError(f"{self.path}: needs {least:,} bytes or more, {free:,} are free")
        self._remove_unfinished()
        self.file(PROGRESS).mkdir(exist_ok=True)
        self.write(Piece(PLAN, plan))  # first: a folder with data is never without one
        self._data.mkdir()

    def resume(self) -> None:
        """As `Store` says: a worker of an earlier run that is still there no longer finds its folder."""
        for folder in self._growing():
            folder.replace(self._data)

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes | None:
        """As `Store` says."""
        path = self.file(name)
        if not path.is_file():
            return None
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def write(self, piece: Piece) -> None:
        """As `Store` says."""
        try:
            self._write(piece)
        except FileNotFoundError:
            for parent in reversed(PurePosixPath(piece.name).parents[:-1]):  # never the data set's own folder:
                self.file(str(parent)).mkdir(exist_ok=True)  # where that is gone, so is what was done
            self._write(piece)

    def file(self, name: str) -> Path:
        """As `Store` says."""
        first, _, below = name.partition("/")
        return self.scratch / "progress" / below if first == PROGRESS else self._data / name

    def names(self, folder: str) -> list[str]:
        """As `Store` says."""
        return sorted(os.listdir(self.file(folder)))  # noqa: PTH208 - pathlib would make objects of all

    def remove(self, name: str) -> None:
        """As `Store` says."""
        self.file(name).unlink()

    def publish(self, manifest: Iterable[bytes]) -> None:
        """As `Store` says."""
        with (self._data / MANIFEST).open("wb") as file:
            file.writelines(manifest)
        if hasattr(os, "sync"):
            os.sync()  # nothing is called finished before it is on the disk
        ready = self.scratch / f"ready-{_description_of(self._data)}"
        self._data.replace(ready)  # from here on `_recover` can end it
        self._take_place(ready)
        self._recover()

    def clear(self) -> None:
        """Remove what was made at this place, finished or not."""
        with self.owned():
            self._remove_unfinished()
            if self.path.exists():
                self.path.replace(self._old())
            self._recover()

    # --- inside ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Own the working folder, which is made where there is none, and removed at last if nothing is left in it."""
        path = self.scratch / "lock"
        while True:
            self.scratch.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # the last owner has just removed the folder
                try:
                    lock = open_owned(path)
                except BlockingIOError:
                    raise OutputError(f"{self.path}: {_owner(path)} is writing it; wait until it has ended") from None
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
                if WINDOWS:  # which removes no open file
                    lock.close()
                path.unlink()
                self.scratch.rmdir()

    def _recover(self) -> None:
        """End what an earlier owner was killed in, and remove what it no longer needs."""
        for ready in self.scratch.glob("ready-*"):
            name = ready.name.removeprefix("ready-")
            if _description_of(self.path) == name:
                ready.replace(self._old())  # it was killed when the two had changed places
            elif _description_of(ready) == name:
                if content := self.manifest():
                    _check_listed(self.path, content)
                self._take_place(ready)
        for old in self.scratch.glob("old-*"):
            self._discard(old)
        if not self._growing():
            self._clear_progress()

    def _take_place(self, ready: Path) -> None:
        """Let a finished data set take the place of what is there: in one step where the system has it."""
        if not self.path.exists():
            ready.replace(self.path)
        elif exchange(ready, self.path):
            ready.replace(self._old())
        else:
            self.path.replace(self._old())
            ready.replace(self.path)

    def _discard(self, folder: Path) -> None:
        """Remove a data set that was replaced, or say why it stays."""
        try:
            description = folder / MANIFEST
            _check_listed(folder, read_file(description, LARGEST) if description.exists() else None)
            _remove(folder)
        except (OSError, InputError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            warnings.warn(
                f"{self.path}: the data set that was replaced stays in {folder}: {reason}; remove it yourself",
                RuntimeWarning,
                stacklevel=2,
            )

    def _remove_unfinished(self) -> None:
        """Remove what is left of an unfinished data set. Raises InputError where that holds any other file."""
        plan = read_plan(self.read(PLAN))
        for folder in self._growing():
            names = FORMATS[plan.format].names if plan else NOTHING
            if other := _unlisted(folder, lambda name: name == MANIFEST or names.fullmatch(name)):  # noqa: B023
                known = "" if plan else f", and {self.file(PLAN)} is missing or damaged"
                raise InputError(f"{folder}: holds files of somebody else ({', '.join(other)}){known}; move them away")
            _remove(folder)
        self._clear_progress()

    def _old(self) -> Path:
        return self.scratch / f"old-{secrets.token_hex(4)}"

    def _growing(self) -> list[Path]:
        return list(self.scratch.glob("data-*"))

    def _clear_progress(self) -> None:
        folder = self.file(PROGRESS)
        with suppress(FileNotFoundError):
            for name in filter(NOTES.fullmatch, os.listdir(folder)):  # noqa: PTH208
                (folder / name).unlink()
            with suppress(OSError):  # somebody else has a file in it
                folder.rmdir()

    def _write(self, piece: Piece) -> None:
        with self.file(piece.name).open("wb" if piece.offset is None else "r+b") as file:
            file.seek(piece.offset or 0)
            file.write(piece.content)


def _remove(folder: Path) -> None:
    """Remove a folder whose files are all known, dataset.json last of them: the process may be killed in between."""
    # Not by shutil.rmtree, which makes an OSError of a signal's exception.
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


def _description_of(folder: Path) -> str | None:
    """The SHA-256 of a folder's dataset.json; none where it has none."""
    path = folder / MANIFEST
    return sha256_of(path) if path.is_file() else None


def _check_listed(folder: Path, description: bytes | None) -> None:
    """Raise InputError for a folder that holds any file but those of a data set, by its dataset.json."""
    listed = read_manifest(description).files if description else {}
    if other := _unlisted(folder, {*listed, MANIFEST}.__contains__):
        raise InputError(f"{folder}: holds files that its {MANIFEST} does not list ({', '.join(other)})")


def _unlisted(folder: Path, known: Callable[[str], object]) -> list[str]:
    """Some files below a folder whose names are not known."""
    found: list[str] = []
    for root, folders, files in os.walk(folder):
        below = os.path.relpath(root, folder)
        links = [name for name in folders if Path(root, name).is_symlink()]
        names = (PurePosixPath(below, name).as_posix() for name in files + links)
        found += [plain(name) for name in names if not known(name)]
        if len(found) >= NAMED:
            return found[:NAMED]
    return found
