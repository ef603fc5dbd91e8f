"""Sealed files: tensors with their checksum, and a text beside them; written whole, and read whole or refused."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from mnistgen.files import whole_file


class SealError(Exception):
    """A file that is cut off, changed, or was never sealed."""


def write(path: Path, tensors: Mapping[str, Tensor], text: str) -> None:
    """Write tensors, on the CPU and contiguous, and text into one file, making its folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(save(dict(tensors), {"mnistgen": text, "sha256": _digest(tensors)}))


def read(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors and the text of a file. Raises FileNotFoundError, and SealError for anything but a whole one."""
    try:
        content = path.read_bytes()  # at once and not mapped, so that what is checked is what is used
        tensors = load(content)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(*error.args) from None
    except (SafetensorError, OSError) as error:
        raise SealError(f"not a whole safetensors file ({error})") from None
    metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
    try:
        text, digest = metadata["mnistgen"], metadata["sha256"]
    except KeyError:
        raise SealError("not a checkpoint or cache of mnistgen") from None
    if _digest(tensors) != digest:
        raise SealError("the tensors are not those that were written (SHA-256 differs)")
    return tensors, text


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
