"""Job: generate the digits of a task, write them, and return a record."""

import functools
import os
import platform
from dataclasses import dataclass

import numpy as np

from mnistgen._arrays import Float32, Int64
from mnistgen._attributes import CONTROLLED, measure
from mnistgen._card import ModelCard
from mnistgen._checks import one_hot
from mnistgen._dataset.format import Digits, attribute_columns
from mnistgen._dataset.formats import FORMATS
from mnistgen._dataset.journal import Record, Written
from mnistgen._dataset.plan import BLOCK, SPLITS, Plan, Task
from mnistgen._dataset.store import Store
from mnistgen._editing import checked_attributes, requested, statistics
from mnistgen._errors import ModelError
from mnistgen._generator import Generator
from mnistgen._latents import around, draw


@dataclass(frozen=True)
class Job:
    """What all tasks of a data set share; it can be pickled to workers on other machines."""

    plan: Plan
    store: Store
    model: str  # a name or path that is valid for all workers

    def __call__(self, task: Task) -> Record:
        """Run a task. Repeating it writes the same bytes to the same files."""
        digits = draw_task(generator_of(self.model, self.plan.model_sha256, os.getpid()), self.plan, task)
        written = []
        for piece in FORMATS[self.plan.format].write(self.plan, task, digits):
            self.store.write(piece)
            written.append(Written.of(piece))
        return Record(task.number, np.bincount(digits.labels, minlength=10).tolist(), written)


def draw_task(generator: Generator, plan: Plan, task: Task) -> Digits:
    """The digits of a task, generated in whole blocks and cut to its range."""
    images = np.empty((task.count, 28, 28), np.uint8)
    labels = np.empty(task.count, np.uint8)
    attributes = {name: np.empty(task.count, np.float32) for name in attribute_columns(plan)}
    stop = task.first + task.count
    for block in range(task.first - task.first % BLOCK, stop, BLOCK):
        start = SPLITS[task.split] + block
        latents, drawn = draw(plan.seed, start, BLOCK, plan.latent_dim, plan.weights)
        requests = _requests(generator.card, plan, start, drawn)
        digits = generator.decode(around(plan.style, plan.spread, latents), drawn, **requests)
        low, high = max(task.first, block), min(stop, block + BLOCK)
        here, there = slice(low - task.first, high - task.first), slice(low - block, high - block)
        images[here], labels[here] = digits[there], drawn[there]
        for name, values in requests.items():
            attributes[f"requested_{name}"][here] = values[there]
    if plan.attributes:
        found = measure(images)._asdict()
        attributes |= {name: found[name] for name in plan.attributes}
    return Digits(images, labels, attributes)


def _requests(card: ModelCard, plan: Plan, start: int, labels: Int64) -> dict[str, Float32]:
    """Requested attributes, (N,) each, of the digits from index `start` on, as `Generator.sample` draws them."""
    if not plan.attributes:
        return {}
    wanted = checked_attributes(card, len(labels), plan.attributes)
    values = requested(statistics(card), wanted, one_hot(labels), seed=plan.seed, start=start, first=0)
    return {name: values[:, CONTROLLED.index(name)] for name in wanted}


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
