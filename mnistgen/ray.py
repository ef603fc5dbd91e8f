"""Digits on Ray: a distributed data set of any number of them, and the cluster that makes it.

    import mnistgen.ray

    digits = mnistgen.ray.digits(10_000_000, seed=1)  # ray.data.Dataset of image and label, nothing drawn yet
    digits.map_batches(...).write_parquet(...)

Needs the `ray` extra: pip install "mnistgen[ray]".
"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from mnistgen.catalog import DEFAULT_MODEL, find, portable
from mnistgen.checks import checked_seed
from mnistgen.dataset.plan import Plan, plan_of
from mnistgen.dataset.work import draw_task, generator_of
from mnistgen.errors import DeviceError

PART = 10_000  # digits that a worker draws in one go


def digits(
    n: SupportsIndex,
    *,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    digits: Sequence[SupportsIndex] = range(10),
    balance: str = "uniform",
    model: str | os.PathLike[str] = DEFAULT_MODEL,
) -> Any:
    """A `ray.data.Dataset` of n rows: image uint8 (28, 28), ink 255 on paper 0, and label int64, 0 to 9.

    They are the training images of `mnistgen.write_dataset` with the same arguments, in any order that Ray likes. Drawn
    only when they are read, in parts of 10,000, on whatever cluster `ray.init` has connected to.

    Raises InputError as `write_dataset` does, and DeviceError where Ray is not installed.
    """
    ray = import_ray()
    card = find(model).card
    asked: dict[str, Any] = {"n": n, "test": 0, "start": start, "digits": digits, "balance": balance}
    plan = plan_of(card, "ray", PART, seed=checked_seed(seed), **asked)
    parts = len(range(plan.start // PART, -(-(plan.start + plan.n) // PART)))
    return ray.data.range(parts).map_batches(partial(_draw, plan=plan, model=portable(model)), batch_size=1)


def _draw(batch: dict[str, NDArray[np.int64]], plan: Plan, model: str) -> dict[str, NDArray[Any]]:
    """The digits of one part, numbered from the first that the plan touches."""
    (number,) = batch["id"].tolist()
    images, labels = draw_task(generator_of(model, plan.model_sha256, os.getpid()), plan, plan.task(number))
    return {"image": images, "label": labels.astype(np.int64)}


@contextmanager
def cluster(address: str | None, workers: int | None) -> Iterator[int]:
    """The CPUs of the cluster at an address, or of the one in use, or of one of so many workers on this machine."""
    ray = import_ray()
    ours = not ray.is_initialized()
    if ours:
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
        if address is None and "RAY_ADDRESS" not in os.environ:
            quiet |= {"num_cpus": workers, "include_dashboard": False}
        handler = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address=address, **quiet)
            if callable(handler):  # Ray puts one of its own in its place, which ends with a dump
                signal.signal(signal.SIGTERM, handler)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise DeviceError(f"no Ray cluster at {address or 'this machine'}: {str(error).splitlines()[0]}") from None
    try:
        yield int(ray.cluster_resources().get("CPU", 1))
    finally:
        if ours:
            ray.shutdown()


def import_ray() -> Any:
    """The ray package, its usage statistics switched off unless the user set them. Raises DeviceError without it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return import_module("ray")
    except ImportError:
        raise DeviceError('ray: is not installed; pip install "mnistgen[ray]"') from None
