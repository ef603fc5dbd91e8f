"""Store: what the place of a data set offers. A folder of this machine (local.py), or an object store (remote.py).

Files are named by their paths below the data set's folder. Those below PROGRESS say how far an unfinished one is.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from mnistgen._dataset.plan import Piece

MANIFEST = "dataset.json"  # a place that holds it holds a finished data set
PROGRESS = ".progress"
PLAN = f"{PROGRESS}/plan.json"
NOTES = re.compile(r"plan\.json|[0-9]{12,19}\.jsonl|[xy]_(train|test)\.npy")  # all that is below PROGRESS


class Store(Protocol):
    """The place of one data set. Picklable, so that workers anywhere can write."""

    local: bool  # files can be opened, and written at any place
    flush_seconds: float  # between two notes of what is done: each is a file

    @property
    def scratch(self) -> Path | None:
        """Where temporary files may lie."""
        ...

    def owned(self) -> AbstractContextManager[None]:
        """Be the place's only owner; what an earlier one was killed in the last steps of is ended first.

        Raises OutputError where nothing can be written, or another process is the owner, saying who.
        """
        ...

    def manifest(self) -> bytes | None:
        """The description of the finished data set at this place, if there is one.

        Raises InputError where something else is there.
        """
        ...

    def unlisted(self, known: Iterable[str]) -> list[str]:
        """Some of the files at this place that are none of these, nor the description."""
        ...

    def damaged(self, files: Mapping[str, str]) -> Iterator[str]:
        """Which files of the finished data set are missing or do not have these SHA-256."""
        ...

    def begin(self, plan: bytes, least: int) -> None:
        """Make room for a data set of this plan and so many bytes at least; an unfinished one is removed.

        Raises InputError where that holds files of somebody else, OutputError where the disk is too small.
        """
        ...

    def resume(self) -> None:
        """Go on with the unfinished data set; whoever still writes to it writes in vain."""
        ...

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes | None:
        """A file of the data set that is being made, or a part of it; None where there is none."""
        ...

    def write(self, piece: Piece) -> None:
        """Write such a file, or a part of it; folders come by themselves."""
        ...

    def file(self, name: str) -> Path:
        """The path of such a file, where `local`."""
        ...

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder of the data set that is being made, sorted."""
        ...

    def remove(self, name: str) -> None:
        """Remove such a file."""
        ...

    def publish(self, manifest: Iterable[bytes]) -> None:
        """Give what was written the place's name, in place of any data set before it; JSON in pieces describes it."""
        ...
