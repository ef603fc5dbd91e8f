"""Provenance: what made a picture, to text fields and back.

The field "mnistgen" holds all of it, as one line of JSON in ASCII; the others are there to be read by people.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self, cast

import numpy as np

from mnistgen import __version__
from mnistgen._card import ModelCard
from mnistgen._drawings import DRAWINGS, Drawing
from mnistgen._errors import InputError, plain, shown

FIELD = "mnistgen"
LONGEST = 2**20  # characters of the field, at most


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """A drawing, and the model that drew it."""

    drawing: Drawing
    model: str  # its name; the path is deliberately omitted
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

    def arrays(self) -> dict[str, Any]:
        """The same for .npz, beside the images."""
        seed, start = np.array(self.drawing.seed, np.uint64), np.array(self.drawing.index, np.int64)
        return {"model": np.array(self.model), "sha256": np.array(self.sha256), "seed": seed, "start": start}


def from_fields(found: Mapping[str, str]) -> Provenance:
    """Provenance from text fields that anybody may have written; its model's name may be any text.

    Raises InputError where there is none, and for a drawing's arguments that leave its size open.
    """
    if FIELD not in found:
        raise InputError("carries no text fields of mnistgen; the picture is not from its command line, or lost them")
    if len(text := found[FIELD]) > LONGEST:
        raise InputError(f"{FIELD}: expected at most {LONGEST:,} characters, got {len(text):,}")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    match content:
        case {"mnistgen": str(version), "command": str(command), "model": str(model), "sha256": str(sha256), **rest}:
            if command in DRAWINGS:
                version, sha256 = plain(version, 40), plain(sha256, 64)
                drawing = _drawing(command, cast(dict[str, Any], rest))
                return Provenance(drawing=drawing, model=model, sha256=sha256, version=version)
    commands = ", ".join(DRAWINGS)
    raise InputError(f"{FIELD}: expected JSON that says what one of {commands} drew, got {shown(text)}")


def _drawing(command: str, arguments: dict[str, Any]) -> Drawing:
    expected = {item.name for item in fields(DRAWINGS[command])}
    if arguments.keys() != expected:
        came = plain(", ".join(sorted(arguments)), 100)
        raise InputError(f"{command}: expected {', '.join(sorted(expected))}, got {came}")
    return DRAWINGS[command](**arguments)
