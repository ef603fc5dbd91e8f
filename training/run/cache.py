"""What is computed once from real digits, kept in the user's cache folder; never trusted, and never needed."""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from numpy.typing import NDArray
from platformdirs import user_cache_path

from training.run import sealed

Arrays = dict[str, NDArray]  # type: ignore[type-arg]  # of several types


def cached(name: str, sources: Mapping[str, str | int], compute: Callable[[], Arrays]) -> Arrays:
    """The arrays that `compute` gives, from the cache where it holds them, made of the very same sources.

    `sources` are the checksums, and versions, of everything that the arrays depend on. A file that is damaged or tells
    of other sources is computed again, with a warning; so is everything where the folder cannot be written.
    """
    text = json.dumps(dict(sources), sort_keys=True)
    path = folder() / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.safetensors"
    try:
        tensors, found = sealed.read(path)
        if found == text:
            return {key: value.numpy() for key, value in tensors.items()}
        warnings.warn(f"{path}: made from other data; computing it again", stacklevel=2)
    except FileNotFoundError:
        pass
    except sealed.SealError as error:
        warnings.warn(f"{path}: {error}; computing it again", stacklevel=2)
    arrays = compute()
    try:
        sealed.write(path, {key: torch.from_numpy(value).contiguous() for key, value in arrays.items()}, text)
    except OSError as error:
        warnings.warn(f"{path}: cannot be written ({error.strerror}); next time it is computed again", stacklevel=2)
    return arrays


def folder() -> Path:
    """Where the cache is: $XDG_CACHE_HOME/mnistgen on Linux, and its like elsewhere."""
    return user_cache_path("mnistgen", appauthor=False)
