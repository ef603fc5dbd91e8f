"""Format: the interface of a data set format."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mnistgen._arrays import Float32, UInt8
from mnistgen._dataset.plan import Piece, Plan, Task
from mnistgen._dataset.store import Store

NUMBER = 12  # characters of a number in a CSV file


class Digits(NamedTuple):
    """The digits of a task."""

    images: UInt8  # (N, 28, 28)
    labels: UInt8  # (N,)
    attributes: Mapping[str, Float32]  # the columns of `attribute_columns`, (N,) each


def attribute_columns(plan: Plan) -> list[str]:
    """The names of the columns that hold attributes: those of the images as measured, then as requested."""
    return [*plan.attributes, *(f"requested_{name}" for name in plan.attributes)]


def csv_header(plan: Plan) -> bytes:
    """The first line of a table of attributes."""
    return ",".join(["index", "label", *attribute_columns(plan)]).encode() + b"\n"


def csv_rows(plan: Plan, task: Task, digits: Digits) -> bytes:
    """The lines of a task in a table of attributes; all lines of a split have `csv_width` bytes."""
    width = _index_width(plan, task.split)
    columns = [digits.attributes[name].tolist() for name in attribute_columns(plan)]
    rows = zip(range(task.first, task.first + task.count), digits.labels.tolist(), *columns, strict=True)
    lines = (
        f"{index:0{width}},{label}{''.join(f',{value:{NUMBER}.6f}' for value in values)}\n"
        for index, label, *values in rows
    )
    return "".join(lines).encode()


def csv_width(plan: Plan, split: str) -> int:
    """The number of bytes of a line in a table of attributes."""
    return _index_width(plan, split) + len(",0\n") + (1 + NUMBER) * len(attribute_columns(plan))


def _index_width(plan: Plan, split: str) -> int:
    return len(str(plan.ranges()[split].stop))


class Format:
    """Writes a data set task by task: in any order, in any process. A task may be repeated."""

    summary: str
    task_size = 10_000  # images per task, by default
    names: re.Pattern[str]  # of all files that such a data set can contain; others are never removed

    def check(self, plan: Plan, store: Store) -> None:
        """Raise InputError if plan or store do not fit the format, DependencyError if a package is missing."""

    def begin(self, plan: Plan, store: Store) -> None:
        """Called before the first task, and again when a data set is resumed."""

    def write(self, plan: Plan, task: Task, digits: Digits) -> Iterator[Piece]:
        """The digits of a task as files or parts of files."""
        raise NotImplementedError

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """Called after the last task, perhaps repeatedly: names and SHA-256 of files that no task wrote as a whole."""
        yield from ()
