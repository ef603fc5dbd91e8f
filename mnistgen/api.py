"""The functional shortcut: `generate` wraps one Generator a model, and nothing more."""

import functools
import os
from typing import Literal, SupportsIndex, overload

from mnistgen.catalog import DEFAULT_MODEL
from mnistgen.generator import Generator, Labelled, UInt8


@overload
def generate(
    n: SupportsIndex = 1,
    *,
    digit: SupportsIndex | None = None,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    return_labels: Literal[False] = False,
) -> UInt8: ...


@overload
def generate(
    n: SupportsIndex = 1,
    *,
    digit: SupportsIndex | None = None,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    return_labels: Literal[True],
) -> Labelled: ...


def generate(
    n: SupportsIndex = 1,
    *,
    digit: SupportsIndex | None = None,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    return_labels: bool = False,
) -> UInt8 | Labelled:
    """N handwritten digits, uint8 (n, 28, 28), ink 255, paper 0: `Generator(model).sample`, which says the rest.

    The generator of each model stays open for the next call.
    """
    generator = _generator(os.fspath(model))
    return generator.sample(n, digit=digit, seed=seed, start=start, return_labels=return_labels)  # type: ignore[call-overload, no-any-return]


@functools.lru_cache(maxsize=4)
def _generator(model: str) -> Generator:
    return Generator(model)
