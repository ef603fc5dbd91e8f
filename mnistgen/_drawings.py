"""DRAWINGS: what each command of the command line draws, as data that determines every pixel but for the model.

The commands draw through these classes, and `mnistgen reproduce` draws again through the same ones.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mnistgen._animation import ANIMATIONS, frame_time, write_animation
from mnistgen._arrays import Int64, UInt8
from mnistgen._checks import check_fps, checked_text, whole_number
from mnistgen._formats import PICTURES, write_picture
from mnistgen._images import CELL, PIXELS, enlarged, grid, grid_size
from mnistgen._latents import INDICES, SEEDS

if TYPE_CHECKING:
    from mnistgen._generator import Generator


@dataclass(frozen=True, kw_only=True)
class Drawing(ABC):
    """A still picture, or frames. Raises InputError for what leaves its size open; the generator checks the rest.

    In the file every pixel of a digit is repeated `scale` times in both directions.
    """

    command: ClassVar[str]
    endings: ClassVar[Collection[str]] = PICTURES  # of the files that can hold it
    limits: ClassVar[Mapping[str, tuple[int, int]]] = {}  # of its own whole numbers
    cell: ClassVar[int] = 28  # pixels of a digit's place, before enlargement

    seed: int
    scale: int

    def __post_init__(self) -> None:
        for name, (low, high) in {"seed": (0, SEEDS - 1), "scale": (1, PIXELS), **self.limits}.items():
            whole_number(name, getattr(self, name), low, high)

    @property
    def index(self) -> int:
        """The place of the first digit in the seed."""
        return int(getattr(self, "start", 0))

    @property
    def layout(self) -> tuple[int, int, int]:
        """Frames, and rows and columns of digits in each of them."""
        return 1, 1, 1

    @property
    def size(self) -> tuple[int, int, int]:
        """Frames, height and width in the file."""
        frames, rows, columns = self.layout
        return frames, rows * self.cell * self.scale, columns * self.cell * self.scale

    @abstractmethod
    def images(self, generator: "Generator") -> UInt8:
        """What the generator draws, uint8 (N, H, W). Raises InputError as it does."""

    def frame(self, images: UInt8, index: int = 0) -> UInt8:
        """A frame as it stands in the file, (H, W)."""
        if self.cell == CELL:
            return grid(images, self.layout[2], self.scale)
        return enlarged(images[index], self.scale)

    def count(self, milliseconds: float) -> int:
        """How many frames one frame of a file stands for, that is shown so long."""
        return 1

    def write(self, path: Path, images: UInt8, text: Mapping[str, str]) -> None:
        """Write images to a file with text fields. Raises as `formats.write` does."""
        write_picture(path, self.frame(images), text)


@dataclass(frozen=True, kw_only=True)
class DigitGrid(Drawing):
    """`n` digits of a seed from its digit `start` on, in a grid."""

    command = "sample"
    limits: ClassVar = {"n": (1, INDICES), "start": (0, INDICES - 1)}
    cell = CELL

    n: int
    start: int
    digit: Sequence[int] | None
    truncation: float
    columns: int | None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.columns is not None:
            whole_number("columns", self.columns, 1, PIXELS)

    @property
    def layout(self) -> tuple[int, int, int]:
        """One picture."""
        return 1, *grid_size(self.n, self.columns)

    def labelled(self, generator: "Generator") -> tuple[UInt8, Int64 | None]:
        """Images (N, 28, 28) and labels (N,); no labels from an unconditional model."""
        drawn = generator.sample(
            self.n,
            digit=self.digit,
            seed=self.seed,
            start=self.start,
            truncation=self.truncation,
            return_labels=generator.card.conditional,
        )
        return (drawn.images, drawn.labels) if isinstance(drawn, tuple) else (drawn, None)

    def images(self, generator: "Generator") -> UInt8:
        """Images (N, 28, 28)."""
        return self.labelled(generator)[0]


@dataclass(frozen=True, kw_only=True)
class Digit(Drawing):
    """One digit of a data set, without a margin."""

    command = "dataset"
    limits: ClassVar = {"start": (0, INDICES - 1), "label": (0, 9)}

    start: int
    label: int

    def images(self, generator: "Generator") -> UInt8:
        """Images (1, 28, 28)."""
        return generator.sample(1, labels=[self.label], seed=self.seed, start=self.start)


@dataclass(frozen=True, kw_only=True)
class Number(Drawing):
    """A number in one handwriting style."""

    command = "write"

    text: str
    truncation: float

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_text(self.text)

    @property
    def layout(self) -> tuple[int, int, int]:
        """One line."""
        return 1, 1, len(self.text)

    def images(self, generator: "Generator") -> UInt8:
        """One picture (1, 28, 28 N)."""
        return generator.number(self.text, seed=self.seed, truncation=self.truncation)[None]


@dataclass(frozen=True, kw_only=True)
class Interpolation(Drawing):
    """From one digit to another, `fps` frames a second."""

    command = "interpolate"
    endings = tuple(ANIMATIONS)
    limits: ClassVar = {"frames": (2, INDICES)}

    first: int | None
    last: int | None
    frames: int
    fps: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fps(self.fps)

    @property
    def layout(self) -> tuple[int, int, int]:
        """One digit a frame."""
        return self.frames, 1, 1

    def images(self, generator: "Generator") -> UInt8:
        """Images (frames, 28, 28)."""
        return generator.interpolate(self.first, self.last, frames=self.frames, seed=self.seed)

    def count(self, milliseconds: float) -> int:
        """As often as a frame's time fits in."""
        # Pillow writes frames that are alike as one that lasts as long; a GIF then loses less than a hundredth of a
        # second, and no frame is shorter than that.
        return max(1, math.ceil(round(milliseconds) / frame_time(self.fps)))

    def write(self, path: Path, images: UInt8, text: Mapping[str, str]) -> None:
        """Write an animation. Raises as `write_animation` does."""
        write_animation(path, images, self.fps, self.scale, text)


@dataclass(frozen=True, kw_only=True)
class Walk(Drawing):
    """What lies between four digits, as a grid."""

    command = "walk"
    limits: ClassVar = {"rows": (2, INDICES), "columns": (2, INDICES)}
    cell = CELL

    corners: Sequence[int] | None
    rows: int
    columns: int

    @property
    def layout(self) -> tuple[int, int, int]:
        """One picture."""
        return 1, self.rows, self.columns

    def images(self, generator: "Generator") -> UInt8:
        """Images (rows * columns, 28, 28)."""
        return generator.walk(self.corners, rows=self.rows, columns=self.columns, seed=self.seed)


DRAWINGS: Mapping[str, type[Drawing]] = {
    drawing.command: drawing for drawing in (DigitGrid, Digit, Number, Interpolation, Walk)
}
