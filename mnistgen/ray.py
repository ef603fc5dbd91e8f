"""A distributed data set of generated digits on Ray.

    digits = mnistgen.ray.digits(10_000_000, seed=1)  # ray.data.Dataset with columns image and label, evaluated lazily
    digits.map_batches(...).write_parquet(...)

Needs the `ray` extra: pip install "mnistgen[ray]".
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from mnistgen._catalog import DEFAULT_MODEL, find, portable
from mnistgen._checks import checked_seed
from mnistgen._dataset.cluster import import_ray
from mnistgen._dataset.plan import Plan, plan_of
from mnistgen._dataset.work import draw_task, generator_of
from mnistgen._keywords import suggesting_keywords

__all__ = ["digits"]

PART = 10_000  # digits that a worker generates at once


@suggesting_keywords
def digits(
    n: SupportsIndex,
    *,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    digits: Sequence[SupportsIndex] = range(10),
    balance: str = "uniform",
    model: str | os.PathLike[str] = DEFAULT_MODEL,
) -> Any:
    """Return a `ray.data.Dataset` of n rows: image uint8 (28, 28), ink 255, background 0, and label int64, 0 to 9.

    The rows are the training images of `mnistgen.write_dataset` with the same arguments, in any order. They are
    generated lazily, in parts of 10,000, on the cluster that `ray.init` has connected to.

    Raises InputError as `write_dataset` does, and DependencyError if Ray is not installed.
    """
    ray = import_ray()
    card = find(model).card
    plan = plan_of(card, "ray", PART, n=n, test=0, start=start, digits=digits, balance=balance, seed=checked_seed(seed))
    parts = len(range(plan.start // PART, -(-(plan.start + plan.n) // PART)))
    return ray.data.range(parts).map_batches(partial(_draw, plan=plan, model=portable(model)), batch_size=1)


def _draw(batch: dict[str, NDArray[np.int64]], plan: Plan, model: str) -> dict[str, NDArray[Any]]:
    """The digits of one part, numbered from the first part of the plan."""
    (number,) = batch["id"].tolist()
    drawn = draw_task(generator_of(model, plan.model_sha256, os.getpid()), plan, plan.task(number))
    return {"image": drawn.images, "label": drawn.labels.astype(np.int64)}
