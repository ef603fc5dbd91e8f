"""ModelCard: the metadata of a model, in card.json and in the ONNX file."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from html import escape
from pathlib import Path
from typing import Any

from mnistgen._errors import ModelError, plain, shown
from mnistgen._files import read_file, whole_file

SCHEMA = 1
FILE_NAME = "card.json"
LARGEST = 2**20  # bytes
DEEPEST = 20  # levels of nesting


@dataclass(frozen=True, kw_only=True, repr=False)
class ModelCard:
    """The metadata of a model, written by export and evaluation."""

    schema: int = SCHEMA
    name: str
    summary: str
    conditional: bool  # class-conditional: takes classes as well as latents
    latent_dim: int
    prior: str  # of the latents
    preset: dict[str, Any]  # every hyperparameter
    data: dict[str, Any]  # training data and its checksum
    steps: int  # of training, in all stages
    seed: int  # of the training run
    parameters: int
    multiply_adds: int  # for one image
    licence: str
    sha256: str  # of model.onnx
    versions: dict[str, str]  # of the libraries that exported it
    parity: dict[str, Any] | None = None  # allowed and measured differences from PyTorch's pixels
    attributes: dict[str, Any] | None = None  # of attributes.onnx: SHA-256, ranges by class, R² of the prediction
    encoder: dict[str, Any] | None = None  # of encoder.onnx: SHA-256, size, difference from PyTorch's latents
    quality: dict[str, Any] | None = None  # measured figures; None before evaluation

    def __repr__(self) -> str:
        return f"ModelCard({self.name!r}: {plain(self.summary)}; {self.parameters:,} parameters)"

    def _repr_html_(self) -> str:
        """A short table for notebooks."""
        figures = (self.quality or {}).get("figures")
        rows = {name.replace("_", " "): getattr(self, name) for name in ("summary", "parameters", "licence", "sha256")}
        if isinstance(figures, dict):  # untrusted cards may contain anything
            measured = {key: value for key, value in figures.items() if isinstance(value, dict) and "mean" in value}
            rows |= {key.replace("_", " "): value["mean"] for key, value in measured.items()}
        return html_table(["model", self.name], rows.items())

    def to_dict(self) -> dict[str, Any]:
        """Return the card as JSON types."""
        return asdict(self)

    def write(self, directory: Path) -> None:
        """Write card.json into a directory atomically."""
        with whole_file(directory / FILE_NAME) as file:
            file.write(json.dumps(self.to_dict(), indent=2).encode() + b"\n")


def html_table(head: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    """An HTML table with formatted numbers and escaped text."""

    def row(tag: str, cells: Iterable[Any]) -> str:
        texts = (f"{c:,}" if isinstance(c, int) else f"{c:.4g}" if isinstance(c, float) else str(c) for c in cells)
        return f"<tr>{''.join(f'<{tag}>{escape(text)}</{tag}>' for text in texts)}</tr>"

    return f"<table>{row('th', head)}{''.join(row('td', cells) for cells in rows)}</table>"


def read_card(directory: Path) -> ModelCard:
    """The card of a model directory. Raises ModelError that names the file and the problem."""
    path = directory / FILE_NAME
    try:
        content = json.loads(read_file(path, LARGEST))
    except FileNotFoundError:
        raise ModelError(f"{path}: not found; a model directory holds model.onnx and card.json") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read as JSON ({plain(str(error))})") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path}: expected a JSON object, got {type(content).__name__}")
    if content.get("schema") != SCHEMA:
        raise ModelError(
            f"{path}: expected schema {SCHEMA}, got {shown(content.get('schema'))}; export the model again"
        )
    _check_fields(path, content)
    return ModelCard(**content)


def _check_fields(path: Path, content: dict[str, Any]) -> None:
    required = {item.name for item in fields(ModelCard) if item.default is MISSING}
    if missing := required - content.keys():
        raise ModelError(f"{path}: lacks {', '.join(sorted(missing))}; export the model again")
    if unknown := content.keys() - {item.name for item in fields(ModelCard)}:
        raise ModelError(f"{path}: has unknown fields: {plain(', '.join(sorted(unknown)))}; export the model again")
    for name, value in content.items():
        expected, holds = _RULES[name]
        if not holds(value):
            raise ModelError(f"{path}: {name}: expected {expected}, got {shown(value)}")
    level: list[Any] = [content]
    for _ in range(DEEPEST):
        level = [inner for value in level for inner in _values(value)]
    if any(map(_values, level)):
        raise ModelError(f"{path}: expected at most {DEEPEST} levels of nesting, got more")


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


Rule = tuple[str, Callable[[Any], bool]]  # a description of valid values, and the check


def _whole(low: int, high: int) -> Rule:
    expected = f"a whole number, {low} to {high}"
    return expected, lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


_TEXT: Rule = "text", lambda value: isinstance(value, str)
_OBJECT: Rule = "an object", lambda value: isinstance(value, dict)

_RULES: Mapping[str, Rule] = {
    "schema": _whole(SCHEMA, SCHEMA),
    "name": (
        "1 to 100 printable characters",
        lambda value: isinstance(value, str) and 1 <= len(value) <= 100 and value.isprintable(),
    ),
    "sha256": (
        "64 hexadecimal digits",
        lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None,
    ),
    "conditional": ("true or false", lambda value: isinstance(value, bool)),
    **dict.fromkeys(("summary", "prior", "licence"), _TEXT),
    "latent_dim": _whole(1, 2**16),  # the latents of a batch must fit in memory
    **dict.fromkeys(("steps", "seed", "parameters", "multiply_adds"), _whole(0, 2**64)),
    **dict.fromkeys(("preset", "data", "versions"), _OBJECT),
    **dict.fromkeys(
        ("attributes", "encoder", "parity", "quality"),
        ("an object or null", lambda value: value is None or isinstance(value, dict)),
    ),
}
