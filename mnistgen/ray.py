"""A distributed data set of generated digits on Ray, whose own writers write to any storage.

    digits = mnistgen.ray.digits(10_000_000, seed=1)  # ray.data.Dataset with columns image and label, evaluated lazily
    digits.write_parquet("s3://bucket/digits")

Needs the `ray` extra: pip install "mnistgen[ray]".
"""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Mapping
from importlib import import_module
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen._errors import DependencyError, ModelError
from mnistgen._generator import Generator
from mnistgen._model import DEFAULT_MODEL, card, portable
from mnistgen._request import Classes, Span
from mnistgen.dataset.plan import BLOCK, Plan, plan_of

__all__ = ["digits"]


def digits(
    n: SupportsIndex,
    *,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    digits: Classes | None = None,
    balance: str = "uniform",
    thickness: float | Span | None = None,
    slant: float | Span | None = None,
    width: float | Span | None = None,
    height: float | Span | None = None,
    style: ArrayLike | None = None,
    spread: float = 0.3,
    model: str | os.PathLike[str] = DEFAULT_MODEL,
) -> Any:
    """Return a `ray.data.Dataset` of n rows: index int64, image uint8 (28, 28), ink 255, and label int64.

    The rows are the training images of `mnistgen.write_dataset` with the same arguments, in any order, with columns for
    requested attributes. They are generated lazily, in blocks of 1,000, on the cluster that `ray.init` has connected
    to; else Ray starts one on this machine.

    Raises InputError as `write_dataset` does, and DependencyError if Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray_data = import_module("ray.data")
    except ImportError:
        raise DependencyError('ray: is not installed; pip install "mnistgen[ray]"') from None
    plan = plan_of(
        card(model),
        n=n,
        test=0,
        start=start,
        digits=digits,
        balance=balance,
        seed=seed,
        shard_size=BLOCK,
        attributes={"thickness": thickness, "slant": slant, "width": width, "height": height},
        style=style,
        spread=spread,
    )
    images = plan.ranges()["train"]
    first, stop = images.start // BLOCK, -(-images.stop // BLOCK)
    blocks = ray_data.range(stop - first)
    return blocks.map_batches(functools.partial(_drawn, plan=plan, first=first, model=portable(model)), batch_size=1)


def _drawn(batch: Mapping[str, NDArray[np.int64]], plan: Plan, first: int, model: str) -> dict[str, NDArray[Any]]:
    """The digits of one block, given by its number, counted from the first one of the plan."""
    images = plan.ranges()["train"]
    begin = (first + int(batch["id"][0])) * BLOCK
    part = range(max(begin, images.start), min(begin + BLOCK, images.stop))
    drawn = plan.draw(_generator(model, plan.request.card.sha256), "train", part)
    return {"index": np.array(part), "image": drawn.images, "label": drawn.labels.astype(np.int64), **drawn.attributes}


@functools.lru_cache(maxsize=1)
def _generator(model: str, sha256: str) -> Generator:
    """The generator of a plan, cached per process. Raises ModelError if the model on this machine is another."""
    generator = Generator(model, device="cpu", threads=1)
    if generator.card.sha256 != sha256:
        raise ModelError(
            f"{model}: expected SHA-256 {sha256}, got {generator.card.sha256} on {platform.node()}; "
            "install the same version of mnistgen everywhere"
        )
    return generator
