"""FORMATS: what a data set can be written as, one row each."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from mnistgen.dataset.arrays import Idx, Npz, UInt8
from mnistgen.dataset.plan import Plan, Task
from mnistgen.dataset.shards import HuggingFace, Parquet, Png, WebDataset
from mnistgen.dataset.store import Store
from mnistgen.errors import InputError


class Format(Protocol):
    """Writes the parts of a data set, in any order, in any process, each as often as need be."""

    summary: str
    task_size: int  # images a task, by default

    def check(self, plan: Plan, store: Store) -> None:
        """Raise InputError where the format cannot hold the data set, or the store not the format."""
        ...

    def begin(self, plan: Plan, store: Store) -> None:
        """What comes before all tasks, once."""
        ...

    def write(self, plan: Plan, store: Store, task: Task, images: UInt8, labels: UInt8) -> Iterator[tuple[str, bytes]]:
        """Write a task's images (N, 28, 28) and labels (N,); names and bytes of the files that are whole with it."""
        ...

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """What comes after all tasks, as often as need be; names and SHA-256 of the files that no task completed."""
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
    if name not in FORMATS:
        raise InputError(f"format: expected one of {', '.join(FORMATS)}, got {name!r}")
    return FORMATS[name]
