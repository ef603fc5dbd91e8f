"""RemoteStore: a folder in a file system that fsspec supports (S3, GCS, ...), by URL.

Object stores can neither lock nor move folders. Instead, the owner of the folder is recorded in an object that only one
process can create, and that its owner renews. Shards are written one by one, and dataset.json last of all.
"""

import errno
import hashlib
import json
import os
import platform
import secrets
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from mnistgen._dataset.formats import FORMATS
from mnistgen._dataset.manifest import read_manifest, read_plan
from mnistgen._dataset.plan import Piece
from mnistgen._dataset.store import MANIFEST, PLAN, PROGRESS, PROGRESS_FILES
from mnistgen._errors import DependencyError, InputError, OutputError, plain
from mnistgen._files import WINDOWS

OWNER = f"{PROGRESS}/owner.json"
RENEWAL = 60.0  # seconds between two renewals of the lease
LEASE = 300.0  # seconds without renewal after which the owner loses the folder
NAMED = 3  # unknown objects that a message names


class RemoteStore:
    """A folder in a file system that fsspec supports, by URL."""

    local = False
    flush_seconds = 2.0
    scratch: Path | None = None

    def __init__(self, url: str) -> None:
        self._token = secrets.token_hex(8)
        try:
            # Without the cache of listings, which misses files that other processes write.
            self._files, self._root = import_module("fsspec").core.url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            raise DependencyError(f"{url}: needs a package that is not installed ({error}); pip install it") from None
        except Exception as error:  # noqa: BLE001 - depends on the file system
            raise InputError(f"{url}: {_reason(error)}") from None
        if not str(self._root).strip("/"):
            raise InputError(f"{url}: expected the URL of a folder, such as {url.partition('://')[0]}://bucket/folder")

    @contextmanager
    def owned(self) -> Iterator[None]:
        """See `Store`."""
        bucket = self._root.partition("/")[0]  # empty if paths begin with a slash
        try:
            if bucket:
                self._call("ls", bucket)
        except FileNotFoundError:  # fsspec would create it, even if the name is misspelt
            raise InputError(f"{self._root}: bucket {bucket} does not exist; create it first") from None
        self._acquire()
        ended = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(ended,), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            ended.set()
            renewing.join()
            with suppress(OSError):
                if self._is_owner():
                    self.remove(OWNER)
                    self._call("rmdir", f"{self._root}/{PROGRESS}")  # in file systems with real folders

    def manifest(self) -> bytes | None:
        """See `Store`."""
        content = self.read(MANIFEST)
        if content is None and (other := self.unlisted([])) and read_plan(self.read(PLAN)) is None:
            raise InputError(
                f"{self._root}: contains files but no data set ({', '.join(other)}); name a new or empty folder"
            )
        return content

    def unlisted(self, known: Iterable[str]) -> list[str]:
        """See `Store`."""
        listed = {*known, MANIFEST}
        return [plain(name) for name in self._data_files() if name not in listed][:NAMED]

    def damaged(self, files: Mapping[str, str]) -> Iterator[str]:
        """See `Store`."""
        for name, sha256 in files.items():
            if hashlib.sha256(self.read(name) or b"").hexdigest() != sha256:
                yield name

    def begin(self, plan: bytes, least: int) -> None:
        """See `Store`; a finished data set is removed too, because it cannot be replaced atomically."""
        finished, before = self.read(MANIFEST), read_plan(self.read(PLAN))
        listed = read_manifest(finished).files if finished else {}
        known = FORMATS[before.format].names.fullmatch if before else listed.get
        there = [name for name in self._data_files() if name != MANIFEST]
        if other := [plain(name) for name in there if not (name in listed or known(name))]:
            raise InputError(f"{self._root}: contains unknown files ({', '.join(other[:NAMED])}); move them away")
        for name in [*[MANIFEST] * bool(finished), *there, *self._progress_files()]:  # dataset.json first
            self.remove(name)
        self.write(Piece(PLAN, plan))

    def resume(self) -> None:
        """See `Store`: only the owner writes."""

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes | None:
        """See `Store`; always the whole file."""
        try:
            content: bytes = self._call("cat_file", f"{self._root}/{name}")
        except FileNotFoundError:
            return None
        return content

    def write(self, piece: Piece) -> None:
        """See `Store`."""
        path = f"{self._root}/{piece.name}"
        self._call("makedirs", path.rpartition("/")[0], exist_ok=True)
        self._call("pipe_file", path, piece.content)

    def file(self, name: str) -> Path:
        """Not available: formats that need it are rejected."""
        raise NotImplementedError

    def names(self, folder: str) -> list[str]:
        """See `Store`."""
        try:
            paths = self._call("ls", f"{self._root}/{folder}", detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(path.rpartition("/")[2] for path in paths)

    def remove(self, name: str) -> None:
        """See `Store`."""
        self._call("rm_file", f"{self._root}/{name}")

    def publish(self, manifest: Iterable[bytes]) -> None:
        """See `Store`."""
        if not self._is_owner():
            raise OutputError(f"{self._root}: {_description(self._owner())} has taken it over; nothing was published")
        with tempfile.TemporaryDirectory(prefix="mnistgen-") as folder:  # the object must never be partial
            whole = Path(folder) / MANIFEST
            with whole.open("wb") as file:
                file.writelines(manifest)
            self._call("put_file", str(whole), f"{self._root}/{MANIFEST}")
        for name in self._progress_files():
            self.remove(name)

    def _acquire(self) -> None:
        """Become the owner, replacing one that has ended. Raises OutputError if another process is the owner."""
        for _ in range(2):
            try:
                self._call("makedirs", f"{self._root}/{PROGRESS}", exist_ok=True)
                self._call("pipe_file", f"{self._root}/{OWNER}", self._lease(), mode="create")
                return
            except FileExistsError:
                owner = self._owner()
                if not _has_ended(owner):
                    break
                self.remove(OWNER)
        raise OutputError(
            f"{self._root}: {_description(owner)} is writing to it; wait until it ends, or, if it was killed, "
            f"{LEASE:.0f} seconds"
        )

    def _renew(self, ended: threading.Event) -> None:
        while not ended.wait(RENEWAL):
            with suppress(OSError):
                if self._is_owner():
                    self.write(Piece(OWNER, self._lease()))

    def _lease(self) -> bytes:
        lease = {"pid": os.getpid(), "host": platform.node(), "token": self._token, "renewed": time.time()}
        return json.dumps(lease).encode()

    def _owner(self) -> dict[str, Any]:
        """The owner of the folder; empty if there is none or its file is invalid."""
        try:
            owner = json.loads(self.read(OWNER) or b"")
        except ValueError:
            return {}
        return owner if isinstance(owner, dict) else {}

    def _is_owner(self) -> bool:
        return self._owner().get("token") == self._token

    def _data_files(self) -> list[str]:
        """The names of all objects except those below PROGRESS."""
        try:
            paths = self._call("find", self._root)
        except FileNotFoundError:
            return []
        names = (path.removeprefix(f"{self._root}/") for path in paths)
        return [name for name in names if not name.startswith(f"{PROGRESS}/")]

    def _progress_files(self) -> list[str]:
        return [f"{PROGRESS}/{name}" for name in self.names(PROGRESS) if PROGRESS_FILES.fullmatch(name)]

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the file system. Any error is raised as OSError."""
        try:
            return getattr(self._files, method)(*arguments, **options)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - depends on the file system
            raise OSError(errno.EIO, _reason(error)) from None


def _has_ended(owner: dict[str, Any]) -> bool:
    """Whether the lease has expired, or the owner is a process on this machine that has ended."""
    pid, renewed = owner.get("pid"), owner.get("renewed")
    if not isinstance(pid, int) or not isinstance(renewed, float) or time.time() - renewed > LEASE:
        return True
    if owner.get("host") != platform.node() or WINDOWS:  # where os.kill(pid, 0) ends the process
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # a process of another user
        pass
    return False


def _description(owner: dict[str, Any]) -> str:
    return plain(f"process {owner.get('pid')} on {owner.get('host')}") if owner else "another process"


def _reason(error: Exception) -> str:
    return plain(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
