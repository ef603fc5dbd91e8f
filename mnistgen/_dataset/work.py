"""One task: draw its digits, write them, and say what was done."""

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
    """What all tasks of a data set share; picklable, so that they can be done anywhere."""

    plan: Plan
    store: Store
    model: str  # a name or a path that all workers know

    def __call__(self, task: Task) -> Record:
        """Do a task. Again is as good as once: the same bytes go to the same places."""
        images, labels = draw_task(generator_of(self.model, self.plan.model_sha256, os.getpid()), self.plan, task)
        written = []
        for piece in FORMATS[self.plan.format].write(self.plan, task, images, labels):
            self.store.write(piece)
            written.append(Written.of(piece))
        return Record(task.number, np.bincount(labels, minlength=10).tolist(), written)


def draw_task(generator: Generator, plan: Plan, task: Task) -> tuple[UInt8, UInt8]:
    """Images uint8 (N, 28, 28) and labels uint8 (N,) of a task, drawn in whole blocks, whatever it cuts off of them."""
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
