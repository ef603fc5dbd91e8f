"""dataset.json and plan.json. They are untrusted, and decide which files are removed, so they are fully validated."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from mnistgen._attributes import CONTROLLED
from mnistgen._dataset.formats import FORMATS, format_named
from mnistgen._dataset.plan import BALANCES, LIMIT, Plan
from mnistgen._errors import InputError, shown
from mnistgen._latents import SEEDS

LARGEST = 1 << 30  # maximum bytes of a dataset.json
SHA256 = re.compile("[0-9a-f]{64}")

# Fields of a plan: texts, and whole numbers with their maximum.
TEXTS = ("format", "balance", "model", "model_sha256", "version")
NUMBERS = {"n": LIMIT, "test": LIMIT, "start": LIMIT, "seed": SEEDS - 1, "latent_dim": 10**6, "task_size": 10**6}


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The description of a finished data set."""

    plan: Plan
    counts: Mapping[str, list[int]]  # number of each digit, (10,), by split
    files: Mapping[str, str]  # name -> SHA-256


def read_plan(content: bytes | None) -> Plan | None:
    """Parse a plan.json; None if it is missing or invalid."""
    try:
        return _plan(_object(content or b""))
    except InputError:
        return None


def read_manifest(content: bytes) -> Manifest:
    """Parse a dataset.json. Raises InputError for anything that write_dataset could not have written."""
    found = _object(content)
    plan = _plan(found)
    counts, files = found.get("counts"), found.get("files")
    sizes = {split: len(images) for split, images in plan.ranges().items()}
    if not isinstance(counts, dict) or {split: _total(ten) for split, ten in counts.items()} != sizes:
        raise InputError(f"counts: expected 10 whole numbers for each of {', '.join(sizes)}, got {shown(counts)}")
    if not isinstance(files, dict) or not files:
        raise InputError(f"files: expected the SHA-256 of each file, got {shown(files)}")
    for name, sha256 in files.items():
        if not FORMATS[plan.format].names.fullmatch(name) or not SHA256.fullmatch(str(sha256)):
            raise InputError(f"files: expected names of the format {plan.format} and SHA-256, got {shown(name)}")
    return Manifest(plan=plan, counts=counts, files=files)


def manifest_bytes(plan: Plan, counts: Mapping[str, list[int]], files: Iterable[bytes]) -> Iterator[bytes]:
    """Yield dataset.json in parts, because the list of files may not fit in memory: one line per field and per file."""
    yield b"{\n"
    for name, value in (plan.to_json() | {"counts": counts}).items():
        yield f"  {json.dumps(name)}: {json.dumps(value)},\n".encode()
    yield b'  "files": {\n'
    yield from files
    yield b"\n  }\n}\n"


def file_line(name: str, sha256: str) -> bytes:
    """The line of a file in dataset.json."""
    return f"    {json.dumps(name)}: {json.dumps(sha256)}".encode()


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise InputError("expected the JSON of a data set, got something else") from None
    if not isinstance(found, dict):
        raise InputError(f"expected a JSON object, got {type(found).__name__}")
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
        raise InputError("balance, task_size, n, test: expected those of a data set")
    format_named(found["format"])
    attributes = found.get("attributes")
    if not isinstance(attributes, dict) or not all(map(_is_range, attributes.items())):
        raise InputError(f"attributes: expected ranges of {', '.join(CONTROLLED)}, got {shown(attributes)}")
    style = found.get("style")
    if style is not None and not _are_floats(style, found["latent_dim"]):
        raise InputError(f"style: expected latents ({found['latent_dim']},) or none, got {shown(style)}")
    if not _are_floats([found.get("spread")], 1):
        raise InputError(f"spread: expected a number, got {shown(found.get('spread'))}")
    spans = {name: tuple(span) for name, span in attributes.items()}
    style = None if style is None else tuple(style)
    found = found | {"digits": tuple(digits), "attributes": spans, "style": style}
    return Plan(**{item.name: found[item.name] for item in fields(Plan)})


def _is_range(item: tuple[str, Any]) -> bool:
    name, span = item
    return name in CONTROLLED and _are_floats(span, 2)


def _are_floats(values: object, count: int) -> bool:
    return isinstance(values, list) and len(values) == count and all(type(value) is float for value in values)


def _total(counts: object) -> int:
    """The sum of ten counts; -1 for anything else."""
    if not isinstance(counts, list) or len(counts) != 10 or not all(type(one) is int and one >= 0 for one in counts):
        return -1
    return sum(counts)
