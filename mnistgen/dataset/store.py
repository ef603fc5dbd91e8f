"""Where the files of a data set go: a folder of this machine, or whatever fsspec reaches (S3, GCS, ...).

A local data set grows in a hidden folder beside its place, and takes it when it is finished. Object stores know no such
step: there shards come one by one, each whole, and dataset.json is the last file of all.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Protocol

from mnistgen.errors import InputError, OutputError

MANIFEST = "dataset.json"  # a place that holds it holds a finished data set
PROGRESS = ".progress"  # the folder of what is known of an unfinished one
DONE = ".done"  # what that folder is called once nothing is left to be done


class Store(Protocol):
    """The place of one data set. Picklable, so that workers anywhere can write."""

    @property
    def folder(self) -> Path | None:
        """Where files can be opened and written at any place; none on object stores."""
        ...

    def read(self, name: str) -> bytes | None:
        """A file of the data set that is being made, or None where there is none."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write such a file; folders come by themselves."""
        ...

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder of the data set that is being made, in no order."""
        ...

    def settle(self) -> None:
        """End what an earlier call was killed in the last steps of."""
        ...

    def check(self) -> None:
        """Raise InputError where a data set could not stand, or where something else stands."""
        ...

    def manifest(self) -> bytes | None:
        """The description of the finished data set at this place, if there is one."""
        ...

    def begin(self) -> None:
        """Make room for a new data set; what is left of an unfinished one goes."""
        ...

    def publish(self, manifest: Iterable[str]) -> None:
        """Give what was written the place's name, in place of any data set before it; pieces of JSON describe it."""
        ...


class LocalStore:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - without "..", but links stay what they are
        if not self.path.name:
            raise InputError(f"{path}: expected a folder that can be made, got the root of all")
        self.folder = self.path.with_name(f".{self.path.name}.partial")
        self._old = self.path.with_name(f".{self.path.name}.mnistgen-old")

    def read(self, name: str) -> bytes | None:
        """As `Store` says."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """As `Store` says."""
        path = self.folder / name
        try:
            path.write_bytes(content)
        except FileNotFoundError:
            if not self.folder.is_dir():  # somebody took it away, and with it what was done
                raise
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def names(self, folder: str) -> list[str]:
        """As `Store` says."""
        return [entry.name for entry in os.scandir(self.folder / folder)]

    def settle(self) -> None:
        """As `Store` says."""
        if (self.folder / MANIFEST).exists() and not (self.folder / PROGRESS).exists():
            self._take_place()
        shutil.rmtree(self._old, ignore_errors=True)

    def check(self) -> None:
        """As `Store` says."""
        if not self.path.parent.is_dir():
            raise OutputError(f"{self.path}: the folder {self.path.parent} does not exist; make it first")
        if not os.access(self.path.parent, os.W_OK):
            raise OutputError(f"{self.path}: no permission to write in {self.path.parent}")
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path}: is a file; name a folder")
        if self.path.is_dir() and any(self.path.iterdir()) and self.manifest() is None:
            raise InputError(f"{self.path}: holds other files than a data set; name a new or an empty folder")

    def manifest(self) -> bytes | None:
        """As `Store` says."""
        try:
            return (self.path / MANIFEST).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def begin(self) -> None:
        """As `Store` says."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder)
        self.folder.mkdir()

    def publish(self, manifest: Iterable[str]) -> None:
        """As `Store` says."""
        with (self.folder / MANIFEST).open("w", encoding="utf-8") as file:
            file.writelines(manifest)
        if hasattr(os, "sync"):
            os.sync()  # nothing is called finished before it is on the disk
        (self.folder / PROGRESS).replace(self.folder / DONE)  # in one step, from here on `settle` can end it
        self._take_place()

    def _take_place(self) -> None:
        shutil.rmtree(self.folder / DONE, ignore_errors=True)
        if self.path.exists():
            self.path.replace(self._old)
        self.folder.replace(self.path)
        shutil.rmtree(self._old, ignore_errors=True)


class RemoteStore:
    """A folder of a file system that fsspec knows, by its URL."""

    folder = None

    def __init__(self, url: str) -> None:
        try:
            # Without a cache of listings, which knows nothing of what other processes write.
            self._files, self._root = import_module("fsspec").core.url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            raise InputError(f"{url}: needs a package that is not installed ({error}); pip install it") from None
        except ValueError as error:
            raise InputError(f"{url}: {error}") from None

    def read(self, name: str) -> bytes | None:
        """As `Store` says."""
        try:
            content: bytes = self._files.cat_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """As `Store` says."""
        self._files.makedirs(f"{self._root}/{name}".rpartition("/")[0], exist_ok=True)
        self._files.pipe_file(f"{self._root}/{name}", content)

    def names(self, folder: str) -> list[str]:
        """As `Store` says."""
        return [path.rpartition("/")[2] for path in self._list(folder)]

    def settle(self) -> None:
        """Its last step is one step."""

    def check(self) -> None:
        """As `Store` says; object stores would make a bucket that is not there, perhaps of a name misspelt."""
        bucket = self._root.partition("/")[0]  # nothing where paths begin with a slash
        if bucket and not self._files.exists(bucket):
            raise InputError(f"{self._root}: there is no bucket {bucket}; create it, or name another")
        other = [path for path in self._list() if path.rpartition("/")[2] != PROGRESS]
        if other and self.manifest() is None and self.read(f"{PROGRESS}/plan.json") is None:
            raise InputError(f"{self._root}: holds other files than a data set; name a new or an empty folder")

    def manifest(self) -> bytes | None:
        """As `Store` says."""
        return self.read(MANIFEST)

    def begin(self) -> None:
        """As `Store` says."""
        for path in self._list():
            self._files.rm(path, recursive=True)

    def publish(self, manifest: Iterable[str]) -> None:
        """As `Store` says."""
        with tempfile.TemporaryDirectory(prefix="mnistgen-") as folder:  # a file left open halfway would become one
            whole = Path(folder) / MANIFEST
            with whole.open("w", encoding="utf-8") as file:
                file.writelines(manifest)
            self._files.put_file(str(whole), f"{self._root}/{MANIFEST}")
        self._files.rm(f"{self._root}/{PROGRESS}", recursive=True)

    def _list(self, folder: str = "") -> list[str]:
        try:
            names: list[str] = self._files.ls(f"{self._root}/{folder}".rstrip("/"), detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return names


def store_at(out: str | os.PathLike[str]) -> Store:
    """The store of a path, or of a URL such as s3://bucket/folder.

    Raises InputError where a URL names a file system that is not installed.
    """
    text = os.fspath(out)
    return RemoteStore(text) if "://" in text else LocalStore(Path(text))
