"""Store: the destination of a data set, a local folder (local.py) or an object store (remote.py).

Names of files are paths relative to the data set's folder. Files below PROGRESS record the state of an unfinished one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from mnistgen._dataset.plan import Piece

MANIFEST = "dataset.json"  # only a finished data set has it
PROGRESS = ".progress"
PLAN = f"{PROGRESS}/plan.json"
PROGRESS_FILES = re.compile(r"plan\.json|[0-9]{12,19}\.jsonl|[xy]_(train|test)\.npy")  # all files below PROGRESS


class Store(Protocol):
    """The destination of one data set. It can be pickled to workers on other machines."""

    local: bool  # files can be opened, and written at offsets
    flush_seconds: float  # minimum time between two journal files

    @property
    def scratch(self) -> Path | None:
        """A folder for temporary files, if the store has one."""
        ...

    def owned(self) -> AbstractContextManager[None]:
        """Lock the destination; a publication that was interrupted is completed first.

        Raises OutputError if the destination cannot be written, or if another process holds the lock.
        """
        ...

    def manifest(self) -> bytes | None:
        """The content of dataset.json if the destination contains a finished data set, else None.

        Raises InputError if the destination contains other files.
        """
        ...

    def unlisted(self, known: Iterable[str]) -> list[str]:
        """Some of the files at the destination that are neither `known` nor dataset.json."""
        ...

    def damaged(self, files: Mapping[str, str]) -> Iterator[str]:
        """Yield the files of the finished data set that are missing or have another SHA-256."""
        ...

    def begin(self, plan: bytes, least: int) -> None:
        """Start a data set with this plan, of at least `least` bytes; an unfinished one is removed.

        Raises InputError if the unfinished one contains unknown files, and OutputError if the disk is too small.
        """
        ...

    def resume(self) -> None:
        """Continue the unfinished data set; workers of earlier runs can no longer write to it."""
        ...

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes | None:
        """Read a file of the unfinished data set, or a part of it; None if it does not exist."""
        ...

    def write(self, piece: Piece) -> None:
        """Write a file, or a part of it; missing folders are created."""
        ...

    def file(self, name: str) -> Path:
        """The path of a file; only if `local`."""
        ...

    def names(self, folder: str) -> list[str]:
        """The sorted names of the files in a folder of the unfinished data set."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file."""
        ...

    def publish(self, manifest: Iterable[bytes]) -> None:
        """Add dataset.json and replace any earlier data set."""
        ...
