"""Bundled name or path -> checked model directory."""

import difflib
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from mnistgen.card import ModelCard, read_card
from mnistgen.errors import ModelError

MODELS = Path(__file__).parent / "models"
DEFAULT_MODEL = "digits"


class ModelDirectory(NamedTuple):
    """A directory whose card is valid and whose model.onnx is the one that the card speaks of."""

    path: Path
    card: ModelCard

    @property
    def onnx(self) -> Path:
        """The graph."""
        return self.path / "model.onnx"


def names() -> list[str]:
    """The bundled models, in alphabetical order."""
    return sorted(path.parent.name for path in MODELS.glob("*/card.json"))


def models() -> dict[str, ModelCard]:
    """Names and cards of what is bundled."""
    return {name: read_card(MODELS / name) for name in names()}


def find(model: str | os.PathLike[str]) -> ModelDirectory:
    """The checked directory of a bundled name or of a path.

    Raises ModelError for an unknown name, and for a directory without card or model, or whose checksum is wrong.
    """
    directory = ModelDirectory(path := _locate(model), read_card(path))
    try:
        with directory.onnx.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ModelError(f"{directory.onnx}: not found; a model directory holds model.onnx and card.json") from None
    except OSError as error:
        raise ModelError(f"{directory.onnx}: cannot be read ({error.strerror})") from None
    if digest != directory.card.sha256:
        raise ModelError(
            f"{directory.onnx}: expected SHA-256 {directory.card.sha256} (card.json), got {digest}; "
            "the file was damaged or replaced: export or install it again"
        )
    return directory


def portable(model: str | os.PathLike[str]) -> str:
    """What other processes and machines find the same model by: a bundled one's name, which all know, or the path."""
    return model if isinstance(model, str) and model in names() else str(_locate(model))


def _locate(model: str | os.PathLike[str]) -> Path:
    known = names()
    if isinstance(model, str) and model in known:
        return MODELS / model
    path = Path(model)
    if path.is_dir():
        return path.resolve()  # a later chdir or another process finds it too
    if isinstance(model, str) and model == path.name:  # a name, not a path
        near = difflib.get_close_matches(model, known, n=2)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ModelError(f"no model {model!r}: {hint}bundled are {', '.join(known)}; or give a model directory's path")
    raise ModelError(f"{path}: not a directory; expected a model directory or one of {', '.join(known)}")
