"""Format: the interface of a data set format."""

import re
from collections.abc import Iterator

from mnistgen._arrays import UInt8
from mnistgen._dataset.plan import Piece, Plan, Task
from mnistgen._dataset.store import Store


class Format:
    """Writes a data set task by task: in any order, in any process. A task may be repeated."""

    summary: str
    task_size = 10_000  # images per task, by default
    names: re.Pattern[str]  # of all files that such a data set can contain; others are never removed

    def check(self, plan: Plan, store: Store) -> None:
        """Raise InputError if plan or store do not fit the format, DependencyError if a package is missing."""

    def begin(self, plan: Plan, store: Store) -> None:
        """Called before the first task, and again when a data set is resumed."""

    def write(self, plan: Plan, task: Task, images: UInt8, labels: UInt8) -> Iterator[Piece]:
        """The images (N, 28, 28) and labels (N,) of a task as files or parts of files."""
        raise NotImplementedError

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """Called after the last task, perhaps repeatedly: names and SHA-256 of files that no task wrote as a whole."""
        yield from ()
