"""FORMATS: what a data set can be written as, one row each."""

import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from mnistgen._arrays import UInt8
from mnistgen._checks import one_of
from mnistgen._dataset.arrays import Idx, Npz
from mnistgen._dataset.plan import Piece, Plan, Task
from mnistgen._dataset.shards import HuggingFace, Parquet, Png, WebDataset
from mnistgen._dataset.store import Store


class Format(Protocol):
    """Makes the parts of a data set, in any order, in any process, each as often as need be."""

    summary: str
    task_size: int  # images a task, by default
    names: re.Pattern[str]  # of every file that such a data set can hold: no other one is ever removed

    def check(self, plan: Plan, store: Store) -> None:
        """Raise InputError where the format cannot hold the data set, or the store not the format."""
        ...

    def begin(self, plan: Plan, store: Store) -> None:
        """What comes before all tasks; again where a data set is resumed."""
        ...

    def write(self, plan: Plan, task: Task, images: UInt8, labels: UInt8) -> Iterator[Piece]:
        """What a task's images (N, 28, 28) and labels (N,) are in the files."""
        ...

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """What comes after all tasks, as often as need be; names and SHA-256 of the files that no task made whole."""
        ...


FORMATS: Mapping[str, Format] = {
    "idx": Idx(),
    "npz": Npz(),
    "png": Png(),
    "parquet": Parquet(),
    "webdataset": WebDataset(),
    "hf": HuggingFace(),
}


def format_named(name: str) -> Format:
    """The format of this name. Raises InputError where there is none."""
    return FORMATS[one_of("format", name, FORMATS)]
