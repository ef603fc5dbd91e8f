"""Bundled name or path -> checked model directory."""

import difflib
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from mnistgen._card import ModelCard, html_table, read_card
from mnistgen._errors import InputError, ModelError, plain, shown
from mnistgen._files import read_file

MODELS = Path(__file__).parent / "models"
DEFAULT_MODEL = "digits"
LARGEST_GRAPH = 2**30  # bytes

# A tensor with external data names its file under the key "location". Protobuf encodes a string after its length, 8;
# the last byte of a length encoded in more bytes than necessary is 0.
EXTERNAL_DATA = (b"\x08location", b"\x00location")


class ModelDirectory(NamedTuple):
    """A model directory with a valid card."""

    path: Path
    card: ModelCard

    @property
    def onnx(self) -> Path:
        """The path of the graph."""
        return self.path / "model.onnx"

    def read(self) -> bytes:
        """The bytes of the graph. Raises ModelError as `read_graph` does, and if its SHA-256 is not the card's."""
        graph = read_graph(self.onnx)
        if (digest := hashlib.sha256(graph).hexdigest()) != self.card.sha256:
            raise ModelError(
                f"{self.onnx}: expected SHA-256 {self.card.sha256} (card.json), got {digest}; "
                "the file is damaged or was replaced; export or install it again"
            )
        return graph


def names() -> list[str]:
    """The names of the bundled models, in alphabetical order."""
    return sorted(path.parent.name for path in MODELS.glob("*/card.json"))


class Models(dict[str, ModelCard]):
    """Model cards by name, shown as a table in notebooks."""

    def _repr_html_(self) -> str:
        cards = self.items()
        return html_table(["model", "summary", "parameters"], [(n, c.summary, c.parameters) for n, c in cards])


def models() -> Models:
    """Return the cards of the bundled models by name: a dict, shown as a table in notebooks."""
    return Models({name: read_card(MODELS / name) for name in names()})


def card(model: str | os.PathLike[str] = DEFAULT_MODEL) -> ModelCard:
    """Return the model card of a bundled model, by name, or of a model directory, by path.

    Raises InputError for anything else, and ModelError for a directory without card or model, or if the model's SHA-256
    is not that of the card.
    """
    return find(model).card


def find(model: str | os.PathLike[str]) -> ModelDirectory:
    """The directory of a bundled name or a path; card and checksum are checked. Raises as `card` does."""
    directory = locate(model)
    directory.read()
    return directory


def locate(model: str | os.PathLike[str]) -> ModelDirectory:
    """As `find`, but without checking model.onnx, which `ModelDirectory.read` does."""
    path = _path_of(model)
    return ModelDirectory(path, read_card(path))


def read_graph(path: Path) -> bytes:
    """The bytes of an ONNX file. Raises ModelError unless it is a regular file of at most 1 GiB without external data.

    onnxruntime would read external data without checking it, and old versions from any path on the machine.
    """
    try:
        graph = read_file(path, LARGEST_GRAPH)
    except FileNotFoundError:
        raise ModelError(f"{path}: not found; a model directory holds model.onnx and card.json") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    if any(key in graph for key in EXTERNAL_DATA):
        raise ModelError(f"{path}: expected all weights in one file, got external data; save the model as one file")
    return graph


def named(model: str | os.PathLike[str]) -> str:
    """A model's name or path as str. Raises InputError for anything else."""
    try:
        text = os.fspath(model)
    except Exception:  # noqa: BLE001 - a third-party __fspath__ may raise anything
        text = None
    if not isinstance(text, str):
        raise InputError(f"model: expected a name or a path, got {shown(model)}")
    return text


def portable(model: str | os.PathLike[str]) -> str:
    """Identifier that resolves to the same model in other processes: a bundled name, or an absolute path."""
    return model if isinstance(model, str) and model in names() else str(_path_of(model))


def _path_of(model: str | os.PathLike[str]) -> Path:
    path, known = Path(named(model)), names()
    if isinstance(model, str) and model in known:
        return MODELS / model
    if os.path.isdir(path):  # noqa: PTH112 - False for invalid paths, for which pathlib raises
        try:
            return Path(os.path.realpath(path))  # valid after chdir and in other processes
        except OSError as error:  # the working directory was deleted
            raise ModelError(f"{path}: cannot be found ({error.strerror})") from None
    if isinstance(model, str) and model == path.name:  # a name, not a path
        near = difflib.get_close_matches(model[:100], known, n=2)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise InputError(
            f"no model {shown(model)}: {hint}bundled models: {', '.join(known)}; or give the path of a model directory"
        )
    raise InputError(
        f"{plain(str(path), 100)}: not a directory; expected a model directory or one of {', '.join(known)}"
    )
