"""Pictures as data: everything that determines their pixels, except the model.

    drawing = mnistgen.drawings.Number(text="2026", seed=1)
    drawing.save("number.png", mnistgen.Generator())
    mnistgen.reproduce("number.png")  # regenerates it from the file's text fields and compares

The command line uses these classes. Arguments outside their ranges raise InputError.
"""

from __future__ import annotations

import io
import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np

from mnistgen import __version__
from mnistgen._animation import ANIMATIONS, frame_time, write_animation
from mnistgen._arrays import Int64, UInt8
from mnistgen._attributes import CONTROLLED
from mnistgen._card import ModelCard
from mnistgen._checks import (
    DigitLike,
    checked_digits,
    checked_fps,
    checked_path,
    checked_span,
    checked_text,
    checked_truncation,
    named_corners,
    whole_number,
)
from mnistgen._formats import PICTURES, WRITERS, Sample, check_target, write, write_picture
from mnistgen._generator import Generator
from mnistgen._images import CELL, PIXELS, check_pixels, enlarged, grid, grid_size
from mnistgen._latents import INDICES, SEEDS, fresh_seed
from mnistgen._picture_files import write_png

__all__ = ["Digit", "DigitGrid", "Drawing", "Interpolation", "Number", "Walk"]

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
class DigitGrid(Drawing):
    """A grid of digits `start` to `start + n - 1` of a seed.

    `digit`, `truncation` and the attributes are as in `Generator.sample`; an attribute is a number or a range.
    """

    command = "sample"
    limits: ClassVar = {"n": (1, INDICES), "start": (0, INDICES - 1)}
    cell = CELL

    n: int = 64
    start: int = 0
    digit: DigitLike | None = None
    truncation: float = 1.0
    thickness: float | tuple[float, float] | None = None
    slant: float | tuple[float, float] | None = None
    width: float | tuple[float, float] | None = None
    height: float | tuple[float, float] | None = None
    columns: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set({name: checked_span(name, getattr(self, name)) for name in CONTROLLED})
        digit = None if self.digit is None else checked_digits(self.digit)
        columns = None if self.columns is None else whole_number("columns", self.columns, 1, PIXELS)
        self._set({"digit": digit, "columns": columns, "truncation": checked_truncation(self.truncation)})

    @property
    def layout(self) -> tuple[int, int, int]:
        """One picture."""
        return 1, *grid_size(self.n, self.columns)

    def save(self, path: str | os.PathLike[str], generator: Generator) -> None:
        """As `Drawing.save`, and also as .npz (images, labels, provenance) and .npy (images)."""
        target = Path(checked_path(path))
        check_target(target, WRITERS)
        if target.suffix.lower() in self.endings:
            super().save(target, generator)
            return
        images, labels = self.labelled(generator)
        write(target, Sample(images=images, labels=labels, arrays=Provenance.of(self, generator.card).arrays()))

    def png(self, generator: Generator) -> bytes:
        """Return the bytes of the PNG file that `save` writes."""
        check_pixels(*self.size)
        content = io.BytesIO()
        write_png(content, self.frame(self.images(generator)), Provenance.of(self, generator.card).fields())
        return content.getvalue()

    def labelled(self, generator: Generator) -> tuple[UInt8, Int64 | None]:
        """Generate images uint8 (N, 28, 28) and labels int64 (N,), None for an unconditional model."""
        drawn = generator.sample(
            self.n,
            digit=self.digit,
            seed=self.seed,
            start=self.start,
            truncation=self.truncation,
            thickness=self.thickness,
            slant=self.slant,
            width=self.width,
            height=self.height,
            return_labels=generator.card.conditional,
        )
        return (drawn.images, drawn.labels) if isinstance(drawn, tuple) else (drawn, None)

    def images(self, generator: Generator) -> UInt8:
        """Generate images uint8 (N, 28, 28)."""
        return self.labelled(generator)[0]


@dataclass(frozen=True, kw_only=True)
class Digit(Drawing):
    """One image of a data set."""

    command = "dataset"
    limits: ClassVar = {"start": (0, INDICES - 1), "label": (0, 9)}

    start: int = 0
    label: int

    def images(self, generator: Generator) -> UInt8:
        """Generate images uint8 (1, 28, 28)."""
        return generator.sample(1, labels=[self.label], seed=self.seed, start=self.start)


@dataclass(frozen=True, kw_only=True)
class Number(Drawing):
    """A number in one handwriting style, as by `Generator.number`."""

    command = "write"

    text: str
    truncation: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_text(self.text)
        self._set({"truncation": checked_truncation(self.truncation)})

    @property
    def layout(self) -> tuple[int, int, int]:
        """One line."""
        return 1, 1, len(self.text)

    def images(self, generator: Generator) -> UInt8:
        """Generate one picture uint8 (1, 28, 28 N) for N characters."""
        return generator.number(self.text, seed=self.seed, truncation=self.truncation)[None]


@dataclass(frozen=True, kw_only=True)
class Interpolation(Drawing):
    """An animation from one digit to another, as by `Generator.interpolate`, with `fps` frames per second, 1 to 100."""

    command = "interpolate"
    endings = tuple(ANIMATIONS)
    limits: ClassVar = {"frames": (2, INDICES)}

    first: int | None = None
    last: int | None = None
    frames: int = 60
    fps: float = 20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        ends = {"first": self.first, "last": self.last}
        self._set({name: end if end is None else whole_number(name, end, 0, 9) for name, end in ends.items()})
        self._set({"fps": checked_fps(self.fps)})

    @property
    def layout(self) -> tuple[int, int, int]:
        """One digit per frame."""
        return self.frames, 1, 1

    def images(self, generator: Generator) -> UInt8:
        """Generate images uint8 (frames, 28, 28)."""
        return generator.interpolate(self.first, self.last, frames=self.frames, seed=self.seed)

    def count(self, milliseconds: float) -> int:
        """The duration, in frames of this animation."""
        # Pillow merges equal frames into one of the same total duration. GIF rounds it down to 1/100 s, the shortest
        # duration of a frame.
        return max(1, math.ceil(round(milliseconds) / frame_time(self.fps)))

    def write(self, path: Path, images: UInt8, text: Mapping[str, str]) -> None:
        """Write an animation."""
        write_animation(path, images, self.fps, self.scale, text)


@dataclass(frozen=True, kw_only=True)
class Walk(Drawing):
    """A grid of interpolations between four digits, as by `Generator.walk`."""

    command = "walk"
    limits: ClassVar = {"rows": (2, INDICES), "columns": (2, INDICES)}
    cell = CELL

    corners: Sequence[int] | None = None
    rows: int = 10
    columns: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.corners is not None:
            corners = cast(dict[str, int], named_corners(self.corners))
            self._set({"corners": tuple(whole_number(name, corner, 0, 9) for name, corner in corners.items())})

    @property
    def layout(self) -> tuple[int, int, int]:
        """One picture."""
        return 1, self.rows, self.columns

    def images(self, generator: Generator) -> UInt8:
        """Generate images uint8 (rows * columns, 28, 28)."""
        return generator.walk(self.corners, rows=self.rows, columns=self.columns, seed=self.seed)


DRAWINGS: Mapping[str, type[Drawing]] = {
    drawing.command: drawing for drawing in (DigitGrid, Digit, Number, Interpolation, Walk)
}


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
