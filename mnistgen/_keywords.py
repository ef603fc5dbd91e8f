"""Misspelt keywords: a TypeError that names the function that was called and the nearest parameter."""

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def suggesting_keywords(function: Callable[P, T]) -> Callable[P, T]:
    """The function, whose TypeError for an unknown keyword says which one was probably meant."""
    known = list(inspect.signature(function).parameters)
    title = function.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def call(*args: P.args, **keywords: P.kwargs) -> T:
        for name in keywords:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                raise TypeError(f"{title}() got an unexpected keyword argument {name!r}; {hint}")
        return function(*args, **keywords)

    return call
