"""RemoteStore: a folder of a file system that fsspec knows (S3, GCS, ...), by its URL.

Object stores can neither lock nor move folders. Their owner is an object that only one can create, and that is renewed
while its run lives; shards come one by one, each whole, and dataset.json is the last object of all.
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
from mnistgen._dataset.store import MANIFEST, NOTES, PLAN, PROGRESS
from mnistgen._errors import DependencyError, InputError, OutputError, plain
from mnistgen._files import WINDOWS

OWNER = f"{PROGRESS}/owner.json"
RENEWED = 60.0  # seconds between two signs of life
LEASE = 300.0  # seconds after which an owner without one has lost the place
NAMED = 3  # objects of somebody else that are named


class RemoteStore:
    """A folder of a file system that fsspec knows, by its URL."""

    local = False
    flush_seconds = 2.0
    scratch: Path | None = None

    def __init__(self, url: str) -> None:
        self._token = secrets.token_hex(8)
        try:
            # Without a cache of listings, which knows nothing of what other processes write.
            self._files, self._root = import_module("fsspec").core.url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            raise DependencyError(f"{url}: needs a package that is not installed ({error}); pip install it") from None
        except Exception as error:  # noqa: BLE001 - each file system has its own
            raise InputError(f"{url}: {_reason(error)}") from None
        if not str(self._root).strip("/"):
            raise InputError(f"{url}: expected a folder, such as {url.partition('://')[0]}://bucket/folder")

    @contextmanager
    def owned(self) -> Iterator[None]:
        """As `Store` says."""
        bucket = self._root.partition("/")[0]  # nothing where paths begin with a slash
        try:
            if bucket:
                self._do("ls", bucket)
        except FileNotFoundError:  # object stores would make it, perhaps of a name misspelt
            raise InputError(f"{self._root}: there is no bucket {bucket}; create it, or name another") from None
        self._take()
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
                    self._do("rmdir", f"{self._root}/{PROGRESS}")  # where folders are more than names

    def manifest(self) -> bytes | None:
        """As `Store` says."""
        content = self.read(MANIFEST)
        if content is None and (other := self.unlisted([])) and read_plan(self.read(PLAN)) is None:
            raise InputError(
                f"{self._root}: holds other files than a data set ({', '.join(other)}); name a new or an empty folder"
            )
        return content

    def unlisted(self, known: Iterable[str]) -> list[str]:
        """As `Store` says."""
        listed = {*known, MANIFEST}
        return [plain(name) for name in self._all() if name not in listed][:NAMED]

    def damaged(self, files: Mapping[str, str]) -> Iterator[str]:
        """As `Store` says."""
        for name, sha256 in files.items():
            if hashlib.sha256(self.read(name) or b"").hexdigest() != sha256:
                yield name

    def begin(self, plan: bytes, least: int) -> None:
        """As `Store` says; a finished data set is removed too, for nothing can take its place in one step."""
        finished, before = self.read(MANIFEST), read_plan(self.read(PLAN))
        listed = read_manifest(finished).files if finished else {}
        known = FORMATS[before.format].names.fullmatch if before else listed.get
        there = [name for name in self._all() if name != MANIFEST]
        if other := [plain(name) for name in there if not (name in listed or known(name))]:
            raise InputError(f"{self._root}: holds files of somebody else ({', '.join(other[:NAMED])}); move them away")
        for name in [*[MANIFEST] * bool(finished), *there, *self._notes()]:  # from now on it is no finished one
            self.remove(name)
        self.write(Piece(PLAN, plan))

    def resume(self) -> None:
        """As `Store` says: its owner is the only one that writes."""

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes | None:
        """As `Store` says; always whole."""
        try:
            content: bytes = self._do("cat_file", f"{self._root}/{name}")
        except FileNotFoundError:
            return None
        return content

    def write(self, piece: Piece) -> None:
        """As `Store` says."""
        path = f"{self._root}/{piece.name}"
        self._do("makedirs", path.rpartition("/")[0], exist_ok=True)
        self._do("pipe_file", path, piece.content)

    def file(self, name: str) -> Path:
        """None: formats that need one are refused."""
        raise NotImplementedError

    def names(self, folder: str) -> list[str]:
        """As `Store` says."""
        try:
            paths = self._do("ls", f"{self._root}/{folder}", detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(path.rpartition("/")[2] for path in paths)

    def remove(self, name: str) -> None:
        """As `Store` says."""
        self._do("rm_file", f"{self._root}/{name}")

    def publish(self, manifest: Iterable[bytes]) -> None:
        """As `Store` says."""
        if not self._is_owner():
            raise OutputError(f"{self._root}: {_described(self._owner())} has taken it over; nothing was published")
        with tempfile.TemporaryDirectory(prefix="mnistgen-") as folder:  # a file left open halfway would become one
            whole = Path(folder) / MANIFEST
            with whole.open("wb") as file:
                file.writelines(manifest)
            self._do("put_file", str(whole), f"{self._root}/{MANIFEST}")
        for name in self._notes():
            self.remove(name)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        """Become the owner, also in place of one that has ended. Raises OutputError where there is another."""
        for _ in range(2):
            try:
                self._do("makedirs", f"{self._root}/{PROGRESS}", exist_ok=True)
                self._do("pipe_file", f"{self._root}/{OWNER}", self._sign(), mode="create")
                return
            except FileExistsError:
                owner = self._owner()
                if not _has_ended(owner):
                    break
                self.remove(OWNER)
        raise OutputError(
            f"{self._root}: {_described(owner)} is writing it; wait until it has ended, or, if it was killed, "
            f"for {LEASE:.0f} seconds"
        )

    def _renew(self, ended: threading.Event) -> None:
        while not ended.wait(RENEWED):
            with suppress(OSError):
                if self._is_owner():
                    self.write(Piece(OWNER, self._sign()))

    def _sign(self) -> bytes:
        sign = {"pid": os.getpid(), "host": platform.node(), "token": self._token, "renewed": time.time()}
        return json.dumps(sign).encode()

    def _owner(self) -> dict[str, Any]:
        """Who owns the place; nothing where nobody does, or where it was somebody else's file."""
        try:
            owner = json.loads(self.read(OWNER) or b"")
        except ValueError:
            return {}
        return owner if isinstance(owner, dict) else {}

    def _is_owner(self) -> bool:
        return self._owner().get("token") == self._token

    def _all(self) -> list[str]:
        """The names of all data objects."""
        try:
            paths = self._do("find", self._root)
        except FileNotFoundError:
            return []
        names = (path.removeprefix(f"{self._root}/") for path in paths)
        return [name for name in names if not name.startswith(f"{PROGRESS}/")]

    def _notes(self) -> list[str]:
        return [f"{PROGRESS}/{name}" for name in self.names(PROGRESS) if NOTES.fullmatch(name)]

    def _do(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call the file system. Whatever it raises is an OSError."""
        try:
            return getattr(self._files, method)(*arguments, **options)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - each has its own
            raise OSError(errno.EIO, _reason(error)) from None


def _has_ended(owner: dict[str, Any]) -> bool:
    """Whether an owner was killed: here, or where nothing has been heard of it for a while."""
    pid, renewed = owner.get("pid"), owner.get("renewed")
    if not isinstance(pid, int) or not isinstance(renewed, float) or time.time() - renewed > LEASE:
        return True
    if owner.get("host") != platform.node() or WINDOWS:  # where signal 0 would not only ask
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _described(owner: dict[str, Any]) -> str:
    return plain(f"process {owner.get('pid')} on {owner.get('host')}") if owner else "another process"


def _reason(error: Exception) -> str:
    return plain(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
