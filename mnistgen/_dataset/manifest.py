"""What dataset.json and plan.json say, checked: anybody may have written them, and by them files are removed."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from mnistgen._dataset.formats import FORMATS, format_named
from mnistgen._dataset.plan import BALANCES, LIMIT, Plan
from mnistgen._errors import InputError, shown
from mnistgen._latents import SEEDS

LARGEST = 1 << 30  # bytes of a dataset.json that is read
SHA256 = re.compile("[0-9a-f]{64}")

# What a plan must hold: by type, and whole numbers by their greatest value.
TEXTS = ("format", "balance", "model", "model_sha256", "version")
NUMBERS = {"n": LIMIT, "test": LIMIT, "start": LIMIT, "seed": SEEDS - 1, "latent_dim": 10**6, "task_size": 10**6}


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A finished data set."""

    plan: Plan
    counts: Mapping[str, list[int]]  # how many of each digit, (10,), by split
    files: Mapping[str, str]  # the SHA-256 of each, by name


def read_plan(content: bytes | None) -> Plan | None:
    """The plan of a plan.json; None where there is none, or none of ours."""
    try:
        return _plan(_object(content or b""))
    except InputError:
        return None


def read_manifest(content: bytes) -> Manifest:
    """The description of a data set. Raises InputError for all that write_dataset could not have written."""
    found = _object(content)
    plan = _plan(found)
    counts, files = found.get("counts"), found.get("files")
    sizes = {split: len(images) for split, images in plan.ranges().items()}
    if not isinstance(counts, dict) or {split: _total(some) for split, some in counts.items()} != sizes:
        raise InputError(f"counts: expected ten whole numbers for each of {', '.join(sizes)}, got {shown(counts)}")
    if not isinstance(files, dict) or not files:
        raise InputError(f"files: expected the SHA-256 of each file, got {shown(files)}")
    for name, sha256 in files.items():
        if not FORMATS[plan.format].names.fullmatch(name) or not SHA256.fullmatch(str(sha256)):
            raise InputError(f"files: expected names of the format {plan.format} and SHA-256, got {shown(name)}")
    return Manifest(plan=plan, counts=counts, files=files)


def written(plan: Plan, counts: Mapping[str, list[int]], files: Iterable[bytes]) -> Iterator[bytes]:
    """dataset.json in pieces, for there may be more files than memory holds; a line a field, a line a file."""
    yield b"{\n"
    for name, value in (plan.to_json() | {"counts": counts}).items():
        yield f"  {json.dumps(name)}: {json.dumps(value)},\n".encode()
    yield b'  "files": {\n'
    yield from files
    yield b"\n  }\n}\n"


def file_line(name: str, sha256: str) -> bytes:
    """A file's line in dataset.json."""
    return f"    {json.dumps(name)}: {json.dumps(sha256)}".encode()


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise InputError("expected the JSON that describes a data set, got something else") from None
    if not isinstance(found, dict):
        raise InputError(f"expected the description of a data set, got {type(found).__name__}")
    return found


def _plan(found: dict[str, Any]) -> Plan:
    for name in TEXTS:
        if not isinstance(found.get(name), str):
            raise InputError(f"{name}: expected text, got {shown(found.get(name))}; is it a dataset.json?")
    for name, highest in NUMBERS.items():
        value = found.get(name)
        if type(value) is not int or not 0 <= value <= highest:
            raise InputError(f"{name}: expected a whole number, 0 to {highest}, got {shown(value)}")
    digits = found.get("digits")
    if not isinstance(digits, list) or not digits or any(digit not in range(10) for digit in digits):
        raise InputError(f"digits: expected some of 0 to 9, got {shown(digits)}")
    if found["balance"] not in BALANCES or not found["task_size"] or not found["n"] + found["test"]:
        raise InputError("balance, task_size, n: expected those of a data set")
    format_named(found["format"])
    return Plan(**{item.name: found[item.name] for item in fields(Plan)} | {"digits": tuple(digits)})


def _total(counts: object) -> int:
    """The sum of ten counts; -1 for anything else."""
    whole = (
        isinstance(counts, list) and len(counts) == 10 and all(type(count) is int and count >= 0 for count in counts)
    )
    return sum(counts) if isinstance(counts, list) and whole else -1
