"""The functional shortcuts: they wrap one Generator a model, and nothing more."""

import functools
import os
from typing import Literal, SupportsIndex, Unpack, overload

from mnistgen.catalog import DEFAULT_MODEL, named
from mnistgen.checks import Asked
from mnistgen.generator import Generator, Labelled, UInt8


@overload
def generate(
    n: SupportsIndex | None = None,
    *,
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    return_labels: Literal[False] = False,
    **asked: Unpack[Asked],
) -> UInt8: ...


@overload
def generate(
    n: SupportsIndex | None = None,
    *,
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    return_labels: Literal[True],
    **asked: Unpack[Asked],
) -> Labelled: ...


def generate(
    n: SupportsIndex | None = None,
    *,
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    return_labels: bool = False,
    **asked: Unpack[Asked],
) -> UInt8 | Labelled:
    """N handwritten digits, uint8 (n, 28, 28), ink 255, paper 0: `Generator(model).sample`, which says the rest.

    It takes digit, labels, seed, start and truncation too. The generator of each model stays open for the next call.
    """
    return _generator(named(model)).sample(n, return_labels=return_labels, **asked)  # type: ignore[call-overload, no-any-return]


def write(
    text: str,
    *,
    seed: SupportsIndex | None = None,
    truncation: float = 1.0,
    model: str | os.PathLike[str] = DEFAULT_MODEL,
) -> UInt8:
    """A number in one hand, uint8 (28, 28 N), ink 255, paper 0: `Generator(model).write`, which says the rest."""
    return _generator(named(model)).write(text, seed=seed, truncation=truncation)


@functools.lru_cache(maxsize=4)
def _generator(model: str) -> Generator:
    return Generator(model)
