"""Sealed files: tensors with their checksum, and a text beside them; written whole, and read whole or refused."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from mnistgen._errors import MnistgenError, plain
from mnistgen._files import read_file, whole_file

LIMIT = 2**32  # bytes of a file that is read


class SealError(MnistgenError):
    """A file that is cut off, changed, or was never sealed."""


def write(path: Path, tensors: Mapping[str, Tensor], text: str) -> None:
    """Write tensors, on the CPU and contiguous, and text into one file, making its folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(save(dict(tensors), {"mnistgen": text, "sha256": _digest(tensors, text)}))


def read(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors and the text of a file. Raises FileNotFoundError, and SealError for anything but a whole one."""
    try:
        content = read_file(path, LIMIT)  # at once and not mapped, so that what is checked is what is used
        tensors = load(content)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(*error.args) from None
    except OSError as error:
        raise SealError(f"cannot be read ({error.strerror})") from None
    except (SafetensorError, LookupError, RuntimeError, ValueError) as error:  # types that torch lacks, and the like
        raise SealError(f"not a whole safetensors file ({plain(str(error))})") from None
    metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__") or {}
    if not {"mnistgen", "sha256"} <= metadata.keys():
        raise SealError("not a checkpoint or cache of mnistgen")
    text: str = metadata["mnistgen"]
    if metadata["sha256"] != _digest(tensors, text):
        raise SealError("tensors and header are not those that were written (SHA-256 differs)")
    return tensors, text


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """SHA-256 over names, types, shapes and values, and over the text."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    digest.update(text.encode())
    return digest.hexdigest()
