"""Drawing: a picture as data, and Provenance: the text fields of its file, from which it can be regenerated."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from mnistgen import __version__
from mnistgen._arrays import UInt8
from mnistgen._card import ModelCard
from mnistgen._checks import checked_path, whole_number
from mnistgen._formats import PICTURES, check_target, write_picture
from mnistgen._generator import Generator
from mnistgen._images import CELL, PIXELS, check_pixels, enlarged, grid
from mnistgen._latents import SEEDS, fresh_seed

FIELD = "mnistgen"  # the text field that holds the provenance as one line of ASCII JSON


@dataclass(frozen=True, kw_only=True)
class Drawing(ABC):
    """A still picture or an animation of a seed's digits.

    `seed` is 0 to 2**64 - 1, by default a fresh one. Every pixel of a digit is repeated `scale` times in both
    directions. Raises InputError for arguments outside their ranges.
    """

    command: ClassVar[str]
    endings: ClassVar[Collection[str]] = PICTURES  # file extensions that it can be saved with
    limits: ClassVar[Mapping[str, tuple[int, int]]] = {}  # ranges of its further integer fields
    cell: ClassVar[int] = 28  # side of a digit's cell in pixels, before scaling

    seed: int = field(default_factory=fresh_seed)
    scale: int = 1

    def __post_init__(self) -> None:
        limits = {"seed": (0, SEEDS - 1), "scale": (1, PIXELS), **self.limits}
        self._set({name: whole_number(name, getattr(self, name), *limit) for name, limit in limits.items()})

    def _set(self, values: Mapping[str, Any]) -> None:
        """Replace fields by their checked values, which are JSON types."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def index(self) -> int:
        """Index of the first digit in the seed."""
        return int(getattr(self, "start", 0))

    @property
    def layout(self) -> tuple[int, int, int]:
        """Number of frames, and rows and columns of digits in each frame."""
        return 1, 1, 1

    @property
    def size(self) -> tuple[int, int, int]:
        """Number of frames, and height and width of the file in pixels."""
        frames, rows, columns = self.layout
        return frames, rows * self.cell * self.scale, columns * self.cell * self.scale

    @abstractmethod
    def images(self, generator: Generator) -> UInt8:
        """Generate the images, uint8 (N, H, W). Raises as the generator does."""

    def save(self, path: str | os.PathLike[str], generator: Generator) -> None:
        """Generate the images and write them to a file atomically, with text fields for `mnistgen.reproduce`.

        Raises InputError for an extension that is not in `endings` and for more than 67,108,864 pixels, OutputError if
        the file cannot be written, and what the generator raises.
        """
        target = Path(checked_path(path))
        check_target(target, self.endings)
        check_pixels(*self.size)
        self.write(target, self.images(generator), Provenance.of(self, generator.card).fields())

    def frame(self, images: UInt8, index: int = 0) -> UInt8:
        """A frame as stored in the file, uint8 (H, W)."""
        if self.cell == CELL:
            return grid(images, self.layout[2], self.scale)
        return enlarged(images[index], self.scale)

    def count(self, milliseconds: float) -> int:
        """The number of frames that a stored frame of this duration represents."""
        return 1

    def write(self, path: Path, images: UInt8, text: Mapping[str, str]) -> None:
        """Write images and text fields to a file."""
        write_picture(path, self.frame(images), text)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """A drawing and the model that drew it."""

    drawing: Drawing
    model: str  # its name; the path is deliberately omitted
    sha256: str  # of model.onnx
    version: str  # of mnistgen

    @classmethod
    def of(cls, drawing: Drawing, card: ModelCard) -> Self:
        """The provenance of a drawing by this version with a model."""
        return cls(drawing=drawing, model=card.name, sha256=card.sha256, version=__version__)

    def fields(self) -> dict[str, str]:
        """ASCII text fields, one line each. FIELD holds everything; the others are for readers."""
        content = {FIELD: self.version, "command": self.drawing.command, "model": self.model, "sha256": self.sha256}
        return {
            "Software": f"mnistgen {self.version}",
            "model": json.dumps(self.model)[1:-1],  # without quotes, non-ASCII characters escaped
            "sha256": self.sha256,
            "seed": str(self.drawing.seed),
            "index": str(self.drawing.index),
            FIELD: json.dumps(content | asdict(self.drawing)),
        }

    def arrays(self) -> dict[str, Any]:
        """Model, SHA-256, seed and start as arrays for .npz."""
        seed, start = np.array(self.drawing.seed, np.uint64), np.array(self.drawing.index, np.int64)
        return {"model": np.array(self.model), "sha256": np.array(self.sha256), "seed": seed, "start": start}
