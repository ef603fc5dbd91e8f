"""Job: generate the digits of a task, write them, and return a record."""

import functools
import os
import platform
from dataclasses import dataclass

import numpy as np

from mnistgen._arrays import UInt8
from mnistgen._dataset.formats import FORMATS
from mnistgen._dataset.journal import Record, Written
from mnistgen._dataset.plan import BLOCK, SPLITS, Plan, Task
from mnistgen._dataset.store import Store
from mnistgen._errors import ModelError
from mnistgen._generator import Generator
from mnistgen._latents import draw


@dataclass(frozen=True)
class Job:
    """What all tasks of a data set share; it can be pickled to workers on other machines."""

    plan: Plan
    store: Store
    model: str  # a name or path that is valid for all workers

    def __call__(self, task: Task) -> Record:
        """Run a task. Repeating it writes the same bytes to the same files."""
        images, labels = draw_task(generator_of(self.model, self.plan.model_sha256, os.getpid()), self.plan, task)
        written = []
        for piece in FORMATS[self.plan.format].write(self.plan, task, images, labels):
            self.store.write(piece)
            written.append(Written.of(piece))
        return Record(task.number, np.bincount(labels, minlength=10).tolist(), written)


def draw_task(generator: Generator, plan: Plan, task: Task) -> tuple[UInt8, UInt8]:
    """Images uint8 (N, 28, 28) and labels uint8 (N,) of a task, generated in whole blocks and cut to its range."""
    images = np.empty((task.count, 28, 28), np.uint8)
    labels = np.empty(task.count, np.uint8)
    stop = task.first + task.count
    for block in range(task.first - task.first % BLOCK, stop, BLOCK):
        latents, drawn = draw(plan.seed, SPLITS[task.split] + block, BLOCK, plan.latent_dim, plan.weights)
        digits = generator.decode(latents, drawn)
        low, high = max(task.first, block), min(stop, block + BLOCK)
        images[low - task.first : high - task.first] = digits[low - block : high - block]
        labels[low - task.first : high - task.first] = drawn[low - block : high - block]
    return images, labels


@functools.lru_cache(maxsize=1)
def generator_of(model: str, sha256: str, process: int) -> Generator:
    """The generator of a plan, cached per process. Raises ModelError if the model on this machine is another.

    It has one thread: with several, sums may be computed in another order, which may change a pixel.
    """
    generator = Generator(model, device="cpu", threads=1)
    if generator.card.sha256 != sha256:
        raise ModelError(
            f"{model}: expected SHA-256 {sha256}, got {generator.card.sha256} on {platform.node()}; "
            "install the same version of mnistgen everywhere"
        )
    return generator
