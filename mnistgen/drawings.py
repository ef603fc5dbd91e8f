"""DRAWINGS: what each command of the command line draws, as data that determines every pixel but for the model.

The commands draw through these classes, and `mnistgen reproduce` draws again through the same ones.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from mnistgen.animation import ANIMATIONS, frame_time, write_animation
from mnistgen.checks import Asked, check_fps, checked_text, whole_number
from mnistgen.formats import PICTURES, write_picture
from mnistgen.images import CELL, UInt8, check_grid, enlarged, grid, grid_size
from mnistgen.latents import INDICES, SEEDS

SCALE = 1000  # at most: a digit of 28,000 pixels

if TYPE_CHECKING:
    from mnistgen.generator import Generator


@dataclass(frozen=True, kw_only=True)
class Drawing(ABC):
    """A still picture, or frames. Raises InputError for what leaves its size open; the generator checks the rest.

    Frames are uint8 (N, H, W), `shape` before any is drawn; in the file every pixel is repeated `scale` times in both
    directions.
    """

    command: ClassVar[str]
    endings: ClassVar[Collection[str]] = PICTURES  # of the files that can hold it

    seed: int
    scale: int

    def __post_init__(self) -> None:
        whole_number("seed", self.seed, 0, SEEDS - 1)
        check_grid(None, self.scale)
        whole_number("scale", self.scale, 1, SCALE)

    @property
    def index(self) -> int:
        """The place of the first digit in the seed."""
        return 0

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Frames, height and width, before enlargement."""

    @abstractmethod
    def images(self, generator: "Generator") -> UInt8:
        """What the generator draws. Raises InputError as it does."""

    def arrange(self, images: UInt8) -> UInt8:
        """What the generator drew, as frames (N, H, W)."""
        return images

    def draw(self, generator: "Generator") -> UInt8:
        """Frames (N, H, W)."""
        return self.arrange(self.images(generator))

    def picture(self, frames: UInt8) -> UInt8:
        """The first frame as it stands in the file, (H scale, W scale)."""
        return enlarged(frames[0], self.scale)

    def count(self, milliseconds: float) -> int:
        """How many frames one frame of a file stands for, that is shown so long."""
        return 1

    def write(self, path: Path, frames: UInt8, text: Mapping[str, str]) -> None:
        """Write frames to a file with text fields. Raises as `formats.write` does."""
        write_picture(path, self.picture(frames), text)


@dataclass(frozen=True, kw_only=True)
class DigitGrid(Drawing):
    """`n` digits of a seed from its digit `start` on, in a grid."""

    command = "sample"

    n: int
    start: int
    digit: Sequence[int] | None
    truncation: float
    columns: int | None

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("n", self.n, 1, INDICES)
        whole_number("start", self.start, 0, INDICES - self.n)
        check_grid(self.columns, self.scale)

    @property
    def index(self) -> int:
        """`start`."""
        return self.start

    @property
    def shape(self) -> tuple[int, int, int]:
        """One picture of all cells."""
        rows, columns = grid_size(self.n, self.columns)
        return 1, rows * CELL, columns * CELL

    def labelled(self, generator: "Generator") -> tuple[UInt8, NDArray[np.int64] | None]:
        """Images (N, 28, 28) and labels (N,); no labels from an unconditional model."""
        place: Asked = {"digit": self.digit, "seed": self.seed, "start": self.start, "truncation": self.truncation}
        if generator.card.conditional:
            return generator.sample(self.n, **place, return_labels=True)
        return generator.sample(self.n, **place), None

    def images(self, generator: "Generator") -> UInt8:
        """Images (N, 28, 28)."""
        return self.labelled(generator)[0]

    def arrange(self, images: UInt8) -> UInt8:
        """Digits row by row in one picture."""
        return grid(images, self.columns)[None]


@dataclass(frozen=True, kw_only=True)
class Number(Drawing):
    """A number in one hand."""

    command = "write"

    text: str
    truncation: float

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_text(self.text)

    @property
    def shape(self) -> tuple[int, int, int]:
        """One line."""
        return 1, 28, 28 * len(self.text)

    def images(self, generator: "Generator") -> UInt8:
        """One picture (1, 28, 28 N)."""
        return generator.write(self.text, seed=self.seed, truncation=self.truncation)[None]


@dataclass(frozen=True, kw_only=True)
class Interpolation(Drawing):
    """From one digit to another, `fps` frames a second."""

    command = "interpolate"
    endings = tuple(ANIMATIONS)

    first: int | None
    last: int | None
    frames: int
    fps: float

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("frames", self.frames, 2, INDICES)
        check_fps(self.fps)

    @property
    def shape(self) -> tuple[int, int, int]:
        """As many digits, one after the other."""
        return self.frames, 28, 28

    def images(self, generator: "Generator") -> UInt8:
        """Images (frames, 28, 28)."""
        return generator.interpolate(self.first, self.last, frames=self.frames, seed=self.seed)

    def count(self, milliseconds: float) -> int:
        """As often as a frame's time fits in."""
        # Pillow writes frames that are alike as one that lasts as long; a GIF then loses less than a hundredth of a
        # second, and no frame is shorter than that.
        return max(1, math.ceil(round(milliseconds) / frame_time(self.fps)))

    def write(self, path: Path, frames: UInt8, text: Mapping[str, str]) -> None:
        """Write an animation. Raises as `write_animation` does."""
        write_animation(path, frames, self.fps, self.scale, text)


@dataclass(frozen=True, kw_only=True)
class Walk(Drawing):
    """What lies between four digits, as a grid."""

    command = "walk"

    corners: Sequence[int] | None
    rows: int
    columns: int

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("rows", self.rows, 2, INDICES)
        whole_number("columns", self.columns, 2, INDICES)

    @property
    def shape(self) -> tuple[int, int, int]:
        """One picture of all cells."""
        return 1, self.rows * CELL, self.columns * CELL

    def images(self, generator: "Generator") -> UInt8:
        """Images (rows * columns, 28, 28)."""
        return generator.walk(self.corners, rows=self.rows, columns=self.columns, seed=self.seed)

    def arrange(self, images: UInt8) -> UInt8:
        """Digits row by row in one picture."""
        return grid(images, self.columns)[None]


@dataclass(frozen=True, kw_only=True)
class Digit(Drawing):
    """One digit of a data set, without a margin."""

    command = "dataset"

    start: int
    label: int

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("start", self.start, 0, INDICES - 1)
        whole_number("label", self.label, 0, 9)

    @property
    def index(self) -> int:
        """`start`."""
        return self.start

    @property
    def shape(self) -> tuple[int, int, int]:
        """One digit."""
        return 1, 28, 28

    def images(self, generator: "Generator") -> UInt8:
        """Images (1, 28, 28)."""
        return generator.sample(1, labels=[self.label], seed=self.seed, start=self.start)


DRAWINGS: Mapping[str, type[Drawing]] = {
    drawing.command: drawing for drawing in (DigitGrid, Digit, Number, Interpolation, Walk)
}
