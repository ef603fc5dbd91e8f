"""A cache, in the user's cache folder, of arrays computed from real digits. Verified on read; safe to delete."""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from numpy.typing import NDArray
from platformdirs import user_cache_path

from mnistgen._errors import OutputError
from training.run import sealed

Arrays = dict[str, NDArray]  # type: ignore[type-arg]  # of several types


def cached(name: str, sources: Mapping[str, str | int], compute: Callable[[], Arrays]) -> Arrays:
    """Return the result of `compute`, from the cache if it holds one for the same sources.

    `sources` are the checksums and versions of everything that the arrays depend on. Warns and computes again if the
    cached file is damaged or has other sources. Warns if the cache cannot be written.
    """
    text = json.dumps(dict(sources), sort_keys=True)
    path = folder() / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.safetensors"
    try:
        tensors, found = sealed.read(path)
        if found == text:
            return {key: value.numpy() for key, value in tensors.items()}
        warnings.warn(f"{path}: computed from other data; computing it again", stacklevel=2)
    except FileNotFoundError:
        pass
    except sealed.SealError as error:
        warnings.warn(f"{path}: {error}; computing it again", stacklevel=2)
    arrays = compute()
    try:
        sealed.write(path, {key: torch.from_numpy(value).contiguous() for key, value in arrays.items()}, text)
    except (OSError, OutputError) as error:
        warnings.warn(f"{error}; the result is not cached", stacklevel=2)
    return arrays


def folder() -> Path:
    """The cache folder: $XDG_CACHE_HOME/mnistgen on Linux, and the platform's equivalent elsewhere."""
    return user_cache_path("mnistgen", appauthor=False)
