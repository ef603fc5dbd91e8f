"""Suggestions for misspelt keyword arguments."""

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def suggesting_keywords(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function: its TypeError for an unknown keyword suggests the nearest parameter."""
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
