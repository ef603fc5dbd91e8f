"""Sealed files: safetensors files with a text and a SHA-256 of everything in their metadata. Written atomically."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from mnistgen._errors import MnistgenError, plain
from mnistgen._files import whole_file
from training.files import read_file

LIMIT = 2**32  # maximum size in bytes of files to read


class SealError(MnistgenError):
    """A file that is truncated, modified, or not a sealed file."""


def write(path: Path, tensors: Mapping[str, Tensor], text: str) -> None:
    """Write contiguous CPU tensors and a text into one file. Creates its folder if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(save(dict(tensors), {"mnistgen": text, "sha256": _digest(tensors, text)}))


def read(path: Path) -> tuple[dict[str, Tensor], str]:
    """Read and verify the tensors and the text of a file. Raises FileNotFoundError, and SealError if it is invalid."""
    try:
        content = read_file(path, LIMIT)  # not memory-mapped: a mapped file could change after the check
        tensors = load(content)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(*error.args) from None
    except OSError as error:
        raise SealError(f"cannot be read ({error.strerror})") from None
    except (SafetensorError, LookupError, RuntimeError, ValueError) as error:  # such as unsupported dtypes
        raise SealError(f"not a valid safetensors file ({plain(str(error))})") from None
    metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__") or {}
    if not {"mnistgen", "sha256"} <= metadata.keys():
        raise SealError("not a checkpoint or cache of mnistgen")
    text: str = metadata["mnistgen"]
    if metadata["sha256"] != _digest(tensors, text):
        raise SealError("tensors or header were modified (SHA-256 differs)")
    return tensors, text


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """The SHA-256 of the tensors' names, dtypes, shapes and values and of the text."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    digest.update(text.encode())
    return digest.hexdigest()
