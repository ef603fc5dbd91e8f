"""ModelCard: what a model directory says of its model, as card.json and in the ONNX file's metadata."""

import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mnistgen.errors import ModelError
from mnistgen.files import whole_file

SCHEMA = 1
FILE_NAME = "card.json"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Everything known of a model; export and evaluation write it, nobody types it."""

    schema: int = SCHEMA
    name: str
    summary: str
    conditional: bool  # takes classes beside latents
    latent_dim: int
    members: int = 1  # generators in one, of which as many last latents choose: the largest names the one that draws
    prior: str  # of the latents
    preset: dict[str, Any]  # every hyperparameter
    data: dict[str, Any]  # training data and its checksum
    steps: int
    seed: int  # of the training run
    parameters: int
    multiply_adds: int  # for one image
    licence: str
    sha256: str  # of model.onnx
    versions: dict[str, str]  # of the libraries that wrote it
    parity: dict[str, Any] | None = None  # how far pixels may be from PyTorch's, and how far they are
    quality: dict[str, Any] | None = None  # measured figures; none before evaluation

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON types."""
        return asdict(self)

    def write(self, directory: Path) -> None:
        """Write card.json into a directory, whole or not at all."""
        with whole_file(directory / FILE_NAME) as file:
            file.write(json.dumps(self.to_dict(), indent=2).encode() + b"\n")


def read_card(directory: Path) -> ModelCard:
    """The card of a model directory. Raises ModelError, naming the file and what is wrong with it."""
    path = directory / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path}: not found; a model directory holds model.onnx and card.json") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path}: expected a JSON object, got {type(content).__name__}")
    if content.get("schema") != SCHEMA:
        raise ModelError(f"{path}: expected schema {SCHEMA}, got {content.get('schema')!r}; export the model again")
    _check_fields(path, content)
    return ModelCard(**content)


def _check_fields(path: Path, content: dict[str, Any]) -> None:
    expected = {item.name for item in fields(ModelCard)}
    required = {item.name for item in fields(ModelCard) if item.default is MISSING}
    if missing := required - content.keys():
        raise ModelError(f"{path}: lacks {', '.join(sorted(missing))}; export the model again")
    if unknown := content.keys() - expected:
        raise ModelError(f"{path}: has unknown fields: {', '.join(sorted(unknown))}; export the model again")
    defaults = {item.name: item.default for item in fields(ModelCard)}
    for name, types in _TYPES.items():
        value = content.get(name, defaults.get(name))
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ModelError(f"{path}: {name}: expected {types[0].__name__}, got {value!r}")


# isinstance wants classes, where the annotations above also speak of what is inside.
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "summary", "prior", "licence", "sha256"), (str,)),
    **dict.fromkeys(("latent_dim", "members", "steps", "seed", "parameters", "multiply_adds"), (int,)),
    **dict.fromkeys(("preset", "data", "versions"), (dict,)),
    "conditional": (bool,),
    **dict.fromkeys(("parity", "quality"), (dict, type(None))),
}
