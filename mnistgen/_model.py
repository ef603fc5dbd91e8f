"""Model directories: the card and the files of a model, and the bundled models by name."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mnistgen._arrays import Float32
from mnistgen._errors import InputError, ModelError, plain, shown
from mnistgen._files import package_file, whole_file

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Model = str | os.PathLike[str]  # the name of a bundled model, or the path of a model directory

CONTROLLED = ("thickness", "slant", "width", "height")  # attributes that can be requested
MODELS = package_file("models")
DEFAULT_MODEL = "digits"
DIGITS = tuple("0123456789")  # the classes of a model of digits
SCHEMA = 1
CARD = "card.json"
MODEL, EDITOR, ENCODER = "model.onnx", "attributes.onnx", "encoder.onnx"  # the graphs of a model directory
LARGEST_LATENT_DIM = 2**16

# Runs a graph: from inputs by name to outputs, which are given by name with their shapes.
Run = Callable[[Mapping[str, Any], Mapping[str, tuple[int, ...]]], list[Any]]

# A tensor with external data names its file under the key "location". Protobuf encodes a string after its length, 8.
EXTERNAL_DATA = b"\x08location"


@dataclass(frozen=True, kw_only=True, repr=False)
class ModelCard:
    """The metadata of a model, written by export and evaluation."""

    schema: int = SCHEMA
    name: str
    summary: str
    classes: tuple[str, ...] | None  # names of the labels, in order; None for an unconditional model
    latent_dim: int
    prior: str  # of the latents
    preset: dict[str, Any]  # every hyperparameter
    data: dict[str, Any]  # training data: name, number of images, checksum, classes, licence
    steps: int  # of training, in all loops
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
        rows = {name.replace("_", " "): getattr(self, name) for name in ("summary", "parameters", "licence", "sha256")}
        for name, figure in (self.quality or {}).get("figures", {}).items():
            if isinstance(figure, dict) and "mean" in figure:
                rows[name.replace("_", " ")] = figure["mean"]
        return _html_table(["model", self.name], rows.items())

    @property
    def conditional(self) -> bool:
        """Whether the model is class-conditional: takes labels as well as latents."""
        return self.classes is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the card as JSON types."""
        return asdict(self) | {"classes": self.classes and list(self.classes)}

    def write(self, directory: Path) -> None:
        """Write card.json into a directory atomically."""
        with whole_file(directory / CARD) as file:
            file.write(json.dumps(self.to_dict(), indent=2).encode() + b"\n")


class Statistics(NamedTuple):
    """Attributes of a model's digits, in the order of CONTROLLED."""

    mean: Float32  # (A,)
    deviation: Float32  # (A,)
    ranges: Float32  # (A, K, 2), from and to, by class


def statistics(card: ModelCard) -> Statistics:
    """The statistics in a model card. Raises ModelError if they are damaged."""
    try:
        found = [(card.attributes or {})[name] for name in CONTROLLED]
        mean, deviation, ranges = (
            np.array([each[key] for each in found], np.float32) for key in ("mean", "deviation", "ranges")
        )
        return Statistics(mean, deviation, ranges.reshape(len(CONTROLLED), len(card.classes or ()), 2))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"card of {card.name}: attributes: damaged ({error!r}); export the model again") from None


class Models(dict[str, ModelCard]):
    """Model cards by name, shown as a table in notebooks."""

    def _repr_html_(self) -> str:
        rows = [(name, card.summary, card.parameters) for name, card in self.items()]
        return _html_table(["model", "summary", "parameters"], rows)


class ModelDirectory(NamedTuple):
    """A model directory with a valid card."""

    path: Traversable  # a Path, unless the package is in a ZIP archive
    card: ModelCard

    def read(self, name: str = MODEL) -> bytes:
        """The bytes of a graph: MODEL, EDITOR or ENCODER.

        Raises ModelError if it is missing, if its SHA-256 is not the card's, and for external data, which onnxruntime
        would read unchecked.
        """
        path = self.path / name
        parts = {MODEL: {"sha256": self.card.sha256}, EDITOR: self.card.attributes, ENCODER: self.card.encoder}
        expected = (parts[name] or {}).get("sha256")
        graph = _read(path)
        if (digest := hashlib.sha256(graph).hexdigest()) != expected:
            raise ModelError(
                f"{path}: expected SHA-256 {expected} ({CARD}), got {digest}; "
                "the file is damaged or was replaced; export or install it again"
            )
        if EXTERNAL_DATA in graph:
            raise ModelError(f"{path}: expected all weights in one file, got external data; save the model as one file")
        return graph


def names() -> list[str]:
    """The names of the bundled models, in alphabetical order. Raises ModelError if the package has lost them."""
    if not MODELS.is_dir():
        raise ModelError(
            f"{MODELS}: not found: the package's data files are missing; reinstall mnistgen, "
            "or have the program that packed it collect them (PyInstaller: --collect-data mnistgen)"
        )
    return sorted(folder.name for folder in MODELS.iterdir() if (folder / CARD).is_file())


def models() -> Models:
    """Return the cards of the bundled models by name: a dict, shown as a table in notebooks."""
    return Models({name: _read_card(MODELS / name) for name in names()})


def card(model: Model = DEFAULT_MODEL) -> ModelCard:
    """Return the model card of a bundled model, by name, or of a model directory, by path.

    Raises InputError for anything else, and ModelError for a directory without card or model, or if the model's SHA-256
    is not that of the card.
    """
    directory = find(model)
    directory.read()
    return directory.card


def find(model: Model) -> ModelDirectory:
    """The model directory of a bundled name or a path. Raises as `card` does, but does not check model.onnx."""
    path = _path_of(model)
    return ModelDirectory(path, _read_card(path))


def portable(model: Model) -> str:
    """Identifier that resolves to the same model in other processes: a bundled name, or an absolute path."""
    return model if isinstance(model, str) and model in names() else str(_path_of(model))


def _path_of(model: Model) -> Traversable:
    if not isinstance(model, str | os.PathLike):
        raise InputError(f"model: expected a name or a path, got {shown(model)}")
    known, path = names(), Path(model)
    if isinstance(model, str) and model in known:
        return MODELS / model
    if os.path.isdir(path):  # noqa: PTH112 - False where pathlib raises: without permission, and for invalid names
        return Path(os.path.realpath(path))  # valid after chdir and in other processes
    if model != path.name:
        raise InputError(f"{path}: not a directory; expected a model directory or one of {', '.join(known)}")
    near = difflib.get_close_matches(path.name, known, n=2)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise InputError(
        f"no model {shown(model)}: {hint}bundled models: {', '.join(known)}; or give the path of a model directory"
    )


def _read(path: Traversable) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: not found; a model directory holds {MODEL} and {CARD}") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None


def _read_card(directory: Traversable) -> ModelCard:
    """The card of a model directory. Raises ModelError that names the file and the problem."""
    path = directory / CARD
    try:
        content = json.loads(_read(path))
    except ValueError as error:
        raise ModelError(f"{path}: cannot be read as JSON ({plain(str(error))})") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path}: expected a JSON object, got {shown(content)}")
    if (schema := content.get("schema")) != SCHEMA:
        raise ModelError(f"{path}: expected schema {SCHEMA}, got {shown(schema)}; export the model again")
    required = {item.name for item in fields(ModelCard) if item.default is MISSING}
    if missing := required - content.keys():
        raise ModelError(f"{path}: lacks {', '.join(sorted(missing))}; export the model again")
    if unknown := content.keys() - _TYPES.keys():
        raise ModelError(f"{path}: has unknown fields: {', '.join(sorted(unknown))}; export the model again")
    for name, value in content.items():
        if type(value) not in _TYPES[name]:
            expected = " or ".join(kind.__name__ for kind in _TYPES[name])
            raise ModelError(f"{path}: {name}: expected {expected}, got {shown(value)}")
    if not 1 <= content["latent_dim"] <= LARGEST_LATENT_DIM:  # the latents of a batch must fit in memory
        raise ModelError(f"{path}: latent_dim: expected 1 to {LARGEST_LATENT_DIM}, got {content['latent_dim']}")
    names: list[str] | None = content["classes"]
    if names is not None and not (all(names) and set(map(type, names)) == {str} and len(set(names)) == len(names) > 1):
        raise ModelError(f"{path}: classes: expected 2 or more distinct names, got {shown(names)}")
    return ModelCard(**content | {"classes": names and tuple(names)})


_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "summary", "prior", "licence", "sha256"), (str,)),
    **dict.fromkeys(("schema", "latent_dim", "steps", "seed", "parameters", "multiply_adds"), (int,)),
    "classes": (list, type(None)),
    **dict.fromkeys(("preset", "data", "versions"), (dict,)),
    **dict.fromkeys(("parity", "attributes", "encoder", "quality"), (dict, type(None))),
}


def _html_table(head: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    """An HTML table with formatted numbers and escaped text."""
    from html import escape  # imported here: only notebooks need it

    def row(tag: str, cells: Iterable[Any]) -> str:
        texts = (f"{c:,}" if isinstance(c, int) else f"{c:.4g}" if isinstance(c, float) else str(c) for c in cells)
        return f"<tr>{''.join(f'<{tag}>{escape(text)}</{tag}>' for text in texts)}</tr>"

    return f"<table>{row('th', head)}{''.join(row('td', cells) for cells in rows)}</table>"
