"""Provenance: what made a picture, to text fields and back.

The field "mnistgen" holds all of it, as one line of JSON in ASCII; the others are there to be read by people.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from mnistgen import __version__
from mnistgen.card import ModelCard
from mnistgen.drawings import DRAWINGS, Drawing
from mnistgen.errors import InputError

FIELD = "mnistgen"
VERSION = r"[0-9A-Za-z.+!-]{1,40}"
SHA256 = r"[0-9a-f]{64}"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """A drawing, and the model that drew it."""

    drawing: Drawing
    model: str  # its name; where it lay is nobody's business
    sha256: str  # of model.onnx
    version: str  # of mnistgen

    @classmethod
    def of(cls, drawing: Drawing, card: ModelCard) -> Self:
        """What this version draws with a model."""
        return cls(drawing=drawing, model=card.name, sha256=card.sha256, version=__version__)

    def fields(self) -> dict[str, str]:
        """Text fields, ASCII, one line each, the same ones on every call."""
        content = {FIELD: self.version, "command": self.drawing.command, "model": self.model, "sha256": self.sha256}
        return {
            "Software": f"mnistgen {self.version}",
            "model": json.dumps(self.model)[1:-1],  # without quotes, but with what is not ASCII escaped
            "sha256": self.sha256,
            "seed": str(self.drawing.seed),
            "index": str(self.drawing.index),
            FIELD: json.dumps(content | asdict(self.drawing)),
        }


def from_fields(found: Mapping[str, str]) -> Provenance:
    """Provenance from text fields that anybody may have written.

    Raises InputError where there is none, and for whatever could not have come from `Provenance.fields`.
    """
    if FIELD not in found:
        raise InputError("carries no text fields of mnistgen; the picture is not from its command line, or lost them")
    try:
        content = json.loads(found[FIELD])
    except (ValueError, RecursionError):
        raise InputError(f"{FIELD}: expected JSON, got {found[FIELD]!r}") from None
    if not isinstance(content, dict):
        raise InputError(f"{FIELD}: expected a JSON object, got {found[FIELD]!r}")
    version = _text(content, FIELD, VERSION)
    command = _text(content, "command", "|".join(DRAWINGS))
    model, sha256 = _text(content, "model", ".+"), _text(content, "sha256", SHA256)
    return Provenance(drawing=_drawing(command, content), model=model, sha256=sha256, version=version)


def _text(content: dict[str, Any], name: str, pattern: str) -> str:
    """Take a text out of an object."""
    value = content.pop(name, None)
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.DOTALL):
        raise InputError(f"{name}: expected text like {pattern}, got {value!r}")
    return value


def _drawing(command: str, arguments: dict[str, Any]) -> Drawing:
    expected = {item.name for item in fields(DRAWINGS[command])}
    if arguments.keys() != expected:
        raise InputError(f"{command}: expected {', '.join(sorted(expected))}, got {', '.join(sorted(arguments))}")
    return DRAWINGS[command](**arguments)
