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

# A tensor in another file names it under the key "location", which follows its length, 8, as protobuf encodes it; the
# last byte of that is 0 where it is encoded in more bytes than needed.
EXTERNAL_DATA = (b"\x08location", b"\x00location")


class ModelDirectory(NamedTuple):
    """A directory whose card is valid."""

    path: Path
    card: ModelCard

    @property
    def onnx(self) -> Path:
        """The graph."""
        return self.path / "model.onnx"

    def read(self) -> bytes:
        """The bytes of the graph. Raises ModelError as `read_graph` does, and for others than the card speaks of."""
        graph = read_graph(self.onnx)
        if (digest := hashlib.sha256(graph).hexdigest()) != self.card.sha256:
            raise ModelError(
                f"{self.onnx}: expected SHA-256 {self.card.sha256} (card.json), got {digest}; "
                "the file was damaged or replaced: export or install it again"
            )
        return graph


def names() -> list[str]:
    """The bundled models, in alphabetical order."""
    return sorted(path.parent.name for path in MODELS.glob("*/card.json"))


class Models(dict[str, ModelCard]):
    """Names and cards; a table in notebooks."""

    def _repr_html_(self) -> str:
        cards = self.items()
        return html_table(["model", "what it is", "parameters"], [(n, c.summary, c.parameters) for n, c in cards])


def models() -> Models:
    """Names and cards of the bundled models."""
    return Models({name: read_card(MODELS / name) for name in names()})


def card(model: str | os.PathLike[str] = DEFAULT_MODEL) -> ModelCard:
    """The model card of a bundled name or of a model directory's path: what export and evaluation recorded.

    Raises InputError for what is neither, and ModelError for a directory without card or model, or where the model's
    checksum is not the card's.
    """
    return find(model).card


def find(model: str | os.PathLike[str]) -> ModelDirectory:
    """The checked directory of a bundled name or of a path.

    Raises InputError for what is neither, and ModelError for a directory without card or model, or whose checksum is
    wrong.
    """
    directory = locate(model)
    directory.read()
    return directory


def locate(model: str | os.PathLike[str]) -> ModelDirectory:
    """As `find`, but model.onnx is not looked at: whoever opens it reads it with `ModelDirectory.read`."""
    path = _path_of(model)
    return ModelDirectory(path, read_card(path))


def read_graph(path: Path) -> bytes:
    """The bytes of an ONNX file, all of the model. Raises ModelError unless it is a regular file, at most 1 GiB, and
    refers to no other file: onnxruntime would read that whatever its checksum, and old versions any of the machine.
    """
    try:
        graph = read_file(path, LARGEST_GRAPH)
    except FileNotFoundError:
        raise ModelError(f"{path}: not found; a model directory holds model.onnx and card.json") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    if any(key in graph for key in EXTERNAL_DATA):
        raise ModelError(f"{path}: keeps weights in other files (external data); save it as one file")
    return graph


def named(model: str | os.PathLike[str]) -> str:
    """A name or a path as text. Raises InputError for anything else."""
    try:
        text = os.fspath(model)
    except Exception:  # noqa: BLE001 - TypeError, or whatever a stranger's __fspath__ raises
        text = None
    if not isinstance(text, str):
        raise InputError(f"model: expected a name or a path, got {shown(model)}")
    return text


def portable(model: str | os.PathLike[str]) -> str:
    """Identifier that resolves to the same model in other processes and machines: a bundled name, or the path."""
    return model if isinstance(model, str) and model in names() else str(_path_of(model))


def _path_of(model: str | os.PathLike[str]) -> Path:
    path, known = Path(named(model)), names()
    if isinstance(model, str) and model in known:
        return MODELS / model
    if os.path.isdir(path):  # noqa: PTH112 - False for whatever is no path, where pathlib's raises
        try:
            return Path(os.path.realpath(path))  # a later chdir or another process finds it too
        except OSError as error:  # the working folder was deleted
            raise ModelError(f"{path}: cannot be found ({error.strerror})") from None
    if isinstance(model, str) and model == path.name:  # a name, not a path
        near = difflib.get_close_matches(model[:100], known, n=2)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise InputError(
            f"no model {shown(model)}: {hint}bundled are {', '.join(known)}; or give a model directory's path"
        )
    raise InputError(
        f"{plain(str(path), 100)}: not a directory; expected a model directory or one of {', '.join(known)}"
    )
