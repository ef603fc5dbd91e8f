"""A data set made again from its description, and compared file by file."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mnistgen.dataset.build import write_dataset
from mnistgen.dataset.store import MANIFEST
from mnistgen.errors import InputError, OutputError
from mnistgen.generator import Generator

# What a description must hold, by type; write_dataset checks the values.
FIELDS: Mapping[str, type] = {
    **dict.fromkeys(("format", "balance", "model", "model_sha256", "version"), str),
    **dict.fromkeys(("n", "test", "start", "seed", "task_size"), int),
    "digits": list,
    "files": dict,
}
NAMED = 3  # files that differ and are named


def make_again(path: Path, out: Path | None, open_model: Callable[[str, str, str], Generator]) -> tuple[bool, str]:
    """Whether every file beside dataset.json is what its arguments make, and that in one line.

    What is made again goes to `out`, or into a folder beside the data set that is taken away afterwards: there must be
    room for it. Raises InputError for a description that is none, and as `write_dataset` does.
    """
    described = read_description(path)
    generator = open_model(described["model"], described["model_sha256"], described["version"])
    arguments: dict[str, Any] = {name: described[name] for name in ("n", "test", "start", "digits", "balance", "seed")}
    with ExitStack() as stack:
        target = out or stack.enter_context(_folder_beside(path)) / "data"
        write_dataset(
            target,
            format=described["format"],
            model=generator.model,
            shard_size=described["task_size"],
            workers=generator.threads,
            **arguments,
        )
        made = json.loads((target / MANIFEST).read_bytes())["files"]
    other = [name for name, sha256 in made.items() if _sha256(path.parent / name) != sha256]
    written = "" if out is None else f"; written to {out}"
    origin = f"{path}: made again from {described['model']}, seed {described['seed']}"
    if not other:
        return True, f"{origin}: every byte of {len(made):,} file{'s' * (len(made) > 1)} is equal{written}"
    names = ", ".join(other[:NAMED]) + ", ..." * (len(other) > NAMED)
    return False, f"{origin}: {len(other):,} of {len(made):,} files differ or are missing: {names}{written}"


def read_description(path: Path) -> dict[str, Any]:
    """The fields of a dataset.json. Raises InputError for anything else."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: expected the JSON that describes a data set, got something else") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected the description of a data set, got {type(content).__name__}")
    for name, kind in FIELDS.items():
        value = content.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InputError(f"{path}: {name}: expected {kind.__name__}, got {value!r:.100}; is it a dataset.json?")
    return content


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """A fresh folder beside a data set, on its disk, that is taken away again."""
    place = path.absolute().parent.parent
    try:
        folder = tempfile.TemporaryDirectory(prefix=".mnistgen-again-", dir=place, ignore_cleanup_errors=True)
    except OSError as error:
        raise OutputError(f"{place}: cannot be written ({error.strerror}); say where with --out") from None
    with folder as name:
        yield Path(name)


def _sha256(path: Path) -> str | None:
    """Of a file; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
