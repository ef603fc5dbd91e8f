"""Pictures as data: everything that determines their pixels, except the model.

    drawing = mnistgen.drawings.Number(text="2026", seed=1)
    drawing.save("number.png", mnistgen.Generator())
    mnistgen.reproduce("number.png")  # regenerates it from the file's text fields and compares

The command line uses these classes. Arguments outside their ranges raise InputError.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

import numpy as np

from mnistgen._animation import ANIMATIONS, frame_time, write_animation
from mnistgen._arrays import Int64, UInt8
from mnistgen._attributes import CONTROLLED
from mnistgen._checks import (
    MAX_LATENT,
    DigitLike,
    checked_digits,
    checked_fps,
    checked_path,
    checked_span,
    checked_text,
    checked_truncation,
    named_corners,
    real_number,
    whole_number,
)
from mnistgen._drawing import Drawing, Provenance
from mnistgen._editing import Span
from mnistgen._errors import InputError, shown
from mnistgen._formats import WRITERS, Sample, check_target, write
from mnistgen._generator import Generator
from mnistgen._images import CELL, PIXELS, check_pixels, grid_size
from mnistgen._latents import INDICES, around, draw
from mnistgen._picture_files import write_png

__all__ = ["Digit", "DigitGrid", "Drawing", "Interpolation", "Number", "Walk"]


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
    thickness: float | Span | None = None
    slant: float | Span | None = None
    width: float | Span | None = None
    height: float | Span | None = None
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
    """One image of a data set: digit `start` of a seed, or of a style with a spread, with requested attributes."""

    command = "dataset"
    limits: ClassVar = {"start": (0, INDICES - 1), "label": (0, 9)}

    start: int = 0
    label: int
    thickness: float | None = None
    slant: float | None = None
    width: float | None = None
    height: float | None = None
    style: Sequence[float] | None = None
    spread: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set({name: checked_span(name, getattr(self, name)) for name in CONTROLLED})
        self._set({"style": _checked_numbers(self.style), "spread": real_number("spread", self.spread, 0, 1)})

    def images(self, generator: Generator) -> UInt8:
        """Generate images uint8 (1, 28, 28)."""
        latents, _ = draw(self.seed, self.start, 1, generator.card.latent_dim)
        return generator.decode(
            around(self.style, self.spread, latents),
            self.label,
            thickness=self.thickness,
            slant=self.slant,
            width=self.width,
            height=self.height,
        )


@dataclass(frozen=True, kw_only=True)
class Number(Drawing):
    """A number in one handwriting style, as by `Generator.number`: that of the seed, or of given latents (D,)."""

    command = "write"

    text: str
    truncation: float = 1.0
    style: Sequence[float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_text(self.text)
        self._set({"truncation": checked_truncation(self.truncation), "style": _checked_numbers(self.style)})

    @property
    def layout(self) -> tuple[int, int, int]:
        """One line."""
        return 1, 1, len(self.text)

    def images(self, generator: Generator) -> UInt8:
        """Generate one picture uint8 (1, 28, 28 N) for N characters."""
        seed = self.seed if self.style is None else None
        return generator.number(self.text, style=self.style, seed=seed, truncation=self.truncation)[None]


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


def _checked_numbers(style: Sequence[float] | None) -> tuple[float, ...] | None:
    """Finite numbers; the model checks how many they are."""
    if style is None:
        return None
    values = style.tolist() if isinstance(style, np.ndarray) else style
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise InputError(f"style: expected latents (D,), got {shown(style)}")
    return tuple(real_number("style", value, -MAX_LATENT, MAX_LATENT) for value in values)


DRAWINGS: Mapping[str, type[Drawing]] = {
    drawing.command: drawing for drawing in (DigitGrid, Digit, Number, Interpolation, Walk)
}
