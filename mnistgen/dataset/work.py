"""One task: draw its digits, write them, and leave a record of what was done."""

import functools
import hashlib
import itertools
import json
import os
import platform
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnistgen.dataset.formats import FORMATS
from mnistgen.dataset.plan import BLOCK, SPLITS, Plan, Task
from mnistgen.dataset.store import PROGRESS, Store
from mnistgen.errors import ModelError
from mnistgen.generator import Generator
from mnistgen.latents import draw_labels

UInt8 = NDArray[np.uint8]
READERS = 32  # at once: object stores take their time, but serve many
READ_AT_ONCE = 1000  # records that are in memory


class Record(NamedTuple):
    """What a task did, left by its worker beside the data: a task without one was not done."""

    number: int
    split: str
    counts: list[int]  # (10,): how many of each digit
    files: dict[str, str]  # the SHA-256 of those that are whole with it, by name


def record_name(number: int) -> str:
    """The file of a task's record."""
    return f"{PROGRESS}/{number:012}.json"


def read_records(store: Store, numbers: Iterable[int]) -> Iterator[Record | None]:
    """Records in the order of the numbers; none where there is none, or where its writer was killed."""
    waiting = iter(numbers)
    with ThreadPoolExecutor(READERS) as pool:
        while some := list(itertools.islice(waiting, READ_AT_ONCE)):
            yield from pool.map(functools.partial(_read_record, store), some)


def _read_record(store: Store, number: int) -> Record | None:
    try:
        return Record(**json.loads(store.read(record_name(number)) or b""))
    except ValueError:
        return None


@dataclass(frozen=True)
class Job:
    """What all tasks of a data set share; picklable, so that they can be done anywhere."""

    plan: Plan
    store: Store
    model: str  # a name or a path that all workers know

    def __call__(self, task: Task) -> Record:
        """Do a task. Again is as good as once: the same bytes go to the same places."""
        images, labels = draw_task(generator_of(self.model, self.plan.model_sha256, os.getpid()), self.plan, task)
        files = {}
        for name, content in FORMATS[self.plan.format].write(self.plan, self.store, task, images, labels):
            self.store.write(name, content)
            files[name] = hashlib.sha256(content).hexdigest()
        record = Record(task.number, task.split, np.bincount(labels, minlength=10).tolist(), files)
        self.store.write(record_name(task.number), json.dumps(record._asdict()).encode())
        return record


def draw_task(generator: Generator, plan: Plan, task: Task) -> tuple[UInt8, UInt8]:
    """Images uint8 (N, 28, 28) and labels uint8 (N,) of a task, drawn in whole blocks, whatever it cuts off of them."""
    images = np.empty((task.count, 28, 28), np.uint8)
    labels = np.empty(task.count, np.uint8)
    stop = task.first + task.count
    for block in range(task.first - task.first % BLOCK, stop, BLOCK):
        start = SPLITS[task.split] + block
        drawn = draw_labels(plan.seed, start, BLOCK, plan.latent_dim, plan.weights)
        digits = generator.sample(labels=drawn, seed=plan.seed, start=start)
        low, high = max(task.first, block), min(stop, block + BLOCK)
        images[low - task.first : high - task.first] = digits[low - block : high - block]
        labels[low - task.first : high - task.first] = drawn[low - block : high - block]
    return images, labels


@functools.lru_cache(maxsize=1)
def generator_of(model: str, sha256: str, process: int) -> Generator:
    """The model of a plan, one for each process. Raises ModelError where this machine has another of the same name.

    It has one thread: several could add up in another order, and with it change a pixel. Workers are many instead.
    """
    generator = Generator(model, device="cpu", threads=1)
    if generator.card.sha256 != sha256:
        raise ModelError(
            f"{model}: expected SHA-256 {sha256}, got {generator.card.sha256} on {platform.node()}; "
            "install the same version of mnistgen everywhere"
        )
    return generator
